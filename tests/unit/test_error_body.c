/* The JSON of errors: four members always, whatever the error lacks. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/error_body.h"

static void assert_body(const struct error *error, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    ck_assert(error_body_append(&out, error));
    ck_assert_str_eq(buf_text(&out), expected);
    buf_dispose(&out);
}

START_TEST(an_error_with_everything_says_everything)
{
    struct error error = {0};
    error_set(&error, ERROR_INVALID_TYPE, "messages[0].content", "Wrong.");
    assert_body(&error, "{\"error\":{\"message\":\"Wrong.\",\"type\":\"invalid_request_error\","
                        "\"param\":\"messages[0].content\",\"code\":\"invalid_type\"}}");
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
    struct error error = {0};
    error_set(&error, ERROR_BAD_REQUEST, NULL, "No.");
    assert_body(&error,
                "{\"error\":{\"message\":\"No.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
}
END_TEST

START_TEST(an_empty_message_stays_a_string)
{
    struct error error = {.kind = ERROR_INTERNAL};
    assert_body(&error,
                "{\"error\":{\"message\":\"\",\"type\":\"server_error\",\"param\":null,\"code\":\"internal_error\"}}");
}
END_TEST

START_TEST(quotes_and_line_breaks_are_escaped)
{
    struct error error = {0};
    error_set(&error, ERROR_INVALID_VALUE, "a\"b", "one\n\"two\" \\");
    struct buf out;
    buf_init(&out, 4096);
    ck_assert(error_body_append(&out, &error));
    json_t *body = help_json(buf_text(&out));
    const json_t *inner = json_object_get(body, "error");
    ck_assert_str_eq(json_text(inner, "message"), error.message);
    ck_assert_str_eq(json_text(inner, "param"), error.param);
    json_decref(body);
    buf_dispose(&out);
}
END_TEST

START_TEST(every_kind_gives_a_body_with_four_members)
{
    struct error error = {.kind = (enum error_kind)_i};
    struct buf out;
    buf_init(&out, 4096);
    ck_assert(error_body_append(&out, &error));
    json_t *body = help_json(buf_text(&out));
    const json_t *inner = json_object_get(body, "error");
    ck_assert_uint_eq(json_object_size(inner), 4);
    ck_assert_str_eq(json_text(inner, "type"), error_row(error.kind)->type);
    json_decref(body);
    buf_dispose(&out);
}
END_TEST

START_TEST(a_body_that_does_not_fit_is_told)
{
    struct error error = {.kind = ERROR_INTERNAL};
    struct buf out;
    buf_init(&out, 20);
    ck_assert(!error_body_append(&out, &error));
    buf_dispose(&out);
}
END_TEST

static Suite *error_body_suite(void)
{
    Suite *suite = suite_create("error_body");
    TCase *bodies = tcase_create("bodies");
    tcase_add_test(bodies, an_error_with_everything_says_everything);
    tcase_add_test(bodies, what_is_not_known_is_null);
    tcase_add_test(bodies, an_empty_message_stays_a_string);
    tcase_add_test(bodies, quotes_and_line_breaks_are_escaped);
    tcase_add_loop_test(bodies, every_kind_gives_a_body_with_four_members, 1, ERROR_KIND_COUNT);
    tcase_add_test(bodies, a_body_that_does_not_fit_is_told);
    suite_add_tcase(suite, bodies);
    return suite;
}

int main(void)
{
    return suite_run(error_body_suite());
}
