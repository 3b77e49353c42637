/* The program `replicate-sim`: the simulated Replicate as a server, for demonstrations and benchmarks. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replicate_sim.h"

enum { EXIT_USAGE = 2, DEFAULT_BOOT_MS = 6000, DEFAULT_RUN_MS = 1000 };

struct arguments {
    int port, creates_per_minute, calls_per_minute, boot_ms, run_ms;
    const char *plans, *token;
};

static const struct option flags[] = {
    {"port", required_argument, NULL, 'p'},
    {"plan", required_argument, NULL, 'f'},
    {"boot", required_argument, NULL, 'b'},
    {"run", required_argument, NULL, 'r'},
    {"token", required_argument, NULL, 't'},
    {"creates-per-minute", required_argument, NULL, 'c'},
    {"calls-per-minute", required_argument, NULL, 'g'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    printf("usage: replicate-sim [options]\n\n"
           "Serves Replicate's HTTP API on 127.0.0.1, simulated: nothing leaves this machine.\n"
           "Every model that no plan names is official, takes a prompt, and echoes it,\n"
           "word by word, in a stream too.\n\n"
           "  --port N                where to listen; 0 (default) = the kernel picks\n"
           "  --boot MS               how long a model boots (default %d; -1 = for ever)\n"
           "  --run MS                how long it runs (default %d; -1 = for ever)\n"
           "  --plan FILE             plans of models: a JSON array of objects, keys below\n"
           "  --token TOKEN           the only token accepted; \"any\" (default) = all\n"
           "  --creates-per-minute N  limit of creates (default 600, 0 = none)\n"
           "  --calls-per-minute N    limit of other calls (default 3000, 0 = none)\n\n"
           "keys of a plan:\n%s",
           DEFAULT_BOOT_MS, DEFAULT_RUN_MS, replicate_sim_plan_keys());
}

static bool read_number(const char *text, int lowest, int *out)
{
    char *stop;
    errno = 0;
    long value = strtol(text, &stop, 10);
    if (errno || *stop || stop == text || value < lowest || value > 1000000000)
        return false;
    *out = (int)value;
    return true;
}

static bool read_flag(int flag, struct arguments *arguments)
{
    switch (flag) {
    case 'p':
        return read_number(optarg, 0, &arguments->port) && arguments->port <= 65535;
    case 'b':
        return read_number(optarg, SIM_HOLD, &arguments->boot_ms);
    case 'r':
        return read_number(optarg, SIM_HOLD, &arguments->run_ms);
    case 'c':
        return read_number(optarg, 0, &arguments->creates_per_minute);
    case 'g':
        return read_number(optarg, 0, &arguments->calls_per_minute);
    case 'f':
        arguments->plans = optarg;
        return true;
    case 't':
        arguments->token = strcmp(optarg, "any") == 0 ? NULL : optarg;
        return true;
    default:
        return false;
    }
}

static struct replicate_sim *start(const struct arguments *arguments)
{
    static const char *const pieces[] = {"You said: ", SIM_PROMPT_WORDS};
    const struct sim_plan any_model = {.official = true,
                                       .boot_ms = arguments->boot_ms,
                                       .run_ms = arguments->run_ms,
                                       .pieces = pieces,
                                       .piece_count = 2,
                                       .stream = {.offered = true},
                                       .tokens = SIM_TOKENS_METRICS};
    const struct replicate_sim_options options = {.port = arguments->port,
                                                  .token = arguments->token,
                                                  .accept_any_token = !arguments->token,
                                                  .creates_per_minute = arguments->creates_per_minute,
                                                  .calls_per_minute = arguments->calls_per_minute,
                                                  .any_model = &any_model,
                                                  .allow_open_connections = true,
                                                  .stop_grace_ms = 1,
                                                  .request_limit = -1};
    return replicate_sim_start(&options);
}

static int serve(struct replicate_sim *sim, const sigset_t *signals)
{
    struct sim_counters counters;
    int signal_number;
    printf("replicate-sim listening on %s\n", replicate_sim_base_url(sim));
    fflush(stdout);
    sigwait(signals, &signal_number);
    replicate_sim_counters(sim, &counters);
    printf("created %zu, succeeded %zu, failed %zu, cancelled %zu, aborted %zu, still running %zu; streams %zu with "
           "%zu pieces\n",
           counters.created, counters.succeeded, counters.failed, counters.cancelled + counters.deadline_canceled,
           counters.aborted, counters.running, counters.streams_opened, counters.stream_pieces);
    return counters.running ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .creates_per_minute = 600, .calls_per_minute = 3000, .boot_ms = DEFAULT_BOOT_MS, .run_ms = DEFAULT_RUN_MS};
    int flag;
    while ((flag = getopt_long(argc, argv, "h", flags, NULL)) != -1) {
        if (flag == 'h') {
            print_help();
            return EXIT_SUCCESS;
        }
        if (!read_flag(flag, &arguments)) {
            fprintf(stderr, "replicate-sim: an option or its value is wrong; see --help.\n");
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "replicate-sim: \"%s\" is no option; see --help.\n", argv[optind]);
        return EXIT_USAGE;
    }

    /* Blocked before the simulator's thread exists, so that only sigwait receives them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    char message[512];
    struct replicate_sim *sim = start(&arguments);
    int result = EXIT_USAGE;
    if (!arguments.plans || replicate_sim_load_plans(sim, arguments.plans, message, sizeof(message)))
        result = serve(sim, &signals);
    else
        fprintf(stderr, "replicate-sim: %s\n", message);
    replicate_sim_stop(&sim, NULL, 0);
    return result;
}
