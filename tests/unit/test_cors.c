/* Which origins a browser may call from, and what it is told. */
#include "server/cors.h"

#include <string.h>
#include <strings.h>

#include "check_main.h"

static struct reply_queue queue;
static struct reply_hangup hangup;
static struct reply reply;

static void setup(void)
{
    reply_queue_init(&queue, loop_new());
    reply_hangup_init(&hangup, queue.loop, NULL);
    reply = (struct reply){.queue = &queue, .fd = -1, .head_room = 4096, .hangup = &hangup};
}

static void teardown(void)
{
    reply_dispose(&reply);
    loop_free(queue.loop);
}

static const char *header(const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < reply.header_count; i++) {
        if (strcasecmp(reply.headers[i].name, name) != 0)
            continue;
        ck_assert_msg(found == NULL, "%s is there twice", name);
        found = reply.headers[i].value;
    }
    return found;
}

static const struct {
    const char *allowed[2];
    const char *origin;
    bool is_allowed;
} rows[] = {
    {{NULL}, "https://app.test", false},
    {{NULL}, NULL, false},
    {{"*"}, "https://app.test", true},
    {{"*"}, "null", true},
    {{"*"}, NULL, false},
    {{"https://app.test"}, "https://app.test", true},
    {{"https://app.test"}, NULL, false},
    {{"https://app.test"}, "", false},
    {{"https://app.test"}, "http://app.test", false},
    {{"https://app.test"}, "https://app.test:8443", false},
    {{"https://app.test"}, "https://app.test.evil.test", false},
    {{"https://app.test"}, "https://other.app.test", false},
    {{"https://app.test", "http://localhost:3000"}, "http://localhost:3000", true},
    {{"https://app.test", "*"}, "https://whoever.test", true},
};

START_TEST(an_origin_is_allowed_exactly_or_by_a_star)
{
    char *allowed[2];
    size_t count = 0;
    for (; count < 2 && rows[_i].allowed[count] != NULL; count++)
        allowed[count] = (char *)rows[_i].allowed[count];
    const struct config config = {.cors_origins = allowed, .cors_origin_count = count};
    ck_assert_int_eq(cors_allows(&config, rows[_i].origin), rows[_i].is_allowed);
}
END_TEST

/* Without keys, nothing but the name tells our own page from one of a server that has been given our address. */
static const struct {
    struct cors_page page;
    bool is_refused;
} pages[] = {
    {{"http://evil.example:8000", "evil.example:8000", "application/json"}, true},
    {{"https://evil.example", "Evil.Example", "application/json; charset=utf-8"}, true},
    {{"http://1.evil:8000", "1.evil:8000", "application/json"}, true},
    {{"http://localhost.evil.example", "localhost.evil.example", "application/json"}, true},
    {{"http://notlocalhost.a", "notlocalhost.a", "application/json"}, true},
    {{"http://evil.example.", "evil.example.", "application/json"}, true},
    {{"http://local.evil.example", "local.evil.example", "application/json"}, true},
    {{"null", "evil.example", "application/json"}, true}, /* as the page may want it to be */
    {{"null", "127.0.0.1:8000", "application/json"}, false},
    {{"http://nas.local:8000", "nas.local:8000", "application/json"}, false},
    {{"http://llm.Internal", "llm.internal", "application/json"}, false},
    {{"http://box.home.arpa", "box.home.arpa", "application/json"}, false},
    {{"http://localhost.", "localhost.", "application/json"}, false},
    {{"http://127.0.0.1:8000", "127.0.0.1:8000", "application/json"}, false},
    {{"http://192.0.2.7", "192.0.2.7", "application/json"}, false},
    {{"http://[::1]:8000", "[::1]:8000", "application/json"}, false},
    {{"http://localhost:8000", "localhost:8000", "application/json"}, false},
    {{"http://bridge.localhost:8000", "bridge.localhost:8000", "application/json"}, false},
    {{"http://replibridge:8000", "replibridge:8000", "application/json"}, false},
    {{"http://app.test", "app.test", "application/json"}, false},           /* allowed */
    {{"http://chat.example", "127.0.0.1:8000", "application/json"}, false}, /* asked first, or behind a proxy */
    {{"http://evil.example", NULL, "application/json"}, false},
    {{NULL, "evil.example:8000", NULL}, false}, /* no browser */
    {{"http://localhost:8000", "localhost:8000", "text/plain"}, true},
    {{"http://localhost:8000", "localhost:8000", NULL}, true},
    {{"http://app.test", "app.test", "text/plain"}, false},
};

START_TEST(a_page_under_a_name_that_may_be_a_stranger_s_starts_nothing_without_a_key)
{
    char *allowed[] = {"http://app.test"};
    struct key key = {.name = "alice"};
    struct config config = {.cors_origins = allowed, .cors_origin_count = 1, .has_token = true};
    struct error err = {0};
    ck_assert_int_eq(cors_check_page(&config, &pages[_i].page, &err), !pages[_i].is_refused);
    ck_assert_int_eq(err.kind, pages[_i].is_refused ? ERROR_BAD_REQUEST : ERROR_NONE);
    const char *type = pages[_i].page.content_type;
    if (type == NULL || strstr(type, "json") == NULL)
        return;
    config.keys = &key;
    config.key_count = 1;
    ck_assert(cors_check_page(&config, &pages[_i].page, &err));
    config.key_count = 0;
    config.has_token = false; /* it would have to bring its own */
    ck_assert(cors_check_page(&config, &pages[_i].page, &err));
}
END_TEST

START_TEST(the_origin_is_echoed_and_our_headers_may_be_read)
{
    static const char *const ours[] = {
        "x-request-id",          "retry-after",         "retry-after-ms", "x-should-retry", "x-replicate-prediction-id",
        "x-replibridge-ignored", "x-replibridge-usage",
    };
    cors_headers(&reply, "https://app.test");
    ck_assert_str_eq(header("Access-Control-Allow-Origin"), "https://app.test");
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        ck_assert_ptr_nonnull(strstr(header("Access-Control-Expose-Headers"), ours[i]));
    /* Keys come in headers of ours; cookies have no business here. */
    ck_assert_ptr_null(header("Access-Control-Allow-Credentials"));
}
END_TEST

static const struct {
    const char *wanted, *private_network;
    const char *headers, *network; /* the answer's */
} preflights[] = {
    {NULL, NULL, "Authorization, Content-Type", NULL},
    {"authorization, x-stainless-os", NULL, "authorization, x-stainless-os", NULL},
    {NULL, "true", "Authorization, Content-Type", "true"},
    {NULL, "false", "Authorization, Content-Type", NULL},
    {"evil\r\nSet-Cookie: a=b", NULL, NULL, NULL},
};

START_TEST(a_preflight_gets_what_it_asks_for)
{
    cors_preflight_headers(&reply, preflights[_i].wanted, preflights[_i].private_network);
    ck_assert_pstr_eq(header("Access-Control-Allow-Headers"), preflights[_i].headers);
    ck_assert_pstr_eq(header("Access-Control-Allow-Private-Network"), preflights[_i].network);
    ck_assert_ptr_nonnull(strstr(header("Access-Control-Allow-Methods"), "POST"));
    ck_assert_str_eq(header("Access-Control-Max-Age"), "86400");
}
END_TEST

static Suite *cors_suite(void)
{
    Suite *suite = suite_create("cors");
    TCase *tcase = tcase_create("origins");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_page_under_a_name_that_may_be_a_stranger_s_starts_nothing_without_a_key, 0,
                        (int)(sizeof pages / sizeof pages[0]));
    tcase_add_loop_test(tcase, an_origin_is_allowed_exactly_or_by_a_star, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tcase, the_origin_is_echoed_and_our_headers_may_be_read);
    tcase_add_loop_test(tcase, a_preflight_gets_what_it_asks_for, 0, sizeof preflights / sizeof preflights[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(cors_suite());
}
