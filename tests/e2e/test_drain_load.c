/* The end, and reloads, in the middle of a crowd: every stream and every waiting request that the program has accepted
 * comes to its own whole answer. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STREAMS = 100, WAITS = 100 };
#else
enum { STREAMS = 500, WAITS = 500 };
#endif

enum { REPEATS = 15, TEXT_MAX_BYTES = 4096, DESCRIPTORS = 8192 };

static const char *const pieces[] = {SIM_PROMPT, " \xe2\x82\xac", " so", "\n"};

static struct bridge bridge;
static struct stream_client clients[STREAMS + WAITS]; /* the streams first */
static pid_t signaller;

static void stop_signaller(void)
{
    if (signaller > 0) {
        kill(signaller, SIGKILL);
        waitpid(signaller, NULL, 0);
    }
    signaller = 0;
}

static void tear_down(void)
{
    stop_signaller();
    for (size_t i = 0; i < STREAMS + WAITS; i++)
        stream_dispose(&clients[i]);
    bridge_stop(&bridge);
}

/* ---- the crowd ---- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* `teller` streams for three seconds; `thinker` boots and runs as long. */
static char *config(const char *more)
{
    return xasprintf("workers: 2\nmodels: {teller: acme/teller, thinker: acme/thinker%s}\nread_schema: false\n"
                     "drain_timeout: 60s\nreplicate: {base_url: \"%s\", token: test-token, polls_per_minute: 60000, "
                     "creates_per_minute: 60000}\n",
                     more, replicate_sim_base_url(bridge.sim));
}

static void start(void)
{
    raise_descriptor_limit();
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/teller",
                                                      .official = true,
                                                      .pieces = pieces,
                                                      .piece_count = sizeof pieces / sizeof *pieces,
                                                      .repeat_pieces = REPEATS,
                                                      .piece_ms = 50,
                                                      .stream.offered = true});
    replicate_sim_plan(bridge.sim,
                       &(struct sim_plan){.model = "acme/thinker", .official = true, .boot_ms = 2000, .run_ms = 1000});
    char *text = config("");
    chat_case_start(&bridge, text);
    free(text);
}

static void begin(size_t i)
{
    char prompt[32];
    snprintf(prompt, sizeof prompt, "nonce-%zu.", i * 7919);
    char *body = bridge_chat_body(i < STREAMS ? "teller" : "thinker", prompt, i < STREAMS ? ",\"stream\":true" : "");
    ck_assert(
        stream_open(&clients[i], bridge.port, &(struct http_request){.path = "/v1/chat/completions", .body = body}));
    free(body);
}

static void expect_own_answer(size_t i)
{
    char name[32], prompt[32];
    struct buf text;
    snprintf(name, sizeof name, "client %zu", i);
    snprintf(prompt, sizeof prompt, "nonce-%zu.", i * 7919);
    if (i >= STREAMS) {
        ck_assert_msg(clients[i].progress == STREAM_OVER, "%s has no whole answer", name);
        ck_assert_msg(clients[i].answer.status == 200, "%s: status %d: %.300s", name, clients[i].answer.status,
                      clients[i].answer.body);
        ck_assert_msg(strstr(clients[i].answer.body, prompt) != NULL, "%s was given another one's answer", name);
        return;
    }
    buf_init(&text, TEXT_MAX_BYTES);
    for (int repeat = 0; repeat < REPEATS; repeat++)
        buf_printf(&text, "%s \xe2\x82\xac so\n", prompt);
    chat_stream_expect_text(&clients[i], name, buf_text(&text));
    buf_dispose(&text);
}

/* ---- the end ---- */

START_TEST(a_drain_loses_none_of_a_crowd)
{
    struct sim_counters counters;
    start();
    for (size_t i = 0; i < STREAMS + WAITS; i++)
        begin(i);
    ck_assert(replicate_sim_wait_created(bridge.sim, STREAMS + WAITS, 2 * daemon_patience_ms()));
    ck_assert(stream_read_until(&clients[STREAMS - 1], "nonce", daemon_patience_ms()));
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    stream_read_all(clients, STREAMS + WAITS, 3 * daemon_patience_ms());
    for (size_t i = 0; i < STREAMS + WAITS; i++)
        expect_own_answer(i);
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.succeeded, STREAMS + WAITS);
    ck_assert_uint_eq(counters.cancel_calls, 0);
    /* They were in the middle of it: or this shows nothing. */
    ck_assert(daemon_log_contains(bridge.daemon, "draining"));
}
END_TEST

/* ---- reloads ---- */

/* A process of its own, because the test's one thread is busy with the crowd. */
static void signal_again_and_again(pid_t target)
{
    enum { PAUSE_MS = 100 };
    pid_t parent = getpid();
    signaller = fork();
    ensure(signaller >= 0);
    if (signaller > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent && kill(target, SIGHUP) == 0)
        poll(NULL, 0, PAUSE_MS);
    _exit(0);
}

/* A tenth of the crowd, again and again, until the time is over; how many there were. */
static size_t serve_crowds(int64_t duration_ms, void (*each_round)(size_t number))
{
    enum { STREAMED = STREAMS / 10, WAITING = WAITS / 10 };
    int64_t deadline_ms = clock_now_ms() + duration_ms;
    size_t served = 0;
    for (size_t round = 0; clock_now_ms() < deadline_ms; round++) {
        each_round(round);
        for (size_t i = 0; i < STREAMED; i++)
            begin(i);
        for (size_t i = STREAMS; i < STREAMS + WAITING; i++)
            begin(i);
        stream_read_all(clients, STREAMED, 2 * daemon_patience_ms());
        stream_read_all(clients + STREAMS, WAITING, 2 * daemon_patience_ms());
        for (size_t i = 0; i < STREAMS + WAITING; i++) {
            if (clients[i].connection == NULL)
                continue;
            expect_own_answer(i);
            stream_dispose(&clients[i]);
            served++;
        }
    }
    return served;
}

static void write_good_file(size_t round)
{
    char more[64];
    snprintf(more, sizeof more, ", another-%zu: acme/teller", round);
    char *text = config(more);
    ck_assert(daemon_write_config(bridge.daemon, text));
    free(text);
}

static void write_bad_file(size_t round)
{
    static const char *const files[] = {"models: [\n", "", "models: {teller: acme/other, thinker: 17, 18: x}\n",
                                        "workers: many\nmodels: {teller: acme/other}\n"};
    ck_assert(daemon_write_config(bridge.daemon, files[round % 4]));
}

static void reload_under_load(int64_t duration_ms, void (*each_round)(size_t number), const char *metric)
{
    struct sim_counters counters;
    start();
    daemon_allow_error(bridge.daemon, "reload_failed");
    signal_again_and_again(daemon_pid(bridge.daemon));
    size_t served = serve_crowds(duration_ms, each_round);
    stop_signaller();
    long reloads = bridge_metric(&bridge, metric); /* the log leaves out what is said too often */
    ck_assert_msg(reloads >= duration_ms / 300, "%s is only %ld", metric, reloads);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.succeeded, served);
    ck_assert_uint_eq(counters.created, served);
}

static void (*const files[])(size_t) = {write_good_file, write_bad_file};
static const char *const metrics[] = {"replibridge_config_reloads_total{result=\"success\"}",
                                      "replibridge_config_reloads_total{result=\"failure\"}"};

START_TEST(reloads_lose_none_of_a_crowd)
{
    reload_under_load(3000, files[_i], metrics[_i]);
}
END_TEST

START_TEST(reloads_for_half_a_minute_lose_none_of_a_crowd)
{
    reload_under_load(30000, files[_i], metrics[_i]);
}
END_TEST

static Suite *drain_load_suite(void)
{
    Suite *suite = suite_create("drain and reload under load");
    TCase *tcase = tcase_create("a crowd");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_drain_loses_none_of_a_crowd);
    tcase_add_loop_test(tcase, reloads_lose_none_of_a_crowd, 0, 2);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("slow");
    tcase_set_tags(tcase, "slow");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, reloads_for_half_a_minute_lose_none_of_a_crowd, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(drain_load_suite());
}
