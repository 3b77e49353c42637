/* What to run and what came of it: reading a model's reference, and the lives of the two plain values. */
#include "base/job.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { VERSION_DIGITS = 64, QUOTED_BYTES = 120 };

static const char own_prefix[] = "replicate/", deployments_prefix[] = "deployments/";

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_version(const char *text)
{
    size_t digits = 0;
    while (isxdigit((unsigned char)text[digits]))
        digits++;
    return digits == VERSION_DIGITS && text[digits] == '\0';
}

static char *version_in_lower_case(const char *text)
{
    char *version = xstrdup(text);
    for (char *digit = version; *digit; digit++)
        *digit = (char)tolower((unsigned char)*digit);
    return version;
}

/* Names go into the path of a URL, so nothing may be in them that means something there; "." and ".." do. */
static bool is_name(const char *text, size_t length)
{
    bool only_dots = true;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && !memchr("._-", text[i], 3))
            return false;
        only_dots = only_dots && text[i] == '.';
    }
    return length > 0 && !only_dots;
}

/* Exactly "owner/name". */
static bool is_owner_and_name(const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    if (!slash)
        return false;
    size_t owner_length = (size_t)(slash - text);
    return is_name(text, owner_length) && is_name(slash + 1, length - owner_length - 1);
}

/* `replicate` is also an owner on Replicate: replicate/hello-world is a model, not a prefixed bare name. */
static const char *without_own_prefix(const char *reference)
{
    if (!begins_with(reference, own_prefix))
        return reference;
    const char *rest = reference + strlen(own_prefix);
    return strchr(rest, '/') || is_version(rest) ? rest : reference;
}

static bool read_reference(const char *text, struct target *target)
{
    if (is_version(text)) {
        *target = (struct target){TARGET_VERSION, NULL, version_in_lower_case(text)};
        return true;
    }
    if (begins_with(text, deployments_prefix)) {
        const char *name = text + strlen(deployments_prefix);
        if (!is_owner_and_name(name, strlen(name)))
            return false;
        *target = (struct target){TARGET_DEPLOYMENT, xstrdup(name), NULL};
        return true;
    }
    size_t length = strcspn(text, ":");
    const char *version = text[length] ? text + length + 1 : NULL;
    if (!is_owner_and_name(text, length) || (version && !is_version(version)))
        return false;
    *target = (struct target){version ? TARGET_VERSION : TARGET_MODEL, xstrndup(text, length),
                              version ? version_in_lower_case(version) : NULL};
    return true;
}

bool target_parse(const char *reference, struct target *target, struct error *err)
{
    if (read_reference(without_own_prefix(reference), target))
        return true;
    char quoted[QUOTED_BYTES];
    error_quote(quoted, sizeof quoted, reference, strlen(reference), NULL);
    return error_set(err, ERROR_INVALID_VALUE, NULL,
                     "\"%s\" does not name a model on Replicate. Write owner/name, owner/name:VERSION, VERSION alone, "
                     "or deployments/owner/name, where VERSION is 64 hexadecimal digits and names consist of letters, "
                     "digits, dots, hyphens and underscores.",
                     quoted);
}

void target_copy(struct target *to, const struct target *from)
{
    *to = (struct target){from->kind, xstrdup(from->name), xstrdup(from->version)};
}

void target_dispose(struct target *target)
{
    free(target->name);
    free(target->version);
    *target = (struct target){0};
}

struct job *job_new(void)
{
    return xcalloc(1, sizeof(struct job));
}

void job_free(struct job *job)
{
    if (!job)
        return;
    target_dispose(&job->target);
    free(job->base_url);
    free(job->token);
    for (size_t i = 0; i < job->header_count; i++) {
        free(job->headers[i].name);
        free(job->headers[i].value);
    }
    free(job->headers);
    free(job->timeout_hint);
    free(job->request_id);
    free(job->follow_id);
    json_decref(job->input);
    ensure(job->join == NULL); /* its prediction took it over */
    if (job->release != NULL)
        job->release(job->hold);
    free(job);
}

struct job *job_take(struct job **job)
{
    struct job *taken = *job;
    *job = NULL;
    return taken;
}

struct outcome *outcome_new(void)
{
    struct outcome *outcome = xcalloc(1, sizeof *outcome);
    outcome->created_after_ms = outcome->running_after_ms = -1;
    outcome->boot_ms = outcome->run_ms = -1;
    return outcome;
}

void outcome_free(struct outcome *outcome)
{
    if (!outcome)
        return;
    json_decref(outcome->output);
    free(outcome->error);
    free(outcome);
}

void outcome_set_error(struct outcome *outcome, const struct error *error)
{
    if (outcome->error == NULL)
        outcome->error = xmalloc(sizeof *outcome->error);
    *outcome->error = *error;
}

struct outcome *outcome_take(struct outcome **outcome)
{
    struct outcome *taken = *outcome;
    *outcome = NULL;
    return taken;
}
