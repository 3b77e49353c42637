/* What environment variables say: some stand in where the file is silent, some override it, some only LiteLLM knows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "config/schema.h"
#include "dialect_int.h"
#include "value_int.h"

/* The place of a variable in messages. */
static struct path variable_path(const char *name)
{
    return (struct path){.file = "environment", .name = name};
}

/* Reads a variable, where it is set, as the value of a native key. */
static bool read_from(struct loader *loader, const char *variable, const struct schema_row *row,
                      const struct schema_objects *objects)
{
    const char *value = loader_variable(loader, variable);
    if (value == NULL)
        return true;
    struct path path = variable_path(variable);
    char *text = xstrdup(value);
    struct node node = {.type = NODE_SCALAR, .file = path.file, .filled = true, .text = text};
    bool ok = schema_set(loader, row, objects, &node, &path);
    free(text);
    return ok;
}

static bool set_from(struct loader *loader, const char *variable, enum schema_section section, const char *key)
{
    struct schema_objects objects = {.config = loader->config, .route = loader->defaults};
    return read_from(loader, variable, schema_find(section, key), &objects);
}

static bool set_key_from(struct loader *loader, const char *variable, struct key *key)
{
    struct schema_objects objects = {.config = loader->config, .key = key};
    return read_from(loader, variable, schema_find(SCHEMA_KEY, "key"), &objects);
}

enum { TOKEN_BYTES = 4096 };

/* Secrets that a container engine or systemd hands over lie in files, which often end with a line break. */
static bool token_from_file(struct loader *loader, const char *variable)
{
    const char *name = loader_variable(loader, variable);
    char text[TOKEN_BYTES];
    if (name == NULL)
        return true;
    struct path path = variable_path(variable);
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return loader_fail(loader, &path, "the file cannot be read: %s", strerror(errno));
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    text[length] = '\0';
    if (length == 0 || strlen(text) != length)
        return loader_fail(loader, &path, "the file holds no token; write Replicate's token into it, and nothing else");
    struct node node = {.type = NODE_SCALAR, .file = path.file, .filled = true, .text = text};
    struct schema_objects objects = {.config = loader->config, .route = loader->defaults};
    bool ok = schema_set(loader, schema_find(SCHEMA_REPLICATE, "token"), &objects, &node, &path);
    explicit_bzero(text, sizeof text);
    return ok;
}

static bool token_default(struct loader *loader)
{
    static const char *const names[] = {"REPLICATE_API_TOKEN", "REPLICATE_API_KEY"};
    /* Each dialect looks first at the variable that its own users know. */
    bool litellm = loader->dialect == DIALECT_LITELLM;
    const char *first = names[litellm ? 1 : 0], *second = names[litellm ? 0 : 1];
    if (loader_variable(loader, first) == NULL && loader_variable(loader, second) == NULL)
        return token_from_file(loader, "REPLICATE_API_TOKEN_FILE");
    return set_from(loader, loader_variable(loader, first) != NULL ? first : second, SCHEMA_REPLICATE, "token");
}

char *url_with_version(const char *url)
{
    const char *host = strstr(url, "://");
    const char *slash = host == NULL ? NULL : strchr(host + 3, '/');
    if (host == NULL || (slash != NULL && strspn(slash, "/") != strlen(slash)))
        return xstrdup(url);
    size_t length = slash == NULL ? strlen(url) : (size_t)(slash - url);
    return xasprintf("%.*s/v1", (int)length, url);
}

/* Users of other clients know this variable without the /v1, so both forms are taken. */
static bool base_url_default(struct loader *loader)
{
    const char *value = loader_variable(loader, "REPLICATE_API_BASE");
    if (value == NULL)
        return true;
    struct path path = variable_path("REPLICATE_API_BASE");
    char *text = url_with_version(value);
    struct node node = {.type = NODE_SCALAR, .file = path.file, .text = text};
    struct schema_objects objects = {.config = loader->config, .route = loader->defaults};
    bool ok = schema_set(loader, schema_find(SCHEMA_REPLICATE, "base_url"), &objects, &node, &path);
    free(text);
    return ok;
}

/* The route remembers who set its timeout: a 504 names what to raise. */
static bool timeout_default(struct loader *loader)
{
    static const char *const names[] = {"LITELLM_REQUEST_TIMEOUT", "LITELLM_REPLICATE_POLL_TIMEOUT", "REQUEST_TIMEOUT"};
    const char *source = "timeout (default 10m)";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (loader_variable(loader, names[i]) == NULL)
            continue;
        if (!set_from(loader, names[i], SCHEMA_ROOT, "timeout"))
            return false;
        source = names[i];
        break;
    }
    free((char *)loader->defaults->timeout_key);
    loader->defaults->timeout_key = xstrdup(source);
    return true;
}

static bool stream_timeout_default(struct loader *loader)
{
    static const char name[] = "LITELLM_MAX_STREAMING_DURATION_SECONDS";
    if (loader_variable(loader, name) == NULL)
        return true;
    free((char *)loader->defaults->stream_timeout_key);
    loader->defaults->stream_timeout_key = xstrdup(name);
    return set_from(loader, name, SCHEMA_ROOT, "stream_timeout");
}

static bool boolean_from(struct loader *loader, const char *variable, bool *value)
{
    const char *text = loader_variable(loader, variable);
    struct path path = variable_path(variable);
    return text == NULL || value_boolean_text(text, value) || loader_fail(loader, &path, "this must be true or false");
}

/* Other programs share these variables and write words of their own (DEBUG=express:*), which mean nothing here. */
static bool is_switched_on(const struct loader *loader, const char *variable)
{
    const char *text = loader_variable(loader, variable);
    bool value = false;
    return text != NULL && value_boolean_text(text, &value) && value;
}

bool environment_defaults(struct loader *loader)
{
    return token_default(loader) && base_url_default(loader) && timeout_default(loader) &&
           stream_timeout_default(loader) &&
           set_from(loader, "REPLICATE_POLLING_DELAY_SECONDS", SCHEMA_REPLICATE, "poll_interval") &&
           boolean_from(loader, "LITELLM_DROP_PARAMS", &loader->defaults->drop_params);
}

/* A port of 0 is meaningful, so -1 stands for a command line that names none. */
static bool override_address(struct loader *loader)
{
    struct config *config = loader->config;
    const char *host = loader_variable(loader, "HOST"), *port = loader_variable(loader, "PORT");
    int64_t number = config->port;
    if (loader->options->host != NULL)
        host = loader->options->host;
    if (loader->options->port >= 0)
        number = loader->options->port;
    else if (port != NULL && (!value_integer(port, &number) || number < 0))
        number = -1;
    struct path path = variable_path("PORT");
    if (number < 0 || number > 65535)
        return loader_fail(loader, &path, "the port must be a number from 0 to 65535");
    config->port = (int)number;
    if (host != NULL) {
        char *copy = xstrdup(host);
        free(config->host);
        config->host = copy;
    }
    return true;
}

/* A number from the command line, which is in the unit of the key's own field, against the range of that key. */
static bool check_flag(struct loader *loader, const char *flag, const char *key, int64_t value)
{
    const struct schema_row *row = schema_find(SCHEMA_ROOT, key);
    const char *unit = row->type == SCHEMA_DURATION ? " ms" : "";
    struct path path = {.file = flag};
    return (value >= row->minimum && value <= row->maximum) ||
           loader_fail(loader, &path, "this is out of range: from %" PRId64 "%s to %" PRId64 "%s", row->minimum, unit,
                       row->maximum, unit);
}

static bool override_workers(struct loader *loader)
{
    int workers = loader->options->workers;
    if (workers == 0)
        return set_from(loader, "NUM_WORKERS", SCHEMA_ROOT, "workers");
    if (!check_flag(loader, "--num_workers", "workers", workers))
        return false;
    loader->config->workers = workers;
    return true;
}

static bool override_limits(struct loader *loader)
{
    int64_t limit = loader->options->max_in_flight, idle_ms = loader->options->idle_timeout_ms;
    if ((limit != 0 && !check_flag(loader, "--limit_concurrency", "max_in_flight", limit)) ||
        (idle_ms != 0 && !check_flag(loader, "--keepalive_timeout", "idle_timeout", idle_ms)))
        return false;
    if (limit != 0)
        loader->config->max_in_flight = limit;
    if (idle_ms == 0)
        return set_from(loader, "KEEPALIVE_TIMEOUT", SCHEMA_ROOT, "idle_timeout");
    loader->config->idle_timeout_ms = idle_ms;
    return true;
}

/* The command line, then LITELLM_LOG, then the two switches for debugging, then the file. */
static bool override_log(struct loader *loader)
{
    struct config *config = loader->config;
    bool json = loader->options->log_json;
    if (!json && !boolean_from(loader, "JSON_LOGS", &json))
        return false;
    if (json)
        config->log.format = LOG_FORMAT_JSON;
    if (is_switched_on(loader, "DEBUG") || is_switched_on(loader, "DETAILED_DEBUG"))
        config->log.level = LOG_LEVEL_DEBUG;
    const char *word = loader->options->log_level;
    struct path path = {.file = "--log-level"};
    if (word == NULL) {
        word = loader_variable(loader, "LITELLM_LOG");
        path = variable_path("LITELLM_LOG");
    }
    bool ok = word == NULL || log_level_parse(word, &config->log.level);
    return ok || loader_fail(loader, &path, "this must be one of error, warn, info or debug");
}

/* An access key is never dropped: where the file has no keys, LITELLM_MASTER_KEY is the one. */
static bool master_key(struct loader *loader)
{
    if (loader_variable(loader, "LITELLM_MASTER_KEY") == NULL || loader->config->key_count > 0)
        return true;
    struct key *key = loader_add_key(loader);
    key->name = xstrdup("master");
    return set_key_from(loader, "LITELLM_MASTER_KEY", key);
}

/* Variables of LiteLLM that change nothing here. */
static void warn_variables(struct loader *loader)
{
    static const struct {
        const char *name, *sentence;
    } ignored[] = {
        {"DEFAULT_REPLICATE_POLLING_RETRIES", "has no effect: a prediction is polled until its timeout passes"},
        {"DEFAULT_REPLICATE_POLLING_DELAY_SECONDS",
         "has no effect: the pause between polls is REPLICATE_POLLING_DELAY_SECONDS"},
        {"LITELLM_MODE", "has no effect"},
        {"LITELLM_SALT_KEY", "has no effect: nothing is stored, so nothing is encrypted"},
        {"DATABASE_URL", "has no effect: there is no database"},
    };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        struct path path = variable_path(ignored[i].name);
        if (loader_variable(loader, ignored[i].name) != NULL)
            loader_warn(loader, &path, "%s", ignored[i].sentence);
    }
}

bool environment_overrides(struct loader *loader)
{
    if (loader->dialect == DIALECT_LITELLM)
        warn_variables(loader);
    return override_address(loader) && override_workers(loader) && override_limits(loader) && override_log(loader) &&
           master_key(loader);
}
