/* Which key a client presented, and whose Replicate token: the headers they may stand in, and what is none. */
#include "server/auth.h"

#include <string.h>

#include "check_main.h"

enum { EXPIRES_S = 2000000000 };

static struct key keys[] = {
    {.name = "alice", .digest = "ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8"}, /* test-key-alice */
    {.name = "bob", .digest = "9c854c32c3e1e4018e592ff35ce24355578613133dd3cf727cedd43fe7f89564"},   /* test-key-bob */
    {.name = "short", .digest = "e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8"}, /* t */
    {.name = "late",
     .digest = "4c5dc9b7708905f77f5e5d16316b5dfb425e68cb326dcd55a860e90a7707031e", /* test-token */
     .expires_s = EXPIRES_S},
};

static const struct config open_to_all = {.key_count = 0};
static const struct config guarded = {.keys = keys, .key_count = 4};

static const struct {
    const char *authorization, *x_api_key, *api_key;
    const char *name; /* of the key that is found; NULL = none */
    enum error_kind kind;
} rows[] = {
    {"Bearer test-key-alice", NULL, NULL, "alice", ERROR_NONE},
    {"bearer test-key-alice", NULL, NULL, "alice", ERROR_NONE},
    {"BEARER   test-key-bob", NULL, NULL, "bob", ERROR_NONE},
    {"Bearer t", NULL, NULL, "short", ERROR_NONE},
    {"Bearer test-token", NULL, NULL, "late", ERROR_NONE},
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
    {"Bearer sha256:ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8", NULL, NULL, NULL, ERROR_WRONG_KEY},
    {"Bearer ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8", NULL, NULL, NULL, ERROR_WRONG_KEY},
};

START_TEST(a_key_is_found_in_the_header_it_stands_in)
{
    struct error err = {0};
    const struct key *key = keys;
    const struct credentials credentials = {rows[_i].authorization, rows[_i].x_api_key, rows[_i].api_key, NULL};
    bool may_enter = auth_check(&guarded, &credentials, EXPIRES_S - 1, &key, &err);
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
    const struct credentials credentials = {rows[_i].authorization, rows[_i].x_api_key, rows[_i].api_key, NULL};
    ck_assert(auth_check(&open_to_all, &credentials, EXPIRES_S, &key, &err));
    ck_assert_ptr_null(key);
    ck_assert_int_eq(err.kind, ERROR_NONE);
}
END_TEST

START_TEST(a_key_that_has_expired_is_said_to_have)
{
    const struct credentials credentials = {"Bearer test-token", NULL, NULL, NULL};
    struct error wrong = {0}, expired = {0};
    const struct key *key = keys;
    ck_assert(!auth_check(&guarded, &credentials, EXPIRES_S, &key, &expired));
    ck_assert_ptr_null(key);
    ck_assert_int_eq(expired.kind, ERROR_WRONG_KEY);
    ck_assert_ptr_nonnull(strstr(expired.message, "has expired"));
    const struct credentials unknown = {"Bearer unknown", NULL, NULL, NULL};
    ck_assert(!auth_check(&guarded, &unknown, EXPIRES_S, &key, &wrong));
    ck_assert_str_ne(wrong.message, expired.message);
}
END_TEST

/* ---- tokens that clients bring ---- */

static const struct {
    const struct config *config;
    struct credentials credentials;
    const char *token;
    enum error_kind kind;
} tokens[] = {
    {&open_to_all, {"Bearer test-token", NULL, NULL, NULL}, "test-token", ERROR_NONE},
    {&open_to_all, {NULL, "test-token", NULL, NULL}, "test-token", ERROR_NONE},
    {&open_to_all, {NULL, NULL, "test-token", NULL}, "test-token", ERROR_NONE},
    {&open_to_all, {"Bearer placeholder", NULL, NULL, "test-token"}, "test-token", ERROR_NONE},
    {&open_to_all, {NULL, NULL, NULL, NULL}, NULL, ERROR_NO_KEY},
    {&open_to_all, {"Bearer ", "", "", ""}, NULL, ERROR_NO_KEY},
    {&open_to_all, {"Bearer test token", NULL, NULL, NULL}, NULL, ERROR_WRONG_KEY},
    {&open_to_all, {"Bearer test-token\r\nX-Evil: 1", NULL, NULL, NULL}, NULL, ERROR_WRONG_KEY},
    {&open_to_all, {NULL, "test-token\n", NULL, NULL}, NULL, ERROR_WRONG_KEY},
    {&open_to_all, {NULL, "test-t\xC3\xB6ken", NULL, NULL}, NULL, ERROR_WRONG_KEY},

    /* what is a key here is never sent on as a token */
    {&guarded, {"Bearer test-key-alice", NULL, NULL, NULL}, NULL, ERROR_NO_KEY},
    {&guarded, {NULL, "test-key-bob", NULL, "test-token"}, "test-token", ERROR_NONE},
    {&guarded, {"Bearer test-key-alice", NULL, NULL, "test\ttoken"}, NULL, ERROR_WRONG_KEY},
};

START_TEST(a_token_is_taken_from_where_no_key_stands)
{
    struct error err = {0};
    const char *token = NULL;
    bool ok = auth_token(tokens[_i].config, &tokens[_i].credentials, &token, &err);
    ck_assert_int_eq(ok, tokens[_i].kind == ERROR_NONE);
    ck_assert_int_eq(err.kind, tokens[_i].kind);
    if (ok)
        ck_assert_str_eq(token, tokens[_i].token);
    else
        ck_assert_ptr_null(strstr(err.message, "test"));
}
END_TEST

static Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("keys");
    tcase_add_loop_test(tcase, a_key_is_found_in_the_header_it_stands_in, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tcase, without_configured_keys_everybody_may_enter, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tcase, a_key_that_has_expired_is_said_to_have);
    tcase_add_loop_test(tcase, a_token_is_taken_from_where_no_key_stands, 0, sizeof tokens / sizeof tokens[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(auth_suite());
}
