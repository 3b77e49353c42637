/* How many values a document has at most, before anything is built of it. */
#include "check_main.h"

#include <string.h>

#include "base/json.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* How many values each has at most: one, and one more for each comma, colon and opening bracket. */
static const struct {
    const char *text;
    size_t count;
} counted[] = {
    {"", 1},         {"1", 1},         {"[]", 2},         {"[1,2,3]", 4},         {"{\"a\":[1]}", 4},
    {"\"[,:{\"", 1}, {"\"\\\"[\"", 1}, {"\"\\\\\"[[", 3}, {"\"\\\\\\\",,\",", 2}, {"[\"open,,", 2},
};

START_TEST(values_are_counted_by_their_punctuation)
{
    ck_assert_uint_eq(json_count_values(counted[_i].text, strlen(counted[_i].text)), counted[_i].count);
}
END_TEST

static Suite *json_count_suite(void)
{
    Suite *suite = suite_create("json: counting");
    TCase *tcase = tcase_create("counting");
    tcase_add_loop_test(tcase, values_are_counted_by_their_punctuation, 0, ROWS(counted));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(json_count_suite());
}
