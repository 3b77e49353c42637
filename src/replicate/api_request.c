/* What we send to Replicate: URLs, bodies, and the values of headers.
 *
 * URLs are built from the configured base and an id alone, never taken from an answer (a stream's is, see
 * api_stream.c): the token goes to no host that an answer names. */
#include "replicate/api.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { CANCEL_AFTER_LEAST_S = 5, PREFER_WAIT_LONGEST_S = 60, BODY_FRAME_BYTES = 128, MEMBER_BYTES = 32 };

static bool is_plain(char byte)
{
    char small = (char)(byte | 0x20);
    return (small >= 'a' && small <= 'z') || (byte >= '-' && byte <= '9') || byte == '_' || byte == '~';
}

/* A name is checked where it is read; encoding it again keeps a slip there from choosing another path or host. */
static bool append_path(struct buf *url, const char *path)
{
    const char *plain = path, *at = path;
    for (; *at != '\0'; at++) {
        if (is_plain(*at))
            continue;
        buf_append(url, plain, (size_t)(at - plain));
        buf_printf(url, "%%%02X", (unsigned)(unsigned char)*at);
        plain = at + 1;
    }
    return buf_append(url, plain, (size_t)(at - plain));
}

static bool append_named(struct buf *url, const char *base_url, const char *collection, const char *name)
{
    ensure(name != NULL);
    return buf_append_text(url, base_url) && buf_append_text(url, collection) && append_path(url, name);
}

static bool named_url(const struct job *job, const char *collection, const char *rest, struct buf *url)
{
    return append_named(url, job->base_url, collection, job->target.name) && buf_append_text(url, rest);
}

/* The version to name in the body, or NULL where the path names the model. */
static const char *version_to_send(const struct job *job, const char *version)
{
    if (version != NULL && version[0] != '\0')
        return version;
    return job->target.kind == TARGET_VERSION ? job->target.version : NULL;
}

/* A version runs by its own path, whichever model it belongs to; only models and deployments are named in paths. */
bool api_create_url(const struct job *job, const char *version, struct buf *url)
{
    if (version_to_send(job, version) != NULL)
        return buf_append_text(url, job->base_url) && buf_append_text(url, "/predictions");
    if (job->target.kind == TARGET_DEPLOYMENT)
        return named_url(job, "/deployments/", "/predictions", url);
    return named_url(job, "/models/", "/predictions", url);
}

/* The bytes of most bodies are those of their texts: with room for them they need not grow. */
static void make_room(struct buf *body, const json_t *input)
{
    json_t *members = (json_t *)input; /* jansson walks nothing that is const */
    size_t bytes = BODY_FRAME_BYTES;
    for (void *at = json_object_iter(members); at != NULL; at = json_object_iter_next(members, at))
        bytes += MEMBER_BYTES + json_string_length(json_object_iter_value(at));
    buf_reserve(body, bytes);
}

bool api_create_body(const struct job *job, const char *version, struct buf *body)
{
    /* The top level is strict upstream: any key but these two is refused. */
    const char *sent = version_to_send(job, version);
    make_room(body, job->input);
    if (!buf_append_text(body, "{"))
        return false;
    if (sent != NULL && !(buf_append_text(body, "\"version\":") && json_append_string(body, sent, strlen(sent)) &&
                          buf_append_text(body, ",")))
        return false;
    return buf_append_text(body, "\"input\":") && json_append(body, job->input) && buf_append_text(body, "}");
}

bool api_prediction_url(const struct job *job, const char *id, struct buf *url)
{
    return buf_append_text(url, job->base_url) && buf_append_text(url, "/predictions/") && append_path(url, id);
}

/* Replicate's answers carry this URL too; it is not used, see above. */
bool api_cancel_url(const struct job *job, const char *id, struct buf *url)
{
    return api_prediction_url(job, id, url) && buf_append_text(url, "/cancel");
}

bool api_model_url(const struct job *job, struct buf *url)
{
    return named_url(job, "/models/", "", url);
}

bool api_document_url(const char *base_url, const struct target *target, struct buf *url)
{
    const char *collection = target->kind == TARGET_DEPLOYMENT ? "/deployments/" : "/models/";
    if (!append_named(url, base_url, collection, target->name))
        return false;
    return target->kind != TARGET_VERSION || (buf_append_text(url, "/versions/") && append_path(url, target->version));
}

/* Writes the digits, and gives the place behind them: each prediction has two such headers, and printf takes hundreds
 * of instructions for each. */
static char *write_digits(char *out, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    for (; number > 0 || at == sizeof digits; number /= 10)
        digits[--at] = (char)('0' + number % 10);
    memcpy(out, digits + at, sizeof digits - at);
    return out + (sizeof digits - at);
}

void api_cancel_after(int64_t remaining_ms, char out[32])
{
    /* Rounded up: Replicate must not end a prediction before its client's own deadline has passed. */
    int64_t seconds = remaining_ms <= 0 ? 0 : remaining_ms / 1000 + (remaining_ms % 1000 != 0);
    if (seconds < CANCEL_AFTER_LEAST_S)
        seconds = CANCEL_AFTER_LEAST_S;
    memcpy(write_digits(out, seconds), "s", 2);
}

void api_prefer(int64_t wait_ms, char out[32])
{
    out[0] = '\0';
    if (wait_ms <= 0)
        return;
    int64_t seconds = wait_ms / 1000;
    if (seconds < 1)
        seconds = 1;
    if (seconds > PREFER_WAIT_LONGEST_S)
        seconds = PREFER_WAIT_LONGEST_S;
    memcpy(out, "wait=", 5);
    *write_digits(out + 5, seconds) = '\0';
}
