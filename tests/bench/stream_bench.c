/* The benchmark of streams: many at once through the daemon, and beside them as many straight from the simulated
 * Replicate, round by round. It prints figures, and fails only where what arrived is not what was sent: times on a
 * machine that does other things too prove nothing. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "daemon.h"
#include "stream_round.h"

enum { EXIT_WRONG = 1, EXIT_USAGE = 2 };
enum { ROUNDS_MAX = 99, LEAD_MS = 500, RAMP_MAX_MS = 1000, PATIENCE_MS = 30000, REPORT_BYTES = 8192 };
enum way { DIRECT, THROUGH, WAYS };

#define MODEL "bench/writer"
#define ALIAS "writer"
#define RESULT_FOLDER BUILD_DIR "/bench"
#define RESULT_FILE RESULT_FOLDER "/stream.json"

static const char *const way_names[WAYS] = {"direct", "replibridge"};

struct settings {
    int streams, pieces_per_second, seconds, rounds, workers;
};

struct bench {
    struct settings settings;
    struct daemon *simulator, *daemon;
    long idle_rss_kib; /* of the daemon, before its first request */
    struct round_result results[ROUNDS_MAX][WAYS];
};

/* ---- options ---- */

static const struct setting {
    const char *name, *meaning;
    size_t offset;
    int least, most;
} settings_table[] = {
    {"streams", "at once", offsetof(struct settings, streams), 1, 8000},
    {"pieces-per-second", "of each stream; a divisor of 1000", offsetof(struct settings, pieces_per_second), 1, 1000},
    {"seconds", "that each stream lasts", offsetof(struct settings, seconds), 1, 600},
    {"rounds", "of each way, in turn", offsetof(struct settings, rounds), 1, ROUNDS_MAX},
    {"workers", "of the daemon", offsetof(struct settings, workers), 1, 64},
};

enum { SETTING_COUNT = sizeof settings_table / sizeof *settings_table };

static int *setting_value(struct settings *settings, size_t i)
{
    return (int *)(void *)((char *)settings + settings_table[i].offset);
}

static void print_help(struct settings *settings)
{
    printf("usage: stream_bench [options]\n\n"
           "Streams through replibridge and straight from the simulated Replicate, side by side.\n\n");
    for (size_t i = 0; i < SETTING_COUNT; i++)
        printf("  --%-18s N  %s (default %d)\n", settings_table[i].name, settings_table[i].meaning,
               *setting_value(settings, i));
}

static bool read_setting(struct settings *settings, size_t i, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < settings_table[i].least ||
        number > settings_table[i].most)
        return false;
    *setting_value(settings, i) = (int)number;
    return true;
}

static bool read_settings(struct settings *settings, int argc, char **argv)
{
    struct option flags[SETTING_COUNT + 2] = {{0}};
    int index = 0, flag;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        flags[i] = (struct option){settings_table[i].name, required_argument, NULL, 's'};
    flags[SETTING_COUNT] = (struct option){"help", no_argument, NULL, 'h'};
    while ((flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
        if (flag == 'h') {
            print_help(settings);
            exit(EXIT_SUCCESS);
        }
        if (flag != 's' || !read_setting(settings, (size_t)index, optarg))
            return false;
    }
    return optind == argc && 1000 % settings->pieces_per_second == 0;
}

/* ---- the two programs ---- */

/* A stream takes several descriptors, in this process and in those it starts. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What starts the daemon for tests starts any program that says in the same words where it listens. */
static struct daemon *start_simulator(const struct settings *settings)
{
    static const char *const arguments[] = {"--plan", "@CONFIG@", "--creates-per-minute", "0", "--calls-per-minute",
                                            "0",      NULL};
    char *plan = xasprintf("[{\"model\":\"" MODEL "\",\"official\":true,\"stream\":true,\"pieces\":[\"{{words}}\"],"
                           "\"stamp_pieces\":true,\"piece_ms\":%d,\"first_piece_ms\":%d}]",
                           1000 / settings->pieces_per_second, LEAD_MS);
    char *daemon_program = xstrdup(getenv("REPLIBRIDGE"));
    setenv("REPLIBRIDGE", BUILD_DIR "/replicate-sim", 1);
    struct daemon *simulator =
        daemon_start(&(struct daemon_options){.config = plan, .bare = true, .arguments = arguments});
    unsetenv("REPLIBRIDGE");
    if (daemon_program != NULL)
        setenv("REPLIBRIDGE", daemon_program, 1);
    free(daemon_program);
    free(plan);
    return simulator;
}

/* Polls are not what is measured, and the simulator has no limit. */
static struct daemon *start_daemon(const struct settings *settings, int simulator_port)
{
    char *config = xasprintf("workers: %d\nmodels:\n  " ALIAS ": " MODEL "\nreplicate:\n"
                             "  base_url: http://127.0.0.1:%d/v1\n  token: test-token\n  polls_per_minute: 1000000\n"
                             "  creates_per_minute: 1000000\n",
                             settings->workers, simulator_port);
    struct daemon *daemon = daemon_start(&(struct daemon_options){.config = config});
    free(config);
    return daemon;
}

static bool stop(struct daemon **daemon, const char *name)
{
    char report[REPORT_BYTES];
    bool is_fine = daemon_stop(daemon, report, sizeof report);
    if (!is_fine)
        fprintf(stderr, "%s is not as it should be: %s\n", name, report);
    return is_fine;
}

/* ---- rounds ---- */

static void run_round(struct bench *bench, int number, enum way way)
{
    const struct settings *settings = &bench->settings;
    int third_ms = settings->seconds * 1000 / 3;
    int ramp_ms = third_ms < RAMP_MAX_MS ? third_ms : RAMP_MAX_MS;
    struct round_result *result = &bench->results[number][way];
    char name[16];
    snprintf(name, sizeof name, "%c%d", way_names[way][0], number);
    round_run(&(struct round_options){.is_direct = way == DIRECT,
                                      .port = daemon_port(way == DIRECT ? bench->simulator : bench->daemon),
                                      .name = name,
                                      .model = way == DIRECT ? MODEL : ALIAS,
                                      .streams = (size_t)settings->streams,
                                      .pieces = (size_t)(settings->seconds * settings->pieces_per_second),
                                      .ramp_ms = ramp_ms,
                                      .patience_ms = settings->seconds * 1000 + ramp_ms + LEAD_MS + PATIENCE_MS,
                                      .daemon = daemon_pid(bench->daemon),
                                      .simulator = daemon_pid(bench->simulator)},
              result);
    printf("round %d, %-11s: median %.2f ms, 99 %% within %.2f ms, %zu pieces, others took %.0f %% CPU%s%s\n",
           number + 1, way_names[way], result->figures.p50_ms, result->figures.p99_ms, result->good,
           result->figures.others_cpu_percent, round_is_right(result) ? "" : ": WRONG ", result->fault);
    fflush(stdout);
}

/* ---- what comes of them ---- */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of the member of the figures at this offset, over all rounds. */
static double median(const struct bench *bench, enum way way, size_t offset)
{
    double values[ROUNDS_MAX];
    size_t count = (size_t)bench->settings.rounds;
    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&bench->results[i][way].figures + offset, sizeof *values);
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static size_t total(const struct bench *bench, enum way way, size_t offset)
{
    size_t sum = 0, value;
    for (int i = 0; i < bench->settings.rounds; i++) {
        memcpy(&value, (const char *)&bench->results[i][way] + offset, sizeof value);
        sum += value;
    }
    return sum;
}

static const struct figure {
    const char *key, *label;
    size_t offset;
    bool only_through;
} figures_table[] = {
    {"p50_ms", "latency of a piece, median, ms", offsetof(struct stream_figures, p50_ms), false},
    {"p99_ms", "latency of a piece, 99 %, ms", offsetof(struct stream_figures, p99_ms), false},
    {"slowest_ms", "slowest piece, ms", offsetof(struct stream_figures, slowest_ms), false},
    {"slowest_ever_ms", "the same, beginnings and ends too", offsetof(struct stream_figures, slowest_ever_ms), false},
    {"largest_gap_ms", "largest gap between pieces, ms", offsetof(struct stream_figures, largest_gap_ms), false},
    {"daemon_cpu_us", "CPU of the daemon per piece, us", offsetof(struct stream_figures, daemon_cpu_us), true},
    {"simulator_cpu_us", "CPU of the simulator per piece, us", offsetof(struct stream_figures, simulator_cpu_us),
     false},
    {"client_cpu_us", "CPU of this client per piece, us", offsetof(struct stream_figures, client_cpu_us), false},
    {"others_cpu_percent", "CPU of all other processes, %", offsetof(struct stream_figures, others_cpu_percent), false},
    {"daemon_rss_kib", "resident daemon, KiB", offsetof(struct stream_figures, daemon_rss_kib), true},
};

static const struct tally {
    const char *key, *label;
    size_t offset;
} tallies[] = {
    {"good", "pieces delivered", offsetof(struct round_result, good)},
    {"lost", "pieces lost", offsetof(struct round_result, lost)},
    {"doubled", "pieces doubled", offsetof(struct round_result, doubled)},
    {"garbled", "pieces garbled", offsetof(struct round_result, garbled)},
    {"faulty", "streams with another fault", offsetof(struct round_result, faulty)},
};

enum { FIGURE_COUNT = sizeof figures_table / sizeof *figures_table, TALLY_COUNT = sizeof tallies / sizeof *tallies };

static void print_table(const struct bench *bench)
{
    const struct settings *settings = &bench->settings;
    printf("\n%d streams of %d pieces/s for %d s, %d workers; medians of %d round%s\n", settings->streams,
           settings->pieces_per_second, settings->seconds, settings->workers, settings->rounds,
           settings->rounds == 1 ? "" : "s");
    printf("%-36s %12s %12s\n", "", way_names[DIRECT], way_names[THROUGH]);
    for (const struct figure *figure = figures_table; figure < figures_table + FIGURE_COUNT; figure++) {
        double through = median(bench, THROUGH, figure->offset);
        if (figure->only_through)
            printf("%-36s %12s %12.2f\n", figure->label, "-", through);
        else
            printf("%-36s %12.2f %12.2f\n", figure->label, median(bench, DIRECT, figure->offset), through);
    }
    /* The first round says it: memory once used is not given back. */
    printf("%-36s %12s %12.2f\n", "resident per stream, KiB", "-",
           (bench->results[0][THROUGH].figures.daemon_rss_kib - (double)bench->idle_rss_kib) / settings->streams);
    for (const struct tally *tally = tallies; tally < tallies + TALLY_COUNT; tally++)
        printf("%-36s %12zu %12zu\n", tally->label, total(bench, DIRECT, tally->offset),
               total(bench, THROUGH, tally->offset));
}

static json_t *round_json(const struct round_result *result, int number, enum way way)
{
    json_t *object = json_object();
    json_object_set_new(object, "round", json_integer(number + 1));
    json_object_set_new(object, "way", json_string(way_names[way]));
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        double value;
        memcpy(&value, (const char *)&result->figures + figures_table[i].offset, sizeof value);
        json_object_set_new(object, figures_table[i].key, json_real(value));
    }
    json_object_set_new(object, "steady_s", json_real(result->figures.steady_s));
    json_object_set_new(object, "steady_pieces", json_real(result->figures.steady_pieces));
    for (size_t i = 0; i < TALLY_COUNT; i++) {
        size_t value;
        memcpy(&value, (const char *)result + tallies[i].offset, sizeof value);
        json_object_set_new(object, tallies[i].key, json_integer((json_int_t)value));
    }
    return object;
}

static bool write_result(struct bench *bench)
{
    json_t *object = json_object(), *rounds = json_array();
    for (size_t i = 0; i < SETTING_COUNT; i++)
        json_object_set_new(object, settings_table[i].name, json_integer(*setting_value(&bench->settings, i)));
    json_object_set_new(object, "idle_rss_kib", json_integer(bench->idle_rss_kib));
    for (int i = 0; i < bench->settings.rounds; i++)
        for (enum way way = DIRECT; way < WAYS; way++)
            json_array_append_new(rounds, round_json(&bench->results[i][way], i, way));
    json_object_set_new(object, "rounds", rounds);

    struct buf text;
    buf_init(&text, 1024 * 1024);
    bool is_written = json_append(&text, object) && buf_append_text(&text, "\n");
    json_decref(object);
    (void)mkdir(RESULT_FOLDER, 0777);
    FILE *file = fopen(RESULT_FILE, "we");
    if (file != NULL) {
        is_written = fwrite(buf_text(&text), 1, text.length, file) == text.length && is_written;
        is_written = fclose(file) == 0 && is_written;
    }
    buf_dispose(&text);
    return file != NULL && is_written;
}

static bool is_all_right(const struct bench *bench)
{
    for (int i = 0; i < bench->settings.rounds; i++)
        for (enum way way = DIRECT; way < WAYS; way++)
            if (!round_is_right(&bench->results[i][way]))
                return false;
    return true;
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .settings = {.streams = 1000, .pieces_per_second = 20, .seconds = 10, .rounds = 3, .workers = 2}};
    if (!read_settings(&bench.settings, argc, argv)) {
        fprintf(stderr, "stream_bench: an option or its value is wrong; see --help.\n");
        return EXIT_USAGE;
    }
    raise_descriptor_limit();
    bench.simulator = start_simulator(&bench.settings);
    bench.daemon = bench.simulator == NULL ? NULL : start_daemon(&bench.settings, daemon_port(bench.simulator));
    if (bench.daemon == NULL) {
        daemon_kill(&bench.simulator);
        return EXIT_WRONG;
    }
    bench.idle_rss_kib = daemon_rss_kib(bench.daemon);
    for (int i = 0; i < bench.settings.rounds; i++)
        for (enum way way = DIRECT; way < WAYS; way++)
            run_round(&bench, i, way);
    bool is_fine = stop(&bench.daemon, "replibridge");
    is_fine = stop(&bench.simulator, "The simulated Replicate") && is_fine;
    print_table(&bench);
    if (write_result(&bench))
        printf("\nEach round's figures are in %s.\n", RESULT_FILE);
    else
        fprintf(stderr, "%s could not be written: %s\n", RESULT_FILE, strerror(errno));
    return is_fine && is_all_right(&bench) ? EXIT_SUCCESS : EXIT_WRONG;
}
