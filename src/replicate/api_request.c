/* What we send to Replicate: URLs, bodies, and the values of headers.
 *
 * URLs are built from the configured base and an id alone, never taken from an answer (a stream's is, see
 * api_stream.c): the token goes to no host that an answer names. */
#include "replicate/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { CANCEL_AFTER_LEAST_S = 5, PREFER_WAIT_LONGEST_S = 60 };

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '/';
}

/* A name is checked where it is read; encoding it again keeps a slip there from choosing another path or host. */
static bool append_path(struct buf *url, const char *path)
{
    for (;;) {
        size_t plain = 0;
        while (is_plain(path[plain]))
            plain++;
        if (!buf_append(url, path, plain))
            return false;
        path += plain;
        if (*path == '\0')
            return true;
        if (!buf_printf(url, "%%%02X", (unsigned)(unsigned char)*path++))
            return false;
    }
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

bool api_create_body(const struct job *job, const char *version, struct buf *body)
{
    /* The top level is strict upstream: any key but these two is refused. */
    const char *sent = version_to_send(job, version);
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

void api_cancel_after(int64_t remaining_ms, char out[32])
{
    /* Rounded up: Replicate must not end a prediction before its client's own deadline has passed. */
    int64_t seconds = remaining_ms <= 0 ? 0 : remaining_ms / 1000 + (remaining_ms % 1000 != 0);
    if (seconds < CANCEL_AFTER_LEAST_S)
        seconds = CANCEL_AFTER_LEAST_S;
    snprintf(out, 32, "%" PRId64 "s", seconds);
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
    snprintf(out, 32, "wait=%" PRId64, seconds);
}
