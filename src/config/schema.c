/* The table of the native dialect's keys, and how a map of them is read. */
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "loader_int.h"
#include "schema_int.h"

/* Times of a millisecond, a minute, an hour and a day, for the ranges. */
enum { MS = 1, SECOND = 1000 * MS, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

#define CONFIG_FIELD(field) .owner = SCHEMA_OF_CONFIG, .offset = offsetof(struct config, field)
#define ROUTE_FIELD(field) .owner = SCHEMA_OF_ROUTE, .offset = offsetof(struct route, field)
#define KEY_FIELD(field) .owner = SCHEMA_OF_KEY, .offset = offsetof(struct key, field)
#define COUNT_FIELD(type, field) .second_offset = offsetof(struct type, field)
#define RANGE(low, high) .minimum = (low), .maximum = (high)

/* clang-format off */
static const struct schema_row rows[] = {
    {SCHEMA_ROOT, "listen", SCHEMA_LISTEN, .fallback = "127.0.0.1:4000", .needs_restart = true,
     CONFIG_FIELD(host), COUNT_FIELD(config, port),
     .meaning = "The address to listen on: host:port, [::1]:port or only a port; port 0 takes any free one."},
    {SCHEMA_ROOT, "workers", SCHEMA_INTEGER, RANGE(1, 64), .needs_restart = true, CONFIG_FIELD(workers),
     .meaning = "How many threads serve; without it as many as there are processors."},
    {SCHEMA_ROOT, "models", SCHEMA_NESTED,
     .meaning = "The models: the name that clients send, then the model at Replicate, a map of the keys below, or a "
                "list of such."},
    {SCHEMA_ROOT, "replicate", SCHEMA_NESTED,
     .meaning = "How Replicate is reached."},
    {SCHEMA_ROOT, "keys", SCHEMA_NESTED,
     .meaning = "The keys of clients; without any, everybody who reaches the address may use it."},
    {SCHEMA_ROOT, "timeout", SCHEMA_DURATION, RANGE(10 * MS, 7 * DAY), .fallback = "10m", ROUTE_FIELD(timeout_ms),
     .meaning = "The longest a request may take, a model's cold start included."},
    {SCHEMA_ROOT, "stream_timeout", SCHEMA_DURATION, RANGE(10 * MS, 7 * DAY), ROUTE_FIELD(stream_timeout_ms),
     .meaning = "The longest a streamed answer may take; without it the timeout of its model."},
    {SCHEMA_ROOT, "keepalive", SCHEMA_DURATION, RANGE(0, HOUR), .fallback = "10s", ROUTE_FIELD(keepalive_ms),
     .meaning = "A stream with nothing to say sends a comment this often; with 0 none, and the 200 "
                "comes only with the first piece."},
    {SCHEMA_ROOT, "drain_timeout", SCHEMA_DURATION, RANGE(0, DAY), .fallback = "30s", CONFIG_FIELD(drain_timeout_ms),
     .meaning = "How long running requests may go on after SIGTERM."},
    {SCHEMA_ROOT, "on_disconnect", SCHEMA_WORD, .words = "grace|cancel|keep", .fallback = "grace",
     ROUTE_FIELD(on_disconnect),
     .meaning = "When a client hangs up, grace: cancel at once, or after `grace` where it may retry; cancel: at "
                "once; keep: never."},
    {SCHEMA_ROOT, "grace", SCHEMA_DURATION, RANGE(0, HOUR), .fallback = "10s", ROUTE_FIELD(grace_ms),
     .meaning = "How long to wait for a client that said that it may retry (OpenAI's SDKs do); others are not "
                "waited for."},
    {SCHEMA_ROOT, "max_in_flight", SCHEMA_COUNT, RANGE(1, 1000000), .fallback = "10000",
     CONFIG_FIELD(max_in_flight),
     .meaning = "How many requests may be worked on at once; more are answered 503."},
    {SCHEMA_ROOT, "rpm", SCHEMA_COUNT, RANGE(1, 1000000000), CONFIG_FIELD(limits.requests_per_minute),
     .meaning = "How many requests a minute all names together answer."},
    {SCHEMA_ROOT, "max_parallel_requests", SCHEMA_COUNT, RANGE(1, 1000000), CONFIG_FIELD(limits.max_parallel),
     .meaning = "How many requests all names together answer at once."},
    {SCHEMA_ROOT, "queue_timeout", SCHEMA_DURATION, RANGE(0, HOUR), .fallback = "10s", CONFIG_FIELD(queue_timeout_ms),
     .meaning = "How long a request above rpm or max_parallel_requests waits in line before a 429; 0 answers it at once."},
    {SCHEMA_ROOT, "max_body", SCHEMA_SIZE, RANGE(1024, 1LL << 32), .fallback = "64MiB", CONFIG_FIELD(max_body_bytes),
     .meaning = "The largest request body."},
    {SCHEMA_ROOT, "max_body_memory", SCHEMA_SIZE, RANGE(1024, 1LL << 50), CONFIG_FIELD(max_body_memory_bytes),
     .meaning = "How large all bodies may be together before a 503; without it a quarter of the memory, or 4 times max_body."},
    {SCHEMA_ROOT, "read_timeout", SCHEMA_DURATION, RANGE(100 * MS, HOUR), .fallback = "60s",
     CONFIG_FIELD(read_timeout_ms),
     .meaning = "How long a request may take to arrive."},
    {SCHEMA_ROOT, "write_timeout", SCHEMA_DURATION, RANGE(SECOND, HOUR), .fallback = "60s",
     CONFIG_FIELD(write_timeout_ms),
     .meaning = "How long a client may leave a stream unread before it is given up."},
    {SCHEMA_ROOT, "idle_timeout", SCHEMA_DURATION, RANGE(100 * MS, HOUR), .fallback = "75s", .needs_restart = true,
     CONFIG_FIELD(idle_timeout_ms),
     .meaning = "How long a connection is kept open between two requests."},
    {SCHEMA_ROOT, "strict_params", SCHEMA_BOOLEAN, .fallback = "false", ROUTE_FIELD(strict_params),
     .meaning = "Refuse hints that a model has no input for, such as temperature, instead of leaving them out."},
    {SCHEMA_ROOT, "drop_params", SCHEMA_BOOLEAN, .fallback = "false", ROUTE_FIELD(drop_params),
     .meaning = "Leave out what a model cannot do, such as tools, instead of refusing the request."},
    {SCHEMA_ROOT, "additional_drop_params", SCHEMA_NAMES, ROUTE_FIELD(dropped), COUNT_FIELD(route, dropped_count),
     .meaning = "Parameters that are always left out, whatever the model takes."},
    {SCHEMA_ROOT, "read_schema", SCHEMA_BOOLEAN, .fallback = "true", ROUTE_FIELD(read_schema),
     .meaning = "Ask Replicate for each model's own inputs; without it only map, input and the common names count."},
    {SCHEMA_ROOT, "cache_dir", SCHEMA_TEXT, .needs_restart = true, CONFIG_FIELD(cache_dir),
     .meaning = "A directory that keeps what models take over restarts; made where it is missing."},
    {SCHEMA_ROOT, "reasoning", SCHEMA_WORD, .words = "auto|opened|off", .fallback = "auto", ROUTE_FIELD(reasoning),
     .meaning = "Thoughts in <think> tags: auto and opened (without the first tag) set them apart, off does not."},
    {SCHEMA_ROOT, "fallbacks", SCHEMA_ALIASES, ROUTE_FIELD(fallbacks), COUNT_FIELD(route, fallback_count),
     .meaning = "The names that stand in where a model fails or is full, in this order; what stands in for those "
                "does not count."},
    {SCHEMA_ROOT, "content_policy_fallbacks", SCHEMA_ALIASES, ROUTE_FIELD(content_policy_fallbacks),
     COUNT_FIELD(route, content_policy_fallback_count),
     .meaning = "The names that stand in where a model's safety filter refuses a request, in this order."},
    {SCHEMA_ROOT, "allowed_fails", SCHEMA_COUNT, RANGE(0, 1000000), .fallback = "3", ROUTE_FIELD(allowed_fails),
     .meaning = "How often a model may fail within a minute; if it fails more often, it is left alone for a while."},
    {SCHEMA_ROOT, "cooldown_time", SCHEMA_DURATION, RANGE(0, DAY), .fallback = "5s", ROUTE_FIELD(cooldown_ms),
     .meaning = "How long it is left alone then; 0 = never."},
    {SCHEMA_ROOT, "cors_origins", SCHEMA_ORIGINS, CONFIG_FIELD(cors_origins), COUNT_FIELD(config, cors_origin_count),
     .meaning = "The web pages that browsers may call from: exact origins, or \"*\" for all."},
    {SCHEMA_ROOT, "allowed_ips", SCHEMA_NETWORKS, CONFIG_FIELD(allowed_ips), COUNT_FIELD(config, allowed_ip_count),
     .meaning = "The addresses and ranges that may connect, health checks apart; without it all."},
    {SCHEMA_ROOT, "use_x_forwarded_for", SCHEMA_BOOLEAN, .fallback = "false", CONFIG_FIELD(use_x_forwarded_for),
     .meaning = "For allowed_ips, go by the last address in X-Forwarded-For; only where a proxy is the one way in."},
    {SCHEMA_ROOT, "log", SCHEMA_NESTED,
     .meaning = "What is logged, and where."},

    {SCHEMA_REPLICATE, "base_url", SCHEMA_URL, .fallback = "https://api.replicate.com/v1", ROUTE_FIELD(base_url),
     .meaning = "Replicate's API, with its /v1."},
    {SCHEMA_REPLICATE, "token", SCHEMA_TOKEN, ROUTE_FIELD(token),
     .meaning = "The token, without it REPLICATE_API_TOKEN or _KEY of the environment; passthrough: clients bring theirs."},
    {SCHEMA_REPLICATE, "ca_file", SCHEMA_FILE, .needs_restart = true, CONFIG_FIELD(ca_file),
     .meaning = "A file of certificates to trust instead of the system's."},
    {SCHEMA_REPLICATE, "proxy", SCHEMA_PROXY, .needs_restart = true, CONFIG_FIELD(proxy),
     .meaning = "A proxy to reach Replicate through: http, https, socks5, socks5h or socks4, then :// and its host."},
    {SCHEMA_REPLICATE, "prefer_wait", SCHEMA_DURATION, RANGE(0, MINUTE), .fallback = "5s",
     ROUTE_FIELD(prefer_wait_ms),
     .meaning = "How long Replicate may hold the answer to a new prediction, at most 60s; 0 turns it off."},
    {SCHEMA_REPLICATE, "poll_interval", SCHEMA_DURATION, RANGE(100 * MS, MINUTE), .fallback = "2s",
     ROUTE_FIELD(poll_interval_ms),
     .meaning = "The longest pause between two polls of a prediction."},
    {SCHEMA_REPLICATE, "polls_per_minute", SCHEMA_COUNT, RANGE(1, 1000000), .fallback = "2700",
     CONFIG_FIELD(polls_per_minute),
     .meaning = "How many polls all predictions of a token together may send in a minute; Replicate allows 3000."},
    {SCHEMA_REPLICATE, "creates_per_minute", SCHEMA_COUNT, RANGE(1, 1000000), .fallback = "600",
     CONFIG_FIELD(creates_per_minute),
     .meaning =
         "How many predictions may be created with a token in a minute; Replicate allows 600, and that it allows less is "
         "learnt."},
    {SCHEMA_REPLICATE, "connect_timeout", SCHEMA_DURATION, RANGE(100 * MS, 5 * MINUTE), .fallback = "10s",
     .needs_restart = true, CONFIG_FIELD(connect_timeout_ms),
     .meaning = "How long a connection to Replicate may take to stand."},
    {SCHEMA_REPLICATE, "retries", SCHEMA_INTEGER, RANGE(0, 100), .fallback = "2", ROUTE_FIELD(create_retries),
     .meaning = "How often a prediction that surely did not reach Replicate is sent again."},
    {SCHEMA_REPLICATE, "headers", SCHEMA_HEADERS, ROUTE_FIELD(headers), COUNT_FIELD(route, header_count),
     .meaning = "Headers to add to every request to Replicate."},

    {SCHEMA_LOG, "level", SCHEMA_WORD, .words = "error|warn|info|debug", .fallback = "info", CONFIG_FIELD(log.level),
     .meaning = "The least important event to log: error, warn, info or debug."},
    {SCHEMA_LOG, "format", SCHEMA_WORD, .words = "auto|text|json", .fallback = "auto", CONFIG_FIELD(log.format),
     .meaning = "text, json, or auto: text on a terminal and json elsewhere."},
    {SCHEMA_LOG, "file", SCHEMA_TEXT, CONFIG_FIELD(log.file),
     .meaning = "A file to append to; without it standard error. SIGUSR1 opens it anew."},
    {SCHEMA_LOG, "prompts", SCHEMA_BOOLEAN, .fallback = "false", CONFIG_FIELD(log_prompts),
     .meaning = "Log what clients ask, too, cut at 2000 bytes; people's texts then stand in the log."},

    {SCHEMA_MODEL, "model", SCHEMA_REFERENCE, ROUTE_FIELD(reference),
     .meaning = "The model: owner/name, owner/name:VERSION, VERSION, or deployments/owner/name."},
    {SCHEMA_MODEL, "weight", SCHEMA_COUNT, RANGE(0, 1000000), .fallback = "1", ROUTE_FIELD(weight),
     .meaning = "Its share of the requests where a list of models shares them; with 0 only while no other is well."},
    {SCHEMA_MODEL, "timeout", SCHEMA_DURATION, RANGE(10 * MS, 7 * DAY), .of_name = true, ROUTE_FIELD(timeout_ms),
     .meaning = "Instead of the timeout above."},
    {SCHEMA_MODEL, "stream_timeout", SCHEMA_DURATION, RANGE(10 * MS, 7 * DAY), .of_name = true,
     ROUTE_FIELD(stream_timeout_ms),
     .meaning = "Instead of the stream_timeout above."},
    {SCHEMA_MODEL, "keepalive", SCHEMA_DURATION, RANGE(0, HOUR), .of_name = true, ROUTE_FIELD(keepalive_ms),
     .meaning = "Instead of the keepalive above."},
    {SCHEMA_MODEL, "input", SCHEMA_OBJECT, ROUTE_FIELD(input),
     .meaning = "Defaults for the model's own inputs."},
    {SCHEMA_MODEL, "map", SCHEMA_MAP, ROUTE_FIELD(map),
     .meaning = "Which input takes an OpenAI parameter, where it is not the usual one; null = it has none."},
    {SCHEMA_MODEL, "params", SCHEMA_PARAMS, ROUTE_FIELD(params),
     .meaning = "OpenAI parameters for requests that lack them."},
    {SCHEMA_MODEL, "on_disconnect", SCHEMA_WORD, .words = "grace|cancel|keep", .of_name = true,
     ROUTE_FIELD(on_disconnect),
     .meaning = "Instead of on_disconnect above."},
    {SCHEMA_MODEL, "grace", SCHEMA_DURATION, RANGE(0, HOUR), .of_name = true, ROUTE_FIELD(grace_ms),
     .meaning = "Instead of the grace above."},
    {SCHEMA_MODEL, "strict_params", SCHEMA_BOOLEAN, ROUTE_FIELD(strict_params),
     .meaning = "Instead of strict_params above."},
    {SCHEMA_MODEL, "reasoning", SCHEMA_WORD, .words = "auto|opened|off", ROUTE_FIELD(reasoning),
     .meaning = "Instead of reasoning above."},
    {SCHEMA_MODEL, "drop_params", SCHEMA_BOOLEAN, ROUTE_FIELD(drop_params),
     .meaning = "Instead of drop_params above."},
    {SCHEMA_MODEL, "additional_drop_params", SCHEMA_NAMES, ROUTE_FIELD(dropped), COUNT_FIELD(route, dropped_count),
     .meaning = "Instead of additional_drop_params above."},
    {SCHEMA_MODEL, "read_schema", SCHEMA_BOOLEAN, ROUTE_FIELD(read_schema),
     .meaning = "Instead of read_schema above."},
    {SCHEMA_MODEL, "retries", SCHEMA_INTEGER, RANGE(0, 100), ROUTE_FIELD(create_retries),
     .meaning = "Instead of replicate.retries."},
    {SCHEMA_MODEL, "prefer_wait", SCHEMA_DURATION, RANGE(0, MINUTE), ROUTE_FIELD(prefer_wait_ms),
     .meaning = "Instead of replicate.prefer_wait."},
    {SCHEMA_MODEL, "poll_interval", SCHEMA_DURATION, RANGE(100 * MS, MINUTE), ROUTE_FIELD(poll_interval_ms),
     .meaning = "Instead of replicate.poll_interval."},
    {SCHEMA_MODEL, "base_url", SCHEMA_URL, ROUTE_FIELD(base_url),
     .meaning = "Instead of replicate.base_url."},
    {SCHEMA_MODEL, "token", SCHEMA_TOKEN, ROUTE_FIELD(token),
     .meaning = "Instead of replicate.token."},
    {SCHEMA_MODEL, "headers", SCHEMA_HEADERS, ROUTE_FIELD(headers), COUNT_FIELD(route, header_count),
     .meaning = "Besides replicate.headers; of the same name, these win."},
    {SCHEMA_MODEL, "fallbacks", SCHEMA_ALIASES, .of_name = true, ROUTE_FIELD(fallbacks),
     COUNT_FIELD(route, fallback_count),
     .meaning = "Instead of the fallbacks above; [] = none."},
    {SCHEMA_MODEL, "content_policy_fallbacks", SCHEMA_ALIASES, .of_name = true, ROUTE_FIELD(content_policy_fallbacks),
     COUNT_FIELD(route, content_policy_fallback_count),
     .meaning = "Instead of the content_policy_fallbacks above; [] = none."},
    {SCHEMA_MODEL, "allowed_fails", SCHEMA_COUNT, RANGE(0, 1000000), ROUTE_FIELD(allowed_fails),
     .meaning = "Instead of the allowed_fails above."},
    {SCHEMA_MODEL, "cooldown_time", SCHEMA_DURATION, RANGE(0, DAY), ROUTE_FIELD(cooldown_ms),
     .meaning = "Instead of the cooldown_time above."},
    {SCHEMA_MODEL, "rpm", SCHEMA_COUNT, RANGE(1, 1000000000), .of_name = true,
     ROUTE_FIELD(limits.requests_per_minute),
     .meaning = "How many requests a minute this name answers."},
    {SCHEMA_MODEL, "max_parallel_requests", SCHEMA_COUNT, RANGE(1, 1000000), .of_name = true,
     ROUTE_FIELD(limits.max_parallel),
     .meaning = "How many requests this name answers at once."},
    {SCHEMA_MODEL, "info", SCHEMA_OBJECT, ROUTE_FIELD(info),
     .meaning = "Anything to be shown with the model."},

    {SCHEMA_KEY, "name", SCHEMA_TEXT, KEY_FIELD(name),
     .meaning = "What logs call the key."},
    {SCHEMA_KEY, "key", SCHEMA_DIGEST, KEY_FIELD(digest),
     .meaning = "What the client sends; or its hash: sha256: and the 64 digits that printf %s KEY | sha256sum prints."},
    {SCHEMA_KEY, "models", SCHEMA_LIST, KEY_FIELD(models), COUNT_FIELD(key, model_count),
     .meaning = "The names it may use, wildcards too; without it all."},
    {SCHEMA_KEY, "rpm", SCHEMA_COUNT, RANGE(1, 1000000000), KEY_FIELD(limits.requests_per_minute),
     .meaning = "How many requests a minute it may send."},
    {SCHEMA_KEY, "max_parallel_requests", SCHEMA_COUNT, RANGE(1, 1000000), KEY_FIELD(limits.max_parallel),
     .meaning = "How many requests it may have at once."},
    {SCHEMA_KEY, "expires", SCHEMA_TIME, KEY_FIELD(expires_s),
     .meaning = "When it ends: a date (to its end, in UTC) or a time such as 2030-12-31T18:00:00Z; without it never."},
};
/* clang-format on */

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* What messages call the sections. */
static const char *const section_names[SCHEMA_SECTION_COUNT] = {
    [SCHEMA_ROOT] = "the top of the file",
    [SCHEMA_REPLICATE] = "replicate",
    [SCHEMA_LOG] = "log",
    [SCHEMA_MODEL] = "a model",
    [SCHEMA_KEY] = "a key",
};

const struct schema_row *schema_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

const struct schema_row *schema_find(enum schema_section section, const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].section == section && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void schema_defaults(struct loader *loader, const struct schema_objects *objects)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].fallback == NULL)
            continue;
        char text[64];
        snprintf(text, sizeof text, "%s", rows[i].fallback);
        struct node node = {.type = NODE_SCALAR, .file = "default", .text = text};
        struct path path = {.file = "default", .name = rows[i].name};
        ensure(schema_set(loader, &rows[i], objects, &node, &path));
    }
}

/* An unknown key is most often a slip of the finger, next most often one that stands in the wrong section. */
static bool fail_unknown(struct loader *loader, enum schema_section section, const struct path *path)
{
    size_t first = 0, count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].section != section)
            continue;
        if (count == 0)
            first = i;
        count++;
    }
    if (section == SCHEMA_ROOT && (strcmp(path->name, "port") == 0 || strcmp(path->name, "host") == 0))
        return loader_fail(loader, path, "unknown key; write listen: HOST:PORT");
    const char *nearest = nearest_name(path->name, &rows[first].name, count, sizeof rows[0]);
    if (nearest != NULL)
        return loader_fail(loader, path, "unknown key; did you mean \"%s\"?", nearest);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, path->name) == 0)
            return loader_fail(loader, path, "unknown key here; it belongs under %s", section_names[rows[i].section]);
    return loader_fail(loader, path, "unknown key; config.yaml.example shows all that there are");
}

static bool set_member(struct loader *loader, const struct schema_row *row, const struct schema_objects *objects,
                       const struct node *node, const struct path *path)
{
    if (row->type != SCHEMA_NESTED)
        return schema_set(loader, row, objects, node, path);
    if (node_is_null(node))
        return true;
    if (strcmp(row->name, "replicate") == 0)
        return schema_set_section(loader, SCHEMA_REPLICATE, objects, node, path);
    return strcmp(row->name, "log") != 0 || schema_set_section(loader, SCHEMA_LOG, objects, node, path);
}

bool schema_set_section(struct loader *loader, enum schema_section section, const struct schema_objects *objects,
                        const struct node *map, const struct path *path)
{
    if (map->type != NODE_MAP)
        return loader_fail(loader, path, "this must be a map of keys and values");
    for (size_t i = 0; i < map->count; i++) {
        struct path member = path_member(path, map, i);
        const struct schema_row *row = schema_find(section, member.name);
        if (row == NULL)
            return fail_unknown(loader, section, &member);
        if (!set_member(loader, row, objects, map->members[i].value, &member))
            return false;
    }
    return true;
}
