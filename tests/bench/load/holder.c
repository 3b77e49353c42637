/* The holder of many clients: its options, its loop, and the report, a line of JSON on standard output. Before it come
 * lines that say how far it is, each with the number of pieces so far: `asked` when all requests of the first round
 * were sent, `steady` when every stream has had a piece (or, without streams, with `asked`), and `ending` when the
 * first client is done. See the header. */
#include "holder.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/ensure.h"

enum { EXIT_WRONG = 1, EXIT_USAGE = 2 };
enum { EVENTS_A_TURN = 512, TURN_MS = 100 };

/* ---- options ---- */

static const struct setting {
    const char *name, *meaning;
    size_t offset;
    int least, most;
} settings[] = {
    {"port", "to ask", offsetof(struct holder_options, port), 1, 65535},
    {"clients", "at once (1)", offsetof(struct holder_options, clients), 1, 50000},
    {"rounds", "requests of each client, one after the other (1)", offsetof(struct holder_options, rounds), 1, 1000000},
    {"wait-least-ms", "the shortest prediction (0)", offsetof(struct holder_options, wait_least_ms), 0, 1000000},
    {"wait-most-ms", "the longest prediction (0)", offsetof(struct holder_options, wait_most_ms), 0, 1000000},
    {"pieces", "of each stream (0 = no streams)", offsetof(struct holder_options, pieces), 0, 1000000},
    {"pace-us", "from piece to piece", offsetof(struct holder_options, pace_us), 0, 8000000},
    {"ramp-ms", "over which the clients begin (0)", offsetof(struct holder_options, ramp_ms), 0, 600000},
    {"pause-ms", "of a client between its rounds (0)", offsetof(struct holder_options, pause_ms), 0, 600000},
    {"hang-up-percent", "of the clients that leave (0)", offsetof(struct holder_options, hang_up_percent), 0, 100},
    {"hang-up-after-ms", "of waiting", offsetof(struct holder_options, hang_up_after_ms), 0, 600000},
    {"image-bytes", "of an image in every request (0)", offsetof(struct holder_options, image_bytes), 0, 64 << 20},
    {"patience-ms", "after which what is missing is lost (60000)", offsetof(struct holder_options, patience_ms), 1,
     1000000},
};

enum { SETTING_COUNT = sizeof settings / sizeof *settings };

static const char *const form_names[FORM_COUNT] = {"openai", "replicate", "stream"};

static bool read_number(struct holder_options *options, const struct setting *setting, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < setting->least || number > setting->most)
        return false;
    int value = (int)number;
    memcpy((char *)options + setting->offset, &value, sizeof value);
    return true;
}

static bool read_form(struct holder_options *options, const char *text)
{
    for (enum holder_form form = 0; form < FORM_COUNT; form++)
        if (strcmp(text, form_names[form]) == 0) {
            options->form = form;
            return true;
        }
    return false;
}

static bool read_options(struct holder_options *options, int argc, char **argv)
{
    struct option flags[SETTING_COUNT + 5] = {{0}};
    int index = 0, flag;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        flags[i] = (struct option){settings[i].name, required_argument, NULL, 's'};
    flags[SETTING_COUNT] = (struct option){"form", required_argument, NULL, 'f'};
    flags[SETTING_COUNT + 1] = (struct option){"path", required_argument, NULL, 'p'};
    flags[SETTING_COUNT + 2] = (struct option){"model", required_argument, NULL, 'm'};
    flags[SETTING_COUNT + 3] = (struct option){"header", required_argument, NULL, 'h'};
    while ((flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
        if (flag == 'p')
            options->path = optarg;
        else if (flag == 'm')
            options->model = optarg;
        else if (flag == 'h')
            options->header = optarg;
        else if (flag == 'f' ? !read_form(options, optarg)
                             : flag != 's' || !read_number(options, &settings[index], optarg))
            return false;
    }
    return optind == argc && options->port > 0 && options->wait_most_ms >= options->wait_least_ms;
}

static void print_usage(void)
{
    fprintf(stderr, "usage: holder --port N [--form openai|replicate|stream] [--path P] [--model M] [--header H]\n");
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(stderr, "  --%-16s N  %s\n", settings[i].name, settings[i].meaning);
}

/* ---- the loop ---- */

static void say(const struct holder *holder, const char *what)
{
    printf("%s %llu\n", what, (unsigned long long)holder->pieces);
    fflush(stdout);
}

static void tell_progress(struct holder *holder, bool *has_asked)
{
    int clients = holder->options.clients;
    if (!*has_asked && holder->asked + holder->over >= clients) {
        *has_asked = true;
        say(holder, "asked");
    }
    bool has_begun = holder->options.pieces == 0 ? *has_asked : holder->begun >= clients;
    if (!holder->is_steady && has_begun && holder->over == 0) {
        holder->is_steady = true;
        say(holder, "steady");
    }
    if (holder->is_steady && !holder->is_ending && holder->over > 0) {
        holder->is_ending = true;
        say(holder, "ending");
    }
}

/* The moment, after the beginning, in which a client starts. Those that hang up do so equally long after it. */
static int64_t start_us(const struct holder *holder, int client)
{
    return holder->began_us + (int64_t)holder->options.ramp_ms * 1000 * client / holder->options.clients;
}

static bool leaves_early(const struct holder *holder, int client)
{
    return client % 100 < holder->options.hang_up_percent;
}

/* What is due by the clock; `*left` counts the clients whose time to hang up is over. */
static void do_what_is_due(struct holder *holder, int *left)
{
    const struct holder_options *options = &holder->options;
    int64_t now_us = order_now_us();
    while (holder->started < options->clients && start_us(holder, holder->started) <= now_us)
        client_start(&holder->clients[holder->started++]);
    int64_t after_us = (int64_t)options->hang_up_after_ms * 1000;
    while (options->hang_up_percent > 0 && *left < holder->started && start_us(holder, *left) + after_us <= now_us) {
        if (leaves_early(holder, *left))
            client_hang_up(&holder->clients[*left]);
        ++*left;
    }
    for (int i = 0; options->pause_ms > 0 && i < holder->started; i++)
        if (holder->clients[i].due_us > 0 && holder->clients[i].due_us <= now_us)
            client_go_on(&holder->clients[i]);
}

static bool is_clock_needed(const struct holder *holder, int left)
{
    const struct holder_options *options = &holder->options;
    return holder->started < options->clients || options->pause_ms > 0 ||
           (options->hang_up_percent > 0 && left < options->clients);
}

static void run(struct holder *holder)
{
    struct epoll_event events[EVENTS_A_TURN];
    bool has_asked = false;
    int left = 0;
    int64_t until_us = holder->began_us + (int64_t)(holder->options.ramp_ms + holder->options.patience_ms) * 1000;
    while (holder->over < holder->options.clients && order_now_us() < until_us) {
        do_what_is_due(holder, &left);
        int count = epoll_wait(holder->epoll, events, EVENTS_A_TURN, is_clock_needed(holder, left) ? 1 : TURN_MS);
        for (int i = 0; i < count; i++)
            client_on_event(events[i].data.ptr, events[i].events);
        tell_progress(holder, &has_asked);
    }
    for (int i = 0; i < holder->options.clients; i++)
        if (!holder->clients[i].is_over)
            client_blame(&holder->clients[i], "no whole answer came in time");
}

/* ---- the report ---- */

static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '\'' : *text);
    putchar('"');
}

static void report(struct holder *holder)
{
    printf("{\"requests\":%llu,\"answers\":%llu,\"pieces\":%llu,\"faults\":%llu,\"seconds\":%.3f,\"fault\":",
           (unsigned long long)holder->requests, (unsigned long long)holder->answers,
           (unsigned long long)holder->pieces, (unsigned long long)holder->faults,
           (double)(order_now_us() - holder->began_us) / 1e6);
    print_text(holder->fault);
    samples_print(&holder->latency_us, "latency_us", stdout);
    samples_print(&holder->late_us, "late_us", stdout);
    samples_print(&holder->piece_us, "piece_us", stdout);
    samples_print(&holder->gap_us, "gap_us", stdout);
    printf(",\"hang_ups\":[");
    for (int i = 0; i < holder->hung_up; i++)
        printf("%s[%u,%lld]", i > 0 ? "," : "", holder->hang_up_nonces[i], (long long)holder->hang_ups_us[i]);
    printf("]}\n");
    fflush(stdout);
}

static void prepare(struct holder *holder)
{
    int clients = holder->options.clients;
    struct rlimit limit;
    ensure(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    holder->epoll = epoll_create1(EPOLL_CLOEXEC);
    ensure(holder->epoll >= 0);
    holder->clients = xcalloc((size_t)clients, sizeof *holder->clients);
    holder->hang_up_nonces = xcalloc((size_t)clients, sizeof *holder->hang_up_nonces);
    holder->hang_ups_us = xcalloc((size_t)clients, sizeof *holder->hang_ups_us);
    for (int i = 0; i < clients; i++)
        holder->clients[i] = (struct client){.holder = holder, .fd = -1, .rounds_left = holder->options.rounds};
    if (holder->options.image_bytes > 0) {
        holder->image = xcalloc((size_t)holder->options.image_bytes + 1, 1);
        memset(holder->image, 'A', (size_t)holder->options.image_bytes / 4 * 4);
    }
    holder->began_us = order_now_us();
    holder->random = (uint64_t)holder->began_us;
    /* Other numbers than those of a holder before this one, whose last requests may still be on their way. */
    holder->next_nonce = (uint32_t)holder->began_us & 0xffffff;
}

int main(int argc, char **argv)
{
    static struct holder holder = {
        .options = {.clients = 1, .rounds = 1, .path = "/v1/chat/completions", .model = "bench", .patience_ms = 60000}};
    if (!read_options(&holder.options, argc, argv)) {
        print_usage();
        return EXIT_USAGE;
    }
    prepare(&holder);
    run(&holder);
    report(&holder);
    return holder.faults == 0 ? EXIT_SUCCESS : EXIT_WRONG;
}
