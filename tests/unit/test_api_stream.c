/* Which stream URLs are trusted, which get the token, and what the events' ids and errors mean. */
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "replicate/api.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define API "https://api.replicate.com/v1"

static struct job *job;
static struct api_prediction prediction;

static void setup(void)
{
    job = job_new();
    memset(&prediction, 0, sizeof prediction);
}

static void teardown(void)
{
    api_prediction_dispose(&prediction);
    job_free(job);
}

static bool is_trusted(const char *base, const char *url)
{
    job->base_url = xstrdup(base);
    ck_assert_uint_lt(strlen(url), sizeof prediction.stream_url);
    memcpy(prediction.stream_url, url, strlen(url) + 1);
    const char *found = api_stream_url(job, &prediction);
    if (found != NULL)
        ck_assert_str_eq(found, url);
    return found != NULL;
}

static const struct {
    const char *base, *url;
    bool is_trusted, gets_token;
} rows[] = {
    {API, "https://stream-b.svc.ric1.c.replicate.net/v1/streams/abc", true, false},
    {API, "https://stream.replicate.com/v1/streams/abc", true, false},
    {API, "https://STREAM.Replicate.COM/v1/streams/abc", true, false},
    {API, "https://stream.replicate.com:8443/v1/streams/abc", true, false},
    {API, "https://api.replicate.com/v1/streams/abc", true, true},
    {API, "HTTPS://API.REPLICATE.COM:443/v1/streams/abc", true, true},
    {API, "https://api.replicate.com:444/v1/streams/abc", true, false},
    {API, "https://stream.replicate.com/v1/streams/a%20b?x=@y", true, false},
    {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/streams/abc", true, true},
    {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8081/streams/abc", true, false},
    {"http://127.0.0.1:8080/v1", "https://127.0.0.1:8080/streams/abc", true, false},
    {"http://[::1]:8080/v1", "http://[::1]:8080/streams/abc", true, true},
    {"http://gateway.test/v1", "https://stream.replicate.com/v1/streams/abc", true, false},
    /* Files are no text. */
    {API, "https://stream.replicate.com/v1/files/abcd-token", false, false},
    {API, "https://api.replicate.com/v1/files/abcd-token?x=y", false, true},
    {"http://gateway.test/ai/v1", "http://gateway.test/ai/v1/files/abcd", false, true},
    {API, "https://stream.replicate.com/v1/filesystem/abcd", true, false},
    {API, "https://stream.replicate.com/files/abcd", true, false},
    {API, "https://stream.replicate.com/v1/streams/files/abcd", true, false},
    {API, "https://stream.replicate.com/v1/streams/abcd?of=/v1/files/", true, false},
    /* Not encrypted, or to somebody else. */
    {API, "http://stream.replicate.com/v1/streams/abc", false, false},
    {API, "http://api.replicate.com/v1/streams/abc", false, false},
    {"http://gateway.test/v1", "http://stream.replicate.com/v1/streams/abc", false, false},
    {"http://gateway.test/v1", "http://gateway.test.evil.com/", false, false},
    {API, "https://evil.com/v1/streams/abc", false, false},
    {API, "https://evilreplicate.com/abc", false, false},
    {API, "https://replicate.com.evil.com/abc", false, false},
    {API, "https://.replicate.com/abc", false, false},
    {API, "https://replicate.com/abc", false, false},
    {API, "https://evil.com.replicate.org/abc", false, false},
    /* What one reader takes for the host and another does not. */
    {API, "https://evil.com#.replicate.com/abc", false, false},
    {API, "https://evil.com?.replicate.com/abc", false, false},
    {API, "https://evil.com\\.replicate.com/abc", false, false},
    {API, "https://evil.com/.replicate.com", false, false},
    {API, "https://stream.replicate.com@evil.com/abc", false, false},
    {API, "https://evil.com@stream.replicate.com/abc", false, false},
    {API, "https://user:word@stream.replicate.com/abc", false, false},
    {API, "https://stream.replicate.com:443@evil.com/abc", false, false},
    {API, "https://evil.com%23.replicate.com/abc", false, false},
    {API, "https://evil.com%2f.replicate.com/abc", false, false},
    {API, "https://evil.com\t.replicate.com/abc", false, false},
    {API, "https://evil.com\r\n.replicate.com/abc", false, false},
    {API, "https://evil.com\xE3\x80\x82.replicate.com/abc", false, false},
    {API, "https://stream..replicate.com/abc", false, false},
    {API, "https://stream.replicate.com./abc", false, false},
    {API, "https://stream.replicate.com/a b", false, false},
    {API, "https://stream.replicate.com/a#b", false, false},
    {API, "https://stream.replicate.com/a\r\nX-Evil: 1", false, false},
    {API, "https://stream.replicate.com:/abc", false, false},
    {API, "https://stream.replicate.com:0/abc", false, false},
    {API, "https://stream.replicate.com:65536/abc", false, false},
    {API, "https://stream.replicate.com:443443/abc", false, false},
    {API, "https://stream.replicate.com:44x/abc", false, false},
    {API, "https://[::1].replicate.com/abc", false, false},
    {API, "https://[::1/abc", false, false},
    {API, "https:/stream.replicate.com/abc", false, false},
    {API, "https://", false, false},
    {API, "//stream.replicate.com/abc", false, false},
    {API, "ftp://stream.replicate.com/abc", false, false},
    {API, "file:///etc/passwd", false, false},
    {API, "javascript:alert(1)", false, false},
    {API, "", false, false},
    {"https://user@api.replicate.com/v1", "https://user@api.replicate.com/v1/streams/abc", false, false},
};

START_TEST(a_stream_is_read_from_replicate_alone_and_the_token_goes_to_the_api_alone)
{
    ck_assert_msg(is_trusted(rows[_i].base, rows[_i].url) == rows[_i].is_trusted, "%s", rows[_i].url);
    ck_assert_msg(api_is_own_origin(job, rows[_i].url) == rows[_i].gets_token, "%s", rows[_i].url);
}
END_TEST

START_TEST(a_host_that_is_too_long_is_refused)
{
    char url[400];
    snprintf(url, sizeof url, "https://%0300d.replicate.com/abc", 0);
    ck_assert(!is_trusted(API, url));
}
END_TEST

static void parse(const char *json)
{
    struct error err;
    ck_assert(api_prediction_parse(json, strlen(json), "test-token", &prediction, &err));
}

START_TEST(a_stream_url_is_read_whole_or_not_at_all)
{
    char json[2000];
    /* One character less than the room there is, and as many. */
    snprintf(json, sizeof json, "{\"id\":\"a\",\"status\":\"starting\",\"urls\":{\"stream\":\"%0*d\"}}",
             API_STREAM_URL_BYTES - 1 + _i, 0);
    parse(json);
    ck_assert_uint_eq(strlen(prediction.stream_url), _i == 0 ? API_STREAM_URL_BYTES - 1 : 0);
}
END_TEST

static const char *const without_stream[] = {
    "{\"id\":\"a\",\"status\":\"starting\"}",
    "{\"id\":\"a\",\"status\":\"starting\",\"urls\":null}",
    "{\"id\":\"a\",\"status\":\"starting\",\"urls\":[\"stream\"]}",
    "{\"id\":\"a\",\"status\":\"starting\",\"urls\":{\"stream\":7}}",
    "{\"id\":\"a\",\"status\":\"starting\",\"urls\":{\"stream\":null}}",
};

START_TEST(a_prediction_without_a_stream_url_is_still_one)
{
    parse(without_stream[_i]);
    ck_assert_str_eq(prediction.stream_url, "");
}
END_TEST

static const struct {
    const char *data, *text;
} error_rows[] = {
    {"{\"detail\":\"out of memory\"}", "out of memory"},
    {"out of memory", "out of memory"},
    {"{\"detail\":null}", "{\"detail\":null}"},
    {"the key test-token is bad", NULL}, /* masked */
    {"", ""},
    {"7", "7"},
};

START_TEST(an_error_event_is_quoted_whether_it_is_json_or_text)
{
    char out[512], masked[64];
    const char *data = error_rows[_i].data;
    api_stream_error_text(data, strlen(data), "test-token", out);
    if (error_rows[_i].text != NULL) {
        ck_assert_str_eq(out, error_rows[_i].text);
        return;
    }
    error_quote(masked, sizeof masked, data, strlen(data), "test-token");
    ck_assert_str_eq(out, masked);
    ck_assert_ptr_null(strstr(out, "test-token"));
}
END_TEST

START_TEST(ids_are_compared_as_numbers)
{
    static const struct {
        const char *id, *other;
        bool is_after;
    } ids[] = {
        {"10:0", "9:5", true}, {"9:10", "9:9", true},  {"9:9", "9:9", false},
        {"9:8", "9:9", false}, {"8:99", "9:0", false},
    };
    for (int i = 0; i < ROWS(ids); i++) {
        struct api_event_id id, other;
        ck_assert(api_event_id_parse(ids[i].id, &id) && api_event_id_parse(ids[i].other, &other));
        ck_assert_int_eq(api_event_id_is_after(&id, &other), ids[i].is_after);
        ck_assert_str_eq(id.text, ids[i].id);
    }
}
END_TEST

static const char *const strange_ids[] = {"",      "1",    "1:",   ":1",   "a:1",  "1:b",
                                          "1:1:1", "-1:1", "1: 1", "1:1 ", "+1:1", "1234567890123456789:0"};

START_TEST(an_id_of_another_form_is_told_apart)
{
    struct api_event_id id;
    ck_assert(!api_event_id_parse(strange_ids[_i], &id));
}
END_TEST

static Suite *api_stream_suite(void)
{
    Suite *suite = suite_create("api_stream");
    TCase *tcase = tcase_create("api_stream");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_stream_is_read_from_replicate_alone_and_the_token_goes_to_the_api_alone, 0,
                        ROWS(rows));
    tcase_add_test(tcase, a_host_that_is_too_long_is_refused);
    tcase_add_loop_test(tcase, a_stream_url_is_read_whole_or_not_at_all, 0, 2);
    tcase_add_loop_test(tcase, a_prediction_without_a_stream_url_is_still_one, 0, ROWS(without_stream));
    tcase_add_loop_test(tcase, an_error_event_is_quoted_whether_it_is_json_or_text, 0, ROWS(error_rows));
    tcase_add_test(tcase, ids_are_compared_as_numbers);
    tcase_add_loop_test(tcase, an_id_of_another_form_is_told_apart, 0, ROWS(strange_ids));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(api_stream_suite());
}
