/* Which key a client presented: the headers it may stand in, and what is no key. */
#include "server/auth.h"

#include <string.h>

#include "check_main.h"

static struct key keys[] = {
    {.name = "alice", .secret = "test-key-alice"},
    {.name = "bob", .secret = "test-key-bob"},
    {.name = "short", .secret = "t"},
};

static const struct config open_to_all = {.key_count = 0};
static const struct config guarded = {.keys = keys, .key_count = 3};

static const struct {
    const char *authorization, *x_api_key, *api_key;
    const char *name; /* of the key that is found; NULL = none */
    enum error_kind kind;
} rows[] = {
    {"Bearer test-key-alice", NULL, NULL, "alice", ERROR_NONE},
    {"bearer test-key-alice", NULL, NULL, "alice", ERROR_NONE},
    {"BEARER   test-key-bob", NULL, NULL, "bob", ERROR_NONE},
    {"Bearer t", NULL, NULL, "short", ERROR_NONE},
    {NULL, "test-key-bob", NULL, "bob", ERROR_NONE},
    {NULL, NULL, "test-key-bob", "bob", ERROR_NONE},

    /* the first that is there decides, right or wrong */
    {"Bearer test-key-alice", "test-key-bob", NULL, "alice", ERROR_NONE},
    {NULL, "test-key-bob", "test-key-alice", "bob", ERROR_NONE},
    {"Bearer wrong", "test-key-bob", NULL, NULL, ERROR_WRONG_KEY},
    {NULL, "wrong", "test-key-bob", NULL, ERROR_WRONG_KEY},

    /* what holds no key is not there */
    {"Bearer ", "test-key-bob", NULL, "bob", ERROR_NONE},
    {"Basic dXNlcjpwYXNz", NULL, "test-key-bob", "bob", ERROR_NONE},
    {"test-key-alice", NULL, NULL, NULL, ERROR_NO_KEY},
    {"", "", "", NULL, ERROR_NO_KEY},
    {"Bearer", NULL, NULL, NULL, ERROR_NO_KEY},
    {"Bearer    ", NULL, NULL, NULL, ERROR_NO_KEY},
    {"Basic dXNlcjpwYXNz", NULL, NULL, NULL, ERROR_NO_KEY},
    {NULL, NULL, NULL, NULL, ERROR_NO_KEY},

    /* nearly right is wrong */
    {"Bearer test-key-alic", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer test-key-alicee", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer Test-key-alice", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer test-key-alice ", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer test-key-alicetest-key-alice", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer tt", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {NULL, "Bearer test-key-bob", NULL, NULL, ERROR_WRONG_KEY},
    {NULL, "alice", NULL, NULL, ERROR_WRONG_KEY},
};

START_TEST(a_key_is_found_in_the_header_it_stands_in)
{
    struct error err = {0};
    const struct key *key = keys;
    bool may_enter = auth_check(&guarded, rows[_i].authorization, rows[_i].x_api_key, rows[_i].api_key, &key, &err);
    ck_assert_int_eq(may_enter, rows[_i].kind == ERROR_NONE);
    ck_assert_int_eq(err.kind, rows[_i].kind);
    ck_assert_pstr_eq(key == NULL ? NULL : key->name, rows[_i].name);
    if (rows[_i].kind == ERROR_WRONG_KEY)
        ck_assert_ptr_null(strstr(err.message, "test-key"));
}
END_TEST

START_TEST(without_configured_keys_everybody_may_enter)
{
    struct error err = {0};
    const struct key *key = keys;
    ck_assert(auth_check(&open_to_all, rows[_i].authorization, rows[_i].x_api_key, rows[_i].api_key, &key, &err));
    ck_assert_ptr_null(key);
    ck_assert_int_eq(err.kind, ERROR_NONE);
}
END_TEST

static Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("keys");
    tcase_add_loop_test(tcase, a_key_is_found_in_the_header_it_stands_in, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tcase, without_configured_keys_everybody_may_enter, 0, sizeof rows / sizeof rows[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(auth_suite());
}
