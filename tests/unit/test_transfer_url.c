/* Where a request goes: URLs that curl is told in two parts, and those that it reads itself. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "transfer_fixture.h"

#define LENGTH_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct script_answer ok = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};

/* The simple ones are not read by curl, the others are: the same handle has one after the other. */
START_TEST(a_url_goes_out_as_it_is_meant_whatever_went_before)
{
    static const char *const targets[][2] = {
        {"/v1/a-b.c_d", "/v1/a-b.c_d"},
        {"/v1/x/../y?q=1", "/v1/y?q=1"},
        {"/v1/z", "/v1/z"},
        {"?q=/a", "/?q=/a"},
        {"/v1/%2Fb", "/v1/%2Fb"},
        {"", "/"},
    };
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    for (int i = 0; i < LENGTH_OF(targets); i++) {
        char url[128], line[128];
        struct transfer_request request = fixture_get("/");
        snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", script_server_port(fixture_server), targets[i][0]);
        snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", targets[i][1]);
        request.url = url;
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
        const char *sent = script_server_request(fixture_server, (size_t)i);
        ck_assert_ptr_eq(strstr(sent, line), sent);
    }
}
END_TEST

/* Each has a user of its own, whom curl names in the request; the one without comes after each of them. */
START_TEST(each_of_more_origins_than_are_remembered_is_told_apart)
{
    enum { ORIGINS = 20, ROUNDS = 2 };
    static char users[ORIGINS][64];
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    for (int i = 0; i < ORIGINS * ROUNDS; i++) {
        char url[128], line[64];
        char *user = users[i % ORIGINS];
        struct transfer_request request = fixture_get("/v1/without");
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
        ck_assert_ptr_null(strstr(script_server_request(fixture_server, (size_t)i * 2), "Authorization"));
        snprintf(url, sizeof(url), "http://u%02d:p@127.0.0.1:%d/v1/%d", i % ORIGINS, script_server_port(fixture_server),
                 i);
        request.url = url;
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
        const char *sent = script_server_request(fixture_server, (size_t)i * 2 + 1);
        snprintf(line, sizeof(line), "GET /v1/%d HTTP/1.1\r\n", i);
        ck_assert_ptr_eq(strstr(sent, line), sent);
        const char *basic = strstr(sent, "\r\nAuthorization: Basic ");
        ck_assert_ptr_nonnull(basic);
        if (i < ORIGINS)
            snprintf(user, sizeof(users[0]), "%.*s", (int)strcspn(basic + 2, "\r"), basic + 2);
        ck_assert_int_eq(strncmp(basic + 2, user, strlen(user)), 0);
        ck_assert(i == 0 || i >= ORIGINS || strcmp(user, users[i - 1]) != 0);
    }
}
END_TEST

static Suite *transfer_url_suite(void)
{
    Suite *suite = suite_create("transfer: URLs");
    TCase *cases = tcase_create("urls");
    tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_url_goes_out_as_it_is_meant_whatever_went_before);
    tcase_add_test(cases, each_of_more_origins_than_are_remembered_is_told_apart);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(transfer_url_suite());
}
