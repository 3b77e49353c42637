/* What one load of a configuration carries along: messages that name their place, variables, and the routes and keys
 * found so far. */
#include "loader_int.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "route_int.h"

enum {
    SCALAR_BYTES = 64 * 1024, /* of one value after its variables are filled in */
    NAME_BYTES = 120,         /* of one key in a message */
};

void loader_init(struct loader *loader, const struct config_options *options)
{
    *loader = (struct loader){.options = options, .order = INT64_MAX, .max_fallbacks = -1};
}

void loader_dispose(struct loader *loader)
{
    for (size_t i = 0; i < loader->variable_count; i++) {
        free(loader->variables[i].name);
        free(loader->variables[i].value);
    }
    for (size_t i = 0; i < loader->skipped_count; i++)
        free(loader->skipped[i]);
    for (size_t i = 0; i < loader->rule_count; i++)
        free(loader->rules[i].key);
    free(loader->exposed_file);
    free(loader->variables);
    free(loader->skipped);
    free(loader->rules);
    loader_forget_places(loader);
    route_free(loader->defaults);
}

struct path path_document(const struct node *root)
{
    return (struct path){.file = root->file, .line = root->line};
}

struct path path_member(const struct path *up, const struct node *parent, size_t index)
{
    const struct member *member = &parent->members[index];
    return (struct path){up, member->key, index, parent->file, member->line};
}

/* From the outside in, as the keys are nested in the file. */
static void append_path(struct buf *buf, const struct path *path)
{
    if (path->up != NULL) {
        append_path(buf, path->up);
        if (path->name == NULL)
            buf_printf(buf, "[%zu]", path->index);
        else
            buf_printf(buf, "%s%.*s", buf->length > 0 ? "." : "", NAME_BYTES, path->name);
    } else if (path->name != NULL) {
        buf_printf(buf, "%.*s", NAME_BYTES, path->name);
    }
}

char *path_text(const struct path *path)
{
    struct buf buf;
    buf_init(&buf, ERROR_MESSAGE_BYTES);
    append_path(&buf, path);
    return buf_take(&buf, NULL);
}

__attribute__((format(printf, 3, 0))) static void format_message(char *out, const struct path *path, const char *format,
                                                                 va_list arguments)
{
    char sentence[ERROR_MESSAGE_BYTES / 2];
    vsnprintf(sentence, sizeof sentence, format, arguments);
    char line[16] = "";
    if (path->line > 0)
        snprintf(line, sizeof line, ":%d", path->line);
    char *key = path_text(path);
    char *text = xasprintf("%s%s: %s%s%s", path->file, line, key, key[0] == '\0' ? "" : ": ", sentence);
    /* A key in the wrong place may be a secret itself, and may hold what a terminal would act on. */
    error_quote(out, ERROR_MESSAGE_BYTES, text, strlen(text), NULL);
    free(text);
    free(key);
}

bool loader_fail(struct loader *loader, const struct path *path, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_message(message, path, format, arguments);
    va_end(arguments);
    return error_set(&loader->error, ERROR_INVALID_VALUE, NULL, "%s", message);
}

void loader_warn(struct loader *loader, const struct path *path, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_message(message, path, format, arguments);
    va_end(arguments);
    struct config *config = loader->config;
    config->warnings = xrealloc(config->warnings, (config->warning_count + 1) * sizeof *config->warnings);
    config->warnings[config->warning_count++] = xstrdup(message);
}

/* An empty variable counts as not set: that is how shells and compose files pass on what they do not have. */
const char *loader_variable(const struct loader *loader, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < loader->variable_count; i++)
        if (strcmp(loader->variables[i].name, name) == 0)
            value = loader->variables[i].value;
    if (value == NULL && loader->options->getenv != NULL)
        value = loader->options->getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void loader_set_variable(struct loader *loader, const char *name, const char *value)
{
    loader->variables = xrealloc(loader->variables, (loader->variable_count + 1) * sizeof *loader->variables);
    loader->variables[loader->variable_count++] = (struct variable){xstrdup(name), xstrdup(value)};
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return isdigit((unsigned char)text[0]) ? 0 : length;
}

/* Fills in the reference that begins at *at (`${…}`) and moves *at behind it. */
static bool fill_reference(struct loader *loader, const char **at, struct buf *out, const struct path *path)
{
    const char *begin = *at + 2;
    size_t length = name_length(begin);
    const char *rest = begin + length, *end = strchr(begin, '}');
    bool has_default = strncmp(rest, ":-", 2) == 0;
    if (length == 0 || end == NULL || (rest != end && !has_default))
        return loader_fail(loader, path,
                           "a reference to a variable is written ${NAME} or ${NAME:-default}; a dollar sign is $$");
    char *name = xstrndup(begin, length);
    const char *value = loader_variable(loader, name);
    bool ok = true;
    if (value != NULL)
        buf_append_text(out, value);
    else if (has_default)
        buf_append(out, rest + 2, (size_t)(end - rest) - 2);
    else
        ok = loader_fail(loader, path, "the environment variable %s is not set; set it, or write ${%s:-default}", name,
                         name);
    free(name);
    *at = end + 1;
    return ok;
}

/* A scalar stays plain or quoted as it was written: `rpm: ${LIMIT}` is a number, `"${LIMIT}"` a text. */
static bool fill_native(struct loader *loader, struct node *node, const struct path *path)
{
    struct buf out;
    buf_init(&out, SCALAR_BYTES);
    const char *at = node->text;
    bool ok = true;
    while (ok && *at != '\0') {
        size_t plain = strcspn(at, "$");
        buf_append(&out, at, plain);
        at += plain;
        if (at[0] == '$' && at[1] == '{') {
            ok = fill_reference(loader, &at, &out, path);
        } else if (at[0] == '$') {
            buf_append(&out, "$", 1);
            at += at[1] == '$' ? 2 : 1;
        }
    }
    if (ok && out.overflowed)
        ok = loader_fail(loader, path, "the value is longer than 64 KiB once its variables are filled in");
    if (ok) {
        node->filled = strstr(node->text, "${") != NULL;
        free(node->text);
        node->text = buf_take(&out, NULL);
    }
    buf_dispose(&out);
    return ok;
}

/* Does the file itself set it? Then what is in it stands in the file. */
static bool is_own_variable(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->variable_count; i++)
        if (strcmp(loader->variables[i].name, name) == 0)
            return true;
    return false;
}

/* LiteLLM knows a variable only as a whole value; whatever type it looks like, it has. */
static bool fill_litellm(struct loader *loader, struct node *node, const struct path *path)
{
    static const char prefix[] = "os.environ/";
    if (strncmp(node->text, prefix, sizeof prefix - 1) != 0)
        return true;
    const char *name = node->text + sizeof prefix - 1;
    const char *value = loader_variable(loader, name);
    if (value == NULL)
        return loader_fail(loader, path, "the environment variable %.*s is not set; set it, or write the value here",
                           NAME_BYTES, name);
    bool is_of_file = is_own_variable(loader, name);
    char *text = xstrdup(value);
    free(node->text);
    node->text = text;
    node->quoted = false;
    node->filled = !is_of_file;
    return true;
}

bool loader_interpolate(struct loader *loader, struct node *node, const struct path *path)
{
    if (node->type == NODE_SCALAR && loader->dialect == DIALECT_LITELLM)
        return fill_litellm(loader, node, path);
    if (node->type == NODE_SCALAR)
        return strchr(node->text, '$') == NULL || fill_native(loader, node, path);
    for (size_t i = 0; i < node->count; i++) {
        struct path member = path_member(path, node, i);
        if (!loader_interpolate(loader, node->members[i].value, &member))
            return false;
    }
    return true;
}
