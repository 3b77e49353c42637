/* The soak: the program under clients of every manner, in front of a Replicate with faults of every kind, for as long
 * as one likes. At the end nothing may be left: every request answered or broken off by its client, every prediction
 * ended, no descriptor and no memory kept.
 *
 *     soak --seconds 600                 for ten minutes
 *     soak --requests 1000 --rounds 10   a thousand requests, ten times over, judged each time
 *     soak --seed 17                     the same choices again, as far as time lets them */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/ensure.h"
#include "daemon.h"
#include "http_client_int.h"
#include "prometheus.h"
#include "soak_client.h"

enum { EXIT_WRONG = 1, EXIT_USAGE = 2 };
enum {
    STRIKE_EVERY_MS = 100,
    REPORT_EVERY_MS = 10 * 1000,
    TURN_MS = 5,
    WARM_UP_SHARE = 5,           /* of the time; then is measured what the end is compared with */
    SETTLE_MS = 90 * 1000,       /* longer than anything may take that was begun */
    SILENCE_FROM_MS = 60 * 1000, /* shorter soaks do without a fault that takes half a minute */
    DESCRIPTORS_SPARE = 24,
    CLIENTS_MAX = 1000,
    SANITIZER_SPARE_KIB = 96 * 1024,
    SPARE_KIB = 8 * 1024,
    REPORT_BYTES = 8192,
};

struct settings {
    int seconds, requests, rounds, clients;
    uint64_t seed;
};

struct soak {
    struct settings settings;
    struct replicate_sim *sim;
    struct daemon *daemon;
    struct soak_random random;
    struct soak_tally tally;
    struct soak_faults faults;
    struct soak_client clients[CLIENTS_MAX];
    int64_t began_ms, strikes_at_ms, reports_at_ms;
    size_t own_requests; /* made at rest, to see what is let go */
    long idle_descriptors, warm_kib;
    bool is_wrong;
};

/* ---- options ---- */

static void print_help(void)
{
    printf("usage: soak [--seconds N | --requests N [--rounds N]] [--clients N] [--seed N]\n\n"
           "  --seconds N   how long (default 60)\n"
           "  --requests N  instead: so many requests a round\n"
           "  --rounds N    of so many requests (default 1)\n"
           "  --clients N   at the same time (default 60)\n"
           "  --seed N      of all choices (default: the time)\n");
}

static bool read_number(const char *text, long least, long most, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= most;
}

static bool read_settings(struct settings *settings, int argc, char **argv)
{
    static const struct option flags[] = {
        {"seconds", required_argument, NULL, 's'},
        {"requests", required_argument, NULL, 'r'},
        {"rounds", required_argument, NULL, 'n'},
        {"clients", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 'x'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int flag;
    long number;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        if (flag == '?' || !read_number(optarg, 1, flag == 'c' ? CLIENTS_MAX : 100 * 1000 * 1000, &number))
            return false;
        if (flag == 'x')
            settings->seed = (uint64_t)number;
        else
            *(flag == 's'   ? &settings->seconds
              : flag == 'r' ? &settings->requests
              : flag == 'n' ? &settings->rounds
                            : &settings->clients) = (int)number;
    }
    return optind == argc;
}

/* ---- what goes wrong ---- */

static void complain(struct soak *soak, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct soak *soak, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("WRONG: ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    soak->is_wrong = true;
}

/* Under a sanitizer all is slower, and freed memory is kept for a while. */
static bool is_sanitized(void)
{
    enum { USUAL_PATIENCE_MS = 10000 };
    return daemon_patience_ms() > USUAL_PATIENCE_MS;
}

/* ---- the two programs ---- */

static char *make_config(const struct soak *soak)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    buf_printf(&out,
               "workers: 2\ntimeout: 12s\ngrace: 3s\nkeepalive: 1s\nwrite_timeout: 30s\nread_timeout: 30s\n"
               "log: {level: warn}\n"
               "replicate: {base_url: \"%s\", token: test-token, polls_per_minute: 1000000, creates_per_minute: "
               "1000000, poll_interval: 500ms}\n"
               "models:\n",
               replicate_sim_base_url(soak->sim));
    for (size_t i = 0; i < soak_model_count(); i++)
        buf_printf(&out, "  %s: acme/%s\n", soak_model(i)->name, soak_model(i)->name);
    return buf_take(&out, NULL);
}

/* Freed memory that a sanitizer keeps must not look like a leak. */
static void start_programs(struct soak *soak)
{
    setenv("ASAN_OPTIONS", "detect_leaks=1:quarantine_size_mb=16", 0);
    soak->sim =
        replicate_sim_start(&(struct replicate_sim_options){.request_limit = -1, .allow_open_connections = true});
    soak_plan_models(soak->sim);
    replicate_sim_expect(soak->sim, SIM_EXPECT_DEADLINE, SIM_FOREVER);
    replicate_sim_expect(soak->sim, SIM_EXPECT_OPEN_STREAMS, SIM_FOREVER);
    replicate_sim_expect(soak->sim, SIM_EXPECT_FILES, SIM_FOREVER);
    replicate_sim_expect(soak->sim, SIM_EXPECT_UNKNOWN_PATH, SIM_FOREVER);
    replicate_sim_expect(soak->sim, SIM_EXPECT_INVALID, SIM_FOREVER);
    char *config = make_config(soak);
    soak->daemon = daemon_start(&(struct daemon_options){.config = config});
    free(config);
}

/* A gauge or counter of the program's; -1 when it does not say. */
static long metric(const struct soak *soak, const char *name)
{
    struct http_response response = {0};
    long value = -1;
    http_exchange(daemon_port(soak->daemon), &(struct http_request){.path = "/metrics"}, &response,
                  daemon_patience_ms());
    if (response.body != NULL)
        value = (long)prometheus_value(response.body, name);
    http_response_dispose(&response);
    return value;
}

/* ---- under way ---- */

static size_t begun(const struct soak *soak)
{
    size_t sum = 0;
    for (int manner = 0; manner < SOAK_MANNER_COUNT; manner++)
        sum += soak->tally.begun[manner];
    return sum;
}

/* Waits a moment for something to read, and lets everybody do what is due. */
static void turn_clients(struct soak *soak)
{
    struct pollfd polled[CLIENTS_MAX];
    int count = soak->settings.clients;
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = soak_client_descriptor(&soak->clients[i]), .events = POLLIN};
    poll(polled, (nfds_t)count, TURN_MS);
    for (int i = 0; i < count; i++)
        soak_client_turn(&soak->clients[i], polled[i].revents != 0);
}

static void report_progress(struct soak *soak)
{
    int64_t now_ms = http_now_ms();
    if (now_ms < soak->reports_at_ms)
        return;
    soak->reports_at_ms = now_ms + REPORT_EVERY_MS;
    printf("%4lld s: %zu requests, %zu tries, %zu answered, %zu broken off, %zu wrong; %zu faults; %ld KiB, %ld "
           "descriptors\n",
           (long long)(now_ms - soak->began_ms) / 1000, begun(soak), soak->tally.tries, soak->tally.answered,
           soak->tally.broken_off, soak->tally.wrong, soak->faults.struck, daemon_rss_kib(soak->daemon),
           daemon_descriptors(soak->daemon));
    fflush(stdout);
}

/* Until the time, or so many requests, whichever is given (0 = not). */
static void keep_busy(struct soak *soak, int64_t until_ms, size_t until_begun)
{
    while ((until_ms == 0 || http_now_ms() < until_ms) && (until_begun == 0 || begun(soak) < until_begun)) {
        for (int i = 0; i < soak->settings.clients; i++)
            soak_client_begin(&soak->clients[i]);
        turn_clients(soak);
        if (http_now_ms() >= soak->strikes_at_ms) {
            soak_strike(soak->sim, &soak->faults, &soak->random);
            soak->strikes_at_ms = http_now_ms() + STRIKE_EVERY_MS;
        }
        report_progress(soak);
    }
}

/* ---- at rest ---- */

static bool is_anybody_busy(const struct soak *soak)
{
    for (int i = 0; i < soak->settings.clients; i++)
        if (soak_client_is_busy(&soak->clients[i]))
            return true;
    return false;
}

static void expect_gauge(struct soak *soak, const char *name)
{
    int64_t deadline_ms = http_now_ms() + SETTLE_MS;
    long value = metric(soak, name);
    while (value != 0 && http_now_ms() < deadline_ms) {
        poll(NULL, 0, TURN_MS);
        value = metric(soak, name);
    }
    if (value != 0)
        complain(soak, "%s stays at %ld", name, value);
}

/* The kept connections to Replicate are let go when it closes them and the next one is opened, by each worker. */
static long settled_descriptors(struct soak *soak, long at_most)
{
    static const char body[] = "{\"model\":\"quick\",\"messages\":[{\"role\":\"user\",\"content\":\"rest\"}]}";
    int64_t deadline_ms = http_now_ms() + SETTLE_MS / 3;
    long now = at_most + 1;
    while (now > at_most && http_now_ms() < deadline_ms) {
        struct http_response response = {0};
        replicate_sim_fault(soak->sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE});
        replicate_sim_clear_faults(soak->sim);
        http_exchange(daemon_port(soak->daemon), &(struct http_request){.path = "/v1/chat/completions", .body = body},
                      &response, daemon_patience_ms());
        http_response_dispose(&response);
        soak->own_requests++;
        now = daemon_descriptors(soak->daemon);
    }
    return now;
}

/* What was created came to an end; and what Replicate had to end itself is explained by a create whose answer was lost,
 * a deadline, which is Replicate's too, or a cancel that found no ear. */
static void judge_predictions(struct soak *soak)
{
    struct sim_counters counters;
    replicate_sim_counters(soak->sim, &counters);
    size_t orphans = counters.aborted + counters.deadline_canceled;
    size_t explained = soak->faults.lost_creates + soak->tally.by_status[504] + soak->tally.late_errors +
                       (size_t)daemon_log_count(soak->daemon, "cancel_given_up");
    printf("predictions: %zu created = %zu succeeded + %zu failed + %zu cancelled + %zu ended by Cancel-After; %zu "
           "running; %zu files of %zu left\n",
           counters.created, counters.succeeded, counters.failed, counters.cancelled, orphans, counters.running,
           counters.files_open, counters.files_uploaded);
    if (counters.running > 0)
        complain(soak, "%zu predictions run on", counters.running);
    if (counters.created != counters.succeeded + counters.failed + counters.cancelled + orphans)
        complain(soak, "predictions got lost");
    if (orphans > explained)
        complain(soak, "%zu orphans, of which at most %zu are explained", orphans, explained);
}

static void judge_answers(struct soak *soak)
{
    const struct soak_tally *tally = &soak->tally;
    struct sim_counters counters;
    replicate_sim_counters(soak->sim, &counters);
    if (tally->tries != tally->answered + tally->broken_off + tally->untaken)
        complain(soak, "of %zu tries %zu were answered and %zu broken off by their clients", tally->tries,
                 tally->answered, tally->broken_off);
    if (tally->wrong > 0)
        complain(soak, "%zu answers, such as: %s", tally->wrong, tally->example);
    /* Retries join the prediction of their first try: there is none more than there were requests. */
    size_t wanted = begun(soak) - tally->begun[SOAK_MALFORMED] + soak->own_requests;
    if (counters.created > wanted)
        complain(soak, "%zu predictions for %zu requests: something was bought twice", counters.created, wanted);
    printf("answers:");
    for (size_t status = 0; status < sizeof tally->by_status / sizeof *tally->by_status; status++)
        if (tally->by_status[status] > 0)
            printf(" %zu of %zu,", tally->by_status[status], status);
    printf(" %zu streams with an error at their end; %ld retries joined their first try\n", tally->late_errors,
           metric(soak, "replibridge_retries_joined_total"));
}

static void judge_resources(struct soak *soak)
{
    long at_most = soak->idle_descriptors + DESCRIPTORS_SPARE, descriptors = settled_descriptors(soak, at_most);
    long kib = daemon_rss_kib(soak->daemon);
    printf("resources: %ld descriptors (%ld at the start), %ld KiB (%ld warm)\n", descriptors, soak->idle_descriptors,
           kib, soak->warm_kib);
    if (descriptors < 0 || descriptors > at_most)
        complain(soak, "%ld descriptors are open, %ld were at the start", descriptors, soak->idle_descriptors);
    if (soak->warm_kib == 0)
        soak->warm_kib = kib;
    if (kib > soak->warm_kib + soak->warm_kib / 4 + (is_sanitized() ? SANITIZER_SPARE_KIB : SPARE_KIB))
        complain(soak, "memory grew from %ld to %ld KiB", soak->warm_kib, kib);
}

static void come_to_rest(struct soak *soak)
{
    replicate_sim_clear_faults(soak->sim);
    while (is_anybody_busy(soak))
        turn_clients(soak);
    if (!replicate_sim_wait_idle(soak->sim, SETTLE_MS))
        complain(soak, "predictions run on");
    expect_gauge(soak, "replibridge_requests_in_flight");
    expect_gauge(soak, "replibridge_predictions");
    expect_gauge(soak, "replibridge_transfers");
    judge_answers(soak);
    judge_predictions(soak);
    judge_resources(soak);
    fflush(stdout);
}

/* ---- the whole ---- */

static void run(struct soak *soak)
{
    const struct settings *settings = &soak->settings;
    if (settings->requests == 0) {
        int64_t whole_ms = settings->seconds * INT64_C(1000), warm_ms = whole_ms / WARM_UP_SHARE;
        soak->faults.with_silence = whole_ms >= SILENCE_FROM_MS;
        keep_busy(soak, http_now_ms() + warm_ms, 0);
        come_to_rest(soak);
        keep_busy(soak, http_now_ms() + whole_ms - warm_ms, 0);
        come_to_rest(soak);
        return;
    }
    for (int round = 0; round < settings->rounds && !soak->is_wrong; round++) {
        printf("round %d\n", round + 1);
        keep_busy(soak, 0, begun(soak) + (size_t)settings->requests);
        come_to_rest(soak);
    }
}

static void stop_programs(struct soak *soak)
{
    char report[REPORT_BYTES], sim_report[SIM_REPORT_BYTES];
    if (!daemon_stop(&soak->daemon, report, sizeof report))
        complain(soak, "the program: %s", report);
    if (!replicate_sim_stop(&soak->sim, sim_report, sizeof sim_report))
        complain(soak, "the simulated Replicate: %s", sim_report);
}

int main(int argc, char **argv)
{
    static struct soak soak = {.settings = {.seconds = 60, .rounds = 1, .clients = 60}};
    soak.settings.seed = (uint64_t)time(NULL);
    if (!read_settings(&soak.settings, argc, argv)) {
        fprintf(stderr, "soak: an option or its value is wrong; see --help.\n");
        return EXIT_USAGE;
    }
    printf("soak with --seed %llu and %d clients\n", (unsigned long long)soak.settings.seed, soak.settings.clients);
    soak.random.state = soak.settings.seed;
    start_programs(&soak);
    if (soak.daemon == NULL)
        return EXIT_WRONG;
    soak.idle_descriptors = daemon_descriptors(soak.daemon);
    soak.began_ms = http_now_ms();
    for (int i = 0; i < soak.settings.clients; i++)
        soak_client_init(&soak.clients[i], daemon_port(soak.daemon), &soak.random, &soak.tally);
    run(&soak);
    for (int i = 0; i < soak.settings.clients; i++)
        soak_client_dispose(&soak.clients[i]);
    stop_programs(&soak);
    printf(soak.is_wrong ? "not as it should be (--seed %llu)\n" : "all is as it should be (--seed %llu)\n",
           (unsigned long long)soak.settings.seed);
    return soak.is_wrong ? EXIT_WRONG : EXIT_SUCCESS;
}
