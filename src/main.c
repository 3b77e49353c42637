/* The command line: what it says becomes options for config_load; then the daemon runs. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "config/config.h"
#include "server/daemon.h"
#include "server/explain.h"
#include "server/listener.h"

/* What becomes of a flag. The second group are flags of LiteLLM's proxy: taken over where they mean
 * something here, named and left alone where they do not, refused where leaving them alone could cost money. */
enum flag {
    FLAG_CONFIG = 'c',
    FLAG_HELP = 'h',
    FLAG_MODEL = 'm',
    FLAG_VERSION = 'v',
    FLAG_HOST = 1000,
    FLAG_PORT,
    FLAG_ALIAS,
    FLAG_CHECK,
    FLAG_LOG_LEVEL,
    FLAG_EXPLAIN,
    FLAG_REQUEST,
    FLAG_HEALTH,
    FLAG_WORKERS,
    FLAG_IN_FLIGHT,
    FLAG_IDLE,
    FLAG_DEBUG,
    FLAG_JSON_LOGS,
    FLAG_IGNORED,
    FLAG_REFUSED,
};

static const struct option FLAGS[] = {
    {"config", required_argument, NULL, FLAG_CONFIG},
    {"host", required_argument, NULL, FLAG_HOST},
    {"port", required_argument, NULL, FLAG_PORT},
    {"model", required_argument, NULL, FLAG_MODEL},
    {"alias", required_argument, NULL, FLAG_ALIAS},
    {"check", no_argument, NULL, FLAG_CHECK},
    {"log-level", required_argument, NULL, FLAG_LOG_LEVEL},
    {"health", no_argument, NULL, FLAG_HEALTH},
    {"explain", required_argument, NULL, FLAG_EXPLAIN},
    {"request", required_argument, NULL, FLAG_REQUEST},
    {"version", no_argument, NULL, FLAG_VERSION},
    {"help", no_argument, NULL, FLAG_HELP},
    {"validate_config", no_argument, NULL, FLAG_CHECK},
    {"num_workers", required_argument, NULL, FLAG_WORKERS},
    {"limit_concurrency", required_argument, NULL, FLAG_IN_FLIGHT},
    {"keepalive_timeout", required_argument, NULL, FLAG_IDLE},
    {"debug", no_argument, NULL, FLAG_DEBUG},
    {"detailed_debug", no_argument, NULL, FLAG_DEBUG},
    {"json_logs", no_argument, NULL, FLAG_JSON_LOGS},
    {"json-logs", no_argument, NULL, FLAG_JSON_LOGS},
    {"api_base", required_argument, NULL, FLAG_IGNORED},
    {"temperature", required_argument, NULL, FLAG_IGNORED},
    {"max_tokens", required_argument, NULL, FLAG_IGNORED},
    {"request_timeout", required_argument, NULL, FLAG_IGNORED},
    {"drop_params", no_argument, NULL, FLAG_IGNORED},
    {"log_config", required_argument, NULL, FLAG_IGNORED},
    {"max_requests_before_restart", required_argument, NULL, FLAG_IGNORED},
    {"run_gunicorn", no_argument, NULL, FLAG_IGNORED},
    {"run_hypercorn", no_argument, NULL, FLAG_IGNORED},
    {"run_granian", no_argument, NULL, FLAG_IGNORED},
    {"reload", no_argument, NULL, FLAG_IGNORED},
    {"prometheus_metrics_port", required_argument, NULL, FLAG_IGNORED},
    {"skip_server_startup", no_argument, NULL, FLAG_IGNORED},
    {"setup", no_argument, NULL, FLAG_IGNORED},
    {"telemetry", required_argument, NULL, FLAG_IGNORED},
    {"add_function_to_prompt", no_argument, NULL, FLAG_IGNORED},
    {"max_budget", required_argument, NULL, FLAG_REFUSED},
    {"test", no_argument, NULL, FLAG_REFUSED},
    {"ssl_keyfile_path", required_argument, NULL, FLAG_REFUSED},
    {"ssl_certfile_path", required_argument, NULL, FLAG_REFUSED},
    {0},
};

static const char HELP[] =
    "Usage: replibridge [--config FILE] [options]\n"
    "Serves every model on Replicate through OpenAI's API.\n"
    "\n"
    "  -c, --config FILE      the configuration, native or LiteLLM's (or CONFIG_FILE_PATH)\n"
    "      --host ADDRESS     listen on this address (or HOST; default 127.0.0.1)\n"
    "      --port PORT        listen on this port, 0 = any free one (or PORT; default 4000)\n"
    "  -m, --model REF        without a file: serve this model …\n"
    "      --alias NAME       … under this name\n"
    "      --num_workers N    worker threads (or NUM_WORKERS; default: one per processor)\n"
    "      --limit_concurrency N\n"
    "                         work on N requests at once, answer more with 503 (default 10000)\n"
    "      --keepalive_timeout SECONDS\n"
    "                         close a connection that is idle for so long (or KEEPALIVE_TIMEOUT; default 75)\n"
    "      --check            load the configuration, say what is wrong or ignored, and exit\n"
    "      --explain NAME     say what becomes of OpenAI's parameters for this model …\n"
    "      --request FILE     … and of this request (- = standard input), without sending it; then exit\n"
    "      --health           ask the daemon at that address whether it is ready, and exit\n"
    "      --log-level LEVEL  error, warn, info or debug\n"
    "      --json_logs        log as JSON, on a terminal too (or JSON_LOGS)\n"
    "      --version, --help\n"
    "\n"
    "Without a file, REPLICATE_API_TOKEN must be set; then any owner/name[:version] is a model.\n"
    "Flags of LiteLLM's proxy that have no meaning here are named and ignored.\n"
    "Exit codes: 0 stopped, 1 bad configuration, 2 bad usage, 3 could not listen.\n";

struct command {
    struct config_options options;
    bool check, health;
    const char *explain, *request; /* NULL: not said */
};

static const char *environment(const char *name)
{
    return getenv(name);
}

static bool parse_number(const char *text, long low, long high, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    return *text != '\0' && *end == '\0' && *number >= low && *number <= high;
}

static int usage_error(const char *what, const char *why)
{
    fprintf(stderr, "replibridge: %s: %s See replibridge --help.\n", what, why);
    return EXIT_BAD_USAGE;
}

/* Takes a flag whose value is a number; an exit code, or -1 to go on. */
static int take_number(int flag, struct config_options *options)
{
    long number;
    switch (flag) {
    case FLAG_PORT:
        if (!parse_number(optarg, 0, 65535, &number))
            return usage_error("--port", "write a number from 0 to 65535.");
        options->port = (int)number;
        return -1;
    case FLAG_WORKERS:
        if (!parse_number(optarg, 1, 64, &number))
            return usage_error("--num_workers", "write a number from 1 to 64.");
        options->workers = (int)number;
        return -1;
    case FLAG_IN_FLIGHT:
        if (!parse_number(optarg, 1, 1000000, &number))
            return usage_error("--limit_concurrency", "write a number from 1 to 1000000.");
        options->max_in_flight = number;
        return -1;
    default:
        if (!parse_number(optarg, 1, 3600, &number))
            return usage_error("--keepalive_timeout", "write a number of seconds from 1 to 3600.");
        options->idle_timeout_ms = (int64_t)number * 1000;
        return -1;
    }
}

/* Flags that must not be left alone in silence: what they ask for would not hold. */
static int refuse(const char *name)
{
    static const struct {
        const char *name, *why;
    } refused[] = {
        {"max_budget",
         "spending is not counted here, so a limit on it would not hold; set a spend limit in your Replicate account."},
        {"test", "no test request is sent; --check tests the configuration, --health asks a running daemon."},
        {"ssl_", "TLS is not spoken here; leave it to a proxy in front."},
    };
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", name);
    size_t i = 0;
    while (i + 1 < sizeof refused / sizeof refused[0] && strncmp(name, refused[i].name, strlen(refused[i].name)) != 0)
        i++;
    return usage_error(flag, refused[i].why);
}

/* Where a flag whose value is a text keeps it. */
static const char **place_of_text(int flag, struct command *command)
{
    switch (flag) {
    case FLAG_CONFIG:
        return &command->options.file;
    case FLAG_HOST:
        return &command->options.host;
    case FLAG_MODEL:
        return &command->options.model;
    case FLAG_ALIAS:
        return &command->options.alias;
    case FLAG_EXPLAIN:
        return &command->explain;
    default:
        return &command->request;
    }
}

/* Takes one flag; an exit code, or -1 to go on. */
static int take_flag(int flag, const char *name, struct command *command)
{
    struct config_options *options = &command->options;
    enum log_level level;
    switch (flag) {
    case FLAG_CONFIG:
    case FLAG_HOST:
    case FLAG_MODEL:
    case FLAG_ALIAS:
    case FLAG_EXPLAIN:
    case FLAG_REQUEST:
        *place_of_text(flag, command) = optarg;
        return -1;
    case FLAG_CHECK:
        command->check = true;
        return -1;
    case FLAG_HEALTH:
        command->health = true;
        return -1;
    case FLAG_DEBUG:
        options->log_level = "debug";
        return -1;
    case FLAG_JSON_LOGS:
        options->log_json = true;
        return -1;
    case FLAG_PORT:
    case FLAG_WORKERS:
    case FLAG_IN_FLIGHT:
    case FLAG_IDLE:
        return take_number(flag, options);
    case FLAG_LOG_LEVEL:
        options->log_level = optarg;
        return log_level_parse(optarg, &level) ? -1 : usage_error("--log-level", "write error, warn, info or debug.");
    case FLAG_IGNORED:
        fprintf(stderr,
                "replibridge: --%s has no meaning here and is ignored; the configuration file has keys for what can be "
                "set.\n",
                name);
        return -1;
    case FLAG_REFUSED:
        return refuse(name);
    case FLAG_VERSION:
        puts("replibridge " REPLIBRIDGE_VERSION);
        return EXIT_STOPPED;
    case FLAG_HELP:
        fputs(HELP, stdout);
        return EXIT_STOPPED;
    default:
        fputs("See replibridge --help.\n", stderr);
        return EXIT_BAD_USAGE;
    }
}

static int parse_flags(int argc, char **argv, struct command *command)
{
    int flag, place = 0;
    while ((flag = getopt_long(argc, argv, "c:m:vh", FLAGS, &place)) != -1) {
        int code = take_flag(flag, FLAGS[place].name, command);
        if (code >= 0)
            return code;
    }
    if (optind < argc)
        return usage_error(argv[optind], "arguments without a flag are not understood.");
    if (command->options.alias != NULL && command->options.model == NULL)
        return usage_error("--alias", "name the model too, with --model.");
    if (command->request != NULL && command->explain == NULL)
        return usage_error("--request", "say for which model, with --explain.");
    return -1;
}

static int check(struct config *config)
{
    for (size_t i = 0; i < config->warning_count; i++)
        printf("%s\n", config->warnings[i]);
    printf("replibridge: config OK (%zu models)\n", config->route_count);
    config_unref(config);
    return EXIT_STOPPED;
}

static int explain(struct config *config, const struct command *command)
{
    int code = explain_run(config, command->explain, command->request);
    config_unref(config);
    return code;
}

static int health(struct config *config)
{
    struct error err = {0};
    bool is_ready = listener_probe(config->host, config->port, &err);
    if (is_ready)
        puts("ready");
    else
        fprintf(stderr, "replibridge: %s\n", err.message);
    config_unref(config);
    return is_ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Whoever asks for the health, as a container does, may lack the token: only the address counts. */
static const char *environment_of_health(const char *name)
{
    const char *value = getenv(name);
    return value == NULL && strcmp(name, "REPLICATE_API_TOKEN") == 0 ? "unused" : value;
}

int main(int argc, char **argv)
{
    struct command command = {.options = {.port = -1, .getenv = environment}};
    char message[1024];
    int code = parse_flags(argc, argv, &command);
    if (code >= 0)
        return code;
    if (command.health)
        command.options.getenv = environment_of_health;
    struct config *config = daemon_load_config(&command.options, message, sizeof message);
    if (config == NULL) {
        fprintf(stderr, "replibridge: %s\n", message);
        return EXIT_BAD_CONFIG;
    }
    if (command.check)
        return check(config);
    if (command.health)
        return health(config);
    if (command.explain != NULL)
        return explain(config, &command);
    return daemon_run(config, &command.options);
}
