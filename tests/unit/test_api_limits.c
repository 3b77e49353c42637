/* What Replicate's answers say about limits and times: the rate in a refusal, and when a prediction ran and ended. */
#include <string.h>

#include "check_main.h"
#include "replicate/api.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

#define THROTTLED(words) "{\"detail\":\"Request was throttled. " words "\",\"status\":429,\"retry_after\":5}"

static const struct {
    const char *body;
    int64_t per_minute, burst;
} rates[] = {
    {THROTTLED(
         "Your rate limit for creating predictions is reduced to 6 requests per minute with a burst of 1 requests "
         "while you have less than $5.0 in credit. Your rate limit resets in ~5s."),
     6, 1},
    {THROTTLED("Your rate limit for creating predictions is reduced to 60 requests per minute with a burst of 10 "
               "requests until you add a payment method."),
     60, 10},
    {THROTTLED("Your rate limit for creating predictions is 600 requests per minute."), 600, 0},
    {THROTTLED("Your rate limit resets in ~30s."), 0, 0},
    {"{\"detail\":\"Request was throttled. Expected available in 1 second.\"}", 0, 0},
    {"{\"detail\":\" requests per minute with a burst of many\"}", 0, 0},
    {"{\"detail\":\"burst of \"}", 0, 0},
    {"{\"detail\":\"99999999999999999999999 requests per minute with a burst of 99999999999999999999\"}", 1000000,
     1000000},
    {"{\"detail\":\"-7 requests per minute, burst of -7\"}", 7, 0},
    {"{\"detail\":7}", 0, 0},
    {"[]", 0, 0},
    {"<html>6 requests per minute</html>", 0, 0},
    {"", 0, 0},
};

START_TEST(a_refusal_may_name_the_rate_and_the_burst)
{
    int64_t per_minute = -1, burst = -1;
    api_told_rate(rates[_i].body, strlen(rates[_i].body), &per_minute, &burst);
    ck_assert_int_eq(per_minute, rates[_i].per_minute);
    ck_assert_int_eq(burst, rates[_i].burst);
}
END_TEST

#define PREDICTION(times) "{\"id\":\"abc\",\"status\":\"succeeded\"" times "}"
#define CREATED ",\"created_at\":\"2026-02-28T23:59:59.900Z\""

static const struct {
    const char *body;
    int64_t ran_after_ms, ended_after_ms;
} times[] = {
    {PREDICTION(CREATED ",\"started_at\":\"2026-03-01T00:00:00.123456789Z\","
                        "\"completed_at\":\"2026-03-01T00:01:00Z\""),
     223, 60100},
    {PREDICTION(CREATED ",\"started_at\":\"2026-03-01T00:00:00+00:00\",\"completed_at\":null"), 100, -1},
    {PREDICTION(CREATED ",\"started_at\":\"\",\"completed_at\":7"), -1, -1},
    {PREDICTION(CREATED ",\"started_at\":\"2026-02-28T23:59:59.899Z\",\"completed_at\":\"2026-02-28T23:59:59.9Z\""), -1,
     0},
    {PREDICTION(CREATED ",\"started_at\":\"2026-03-01T00:00:00+02:00\",\"completed_at\":\"2026-03-01 00:00:00Z\""), -1,
     -1},
    {PREDICTION(CREATED ",\"started_at\":\"2026-03-01T00:00:00\",\"completed_at\":\"yesterday\""), -1, -1},
    {PREDICTION(",\"started_at\":\"2026-03-01T00:00:00Z\",\"completed_at\":\"2026-03-01T00:00:00Z\""), -1, -1},
    {PREDICTION(""), -1, -1},
};

START_TEST(a_prediction_may_tell_when_it_ran_and_ended)
{
    struct api_prediction prediction;
    struct error err = {0};
    ck_assert(api_prediction_parse(times[_i].body, strlen(times[_i].body), "test-token", &prediction, &err));
    ck_assert_int_eq(prediction.ran_after_ms, times[_i].ran_after_ms);
    ck_assert_int_eq(prediction.ended_after_ms, times[_i].ended_after_ms);
    api_prediction_dispose(&prediction);
}
END_TEST

static Suite *api_limits_suite(void)
{
    Suite *suite = suite_create("api_limits");
    TCase *tcase = tcase_create("limits and times");
    tcase_add_loop_test(tcase, a_refusal_may_name_the_rate_and_the_burst, 0, ROWS(rates));
    tcase_add_loop_test(tcase, a_prediction_may_tell_when_it_ran_and_ended, 0, ROWS(times));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(api_limits_suite());
}
