/* The table of OpenAI's endpoints, and how a request line finds its row. */
#include "openai/endpoint.h"

#include <stdint.h>
#include <string.h>

#include "base/ensure.h"
#include "openai/chat.h"
#include "openai/models.h"

enum { QUOTE_BYTES = 65 };

static const char model_mark[] = "{model}";

static const struct endpoint rows[] = {
    {"POST", "/chat/completions", "chat.completions", ENDPOINT_RUN, chat_decode, NULL, chat_finish, &chat_stream},
    {"POST", "/engines/{model}/chat/completions", "chat.completions", ENDPOINT_RUN, chat_decode, NULL, chat_finish,
     &chat_stream},
    {"POST", "/openai/deployments/{model}/chat/completions", "chat.completions", ENDPOINT_RUN, chat_decode, NULL,
     chat_finish, &chat_stream},
    {"GET", "/models", "models.list", ENDPOINT_LOCAL, models_decode, models_list, NULL, NULL},
    {"GET", "/model/info", "model.info", ENDPOINT_LOCAL, models_decode, models_info, NULL, NULL},
    {"GET", "/models/{model}", "models.get", ENDPOINT_LOCAL, models_decode, models_get, NULL, NULL},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const struct endpoint *endpoint_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

/* A stretch of the request's path. */
struct span {
    const char *start;
    size_t length;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that `%XX` at `text` stands for; -1 where it is broken or NUL, which no path may hold. */
static int escaped_byte(const char *text, size_t length)
{
    if (length < 3 || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
        return -1;
    int byte = hex_digit(text[1]) * 16 + hex_digit(text[2]);
    return byte == 0 ? -1 : byte;
}

static bool is_well_encoded(struct span path)
{
    for (size_t i = 0; i < path.length; i++)
        if (path.start[i] == '%' && escaped_byte(path.start + i, path.length - i) < 0)
            return false;
    return true;
}

/* `/v1` in front and one slash at the end are a matter of taste among clients. */
static struct span strip(const char *path)
{
    struct span span = {path, strlen(path)};
    if (strncmp(path, "/v1", 3) == 0 && (path[3] == '/' || path[3] == '\0'))
        span = (struct span){path + 3, span.length - 3};
    if (span.length > 1 && span.start[span.length - 1] == '/')
        span.length--;
    return span;
}

/* Does the path fit the pattern? `model` gets the stretch that `{model}` stands for. The literal parts are compared as
 * they are: only in a model id has anybody a reason to escape. */
static bool pattern_fits(const char *pattern, struct span path, struct span *model)
{
    *model = (struct span){"", 0};
    const char *mark = strstr(pattern, model_mark);
    if (mark == NULL)
        return strlen(pattern) == path.length && memcmp(pattern, path.start, path.length) == 0;
    size_t before = (size_t)(mark - pattern);
    const char *tail = mark + sizeof model_mark - 1;
    size_t after = strlen(tail);
    if (path.length <= before + after || memcmp(pattern, path.start, before) != 0 ||
        memcmp(tail, path.start + path.length - after, after) != 0)
        return false;
    *model = (struct span){path.start + before, path.length - before - after};
    /* A model id neither begins nor ends with a slash: what looks so is some other, unknown path. */
    return model->start[0] != '/' && model->start[model->length - 1] != '/';
}

static bool method_fits(const struct endpoint *row, const char *method)
{
    return strcmp(row->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(row->method, "GET") == 0);
}

/* Decodes once: `%252F` is the text `%2F`. Not being UTF-8 would follow the id into logs and answers. */
static bool decode_model(struct span model, char *out, size_t size, struct error *err)
{
    size_t length = 0;
    for (size_t i = 0; i < model.length; i++) {
        int byte = (unsigned char)model.start[i];
        if (byte == '%') {
            byte = escaped_byte(model.start + i, model.length - i);
            i += 2;
        }
        if (length + 1 >= size)
            return error_set(err, ERROR_BAD_REQUEST, NULL, "The model id in the path is longer than %zu bytes.",
                             size - 1);
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    json_t *probe = json_stringn(out, length);
    bool is_text = probe != NULL;
    json_decref(probe);
    return is_text || error_set(err, ERROR_BAD_REQUEST, NULL, "The model id in the path is not valid UTF-8.");
}

static void refuse_path(const char *method, const char *path, struct error *err)
{
    char quoted_method[QUOTE_BYTES], quoted_path[QUOTE_BYTES];
    error_quote(quoted_method, sizeof quoted_method, method, strlen(method), NULL);
    error_quote(quoted_path, sizeof quoted_path, path, strlen(path), NULL);
    error_set(err, ERROR_UNKNOWN_PATH, NULL,
              "Unknown request URL: %s %s. This server has POST /v1/chat/completions, GET /v1/models and "
              "GET /v1/models/{model}; check the base URL of your client.",
              quoted_method, quoted_path);
}

static void refuse_method(const struct endpoint *row, const char *method, const char **allow, struct error *err)
{
    bool reads = strcmp(row->method, "GET") == 0;
    *allow = reads ? "GET, HEAD" : row->method;
    char quoted[QUOTE_BYTES];
    error_quote(quoted, sizeof quoted, method, strlen(method), NULL);
    error_set(err, ERROR_METHOD_NOT_SUPPORTED, NULL, "This path does not take the method %s. Use %s.", quoted,
              row->method);
}

const struct endpoint *endpoint_find(const char *method, const char *path, char *model, size_t size, const char **allow,
                                     struct error *err)
{
    ensure(size > 0);
    model[0] = '\0';
    struct span span = strip(path);
    if (!is_well_encoded(span)) {
        error_set(err, ERROR_BAD_REQUEST, NULL,
                  "The path holds a broken percent-encoding, or an encoded NUL. Encode it anew.");
        return NULL;
    }
    const struct endpoint *same_path = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct span found;
        if (!pattern_fits(rows[i].pattern, span, &found))
            continue;
        if (method_fits(&rows[i], method))
            return decode_model(found, model, size, err) ? &rows[i] : NULL;
        same_path = &rows[i];
    }
    if (same_path != NULL)
        refuse_method(same_path, method, allow, err);
    else
        refuse_path(method, path, err);
    return NULL;
}

bool endpoint_key_allows(const struct key *key, const char *alias)
{
    if (key == NULL || key->model_count == 0)
        return true;
    for (size_t i = 0; i < key->model_count; i++)
        if (route_matches(key->models[i], alias, NULL, 0))
            return true;
    return false;
}
