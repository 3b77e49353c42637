/* Answers of Replicate's that are no prediction, as errors that say to our client what to do. */
#include "replicate/api.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "api_int.h"

/* Longer waits than a day are nonsense, and would overflow sums of times. */
static const double WAIT_LONGEST_S = 24 * 60 * 60;

/* More a minute is as good as no limit. */
enum { RATE_MAX = 1000000 };

/* An error answer, opened once for all that is read from it. */
struct refusal {
    int status;
    json_t *root;                    /* NULL where it is not JSON */
    char quote[API_QUOTE_BYTES + 1]; /* what Replicate says, in quotation marks, or what the answer is instead */
};

static void refusal_init(struct refusal *refusal, int status, const char *body, size_t length, const char *token)
{
    refusal->status = status;
    refusal->root = json_parse_lenient(body, length);
    const char *instead = refusal->root == NULL ? "an answer that is not JSON" : "an answer without a reason";
    snprintf(refusal->quote, sizeof refusal->quote, "%s", instead);
    const json_t *detail = json_object_get(refusal->root, "detail");
    if (detail == NULL || json_is_null(detail))
        detail = json_object_get(refusal->root, "title");
    if (detail == NULL || json_is_null(detail))
        return;
    /* Two bytes fewer, for the quotation marks. */
    char text[API_QUOTE_BYTES - 1];
    api_quote_value(text, sizeof text, detail, token);
    size_t end = strlen(text);
    while (end > 0 && text[end - 1] == ' ')
        text[--end] = '\0';
    if (end > 0)
        snprintf(refusal->quote, sizeof refusal->quote, "\"%s\"", text);
}

/* The quote is kept apart from the JSON, so only that is freed. */
static void refusal_dispose(struct refusal *refusal)
{
    json_decref(refusal->root);
}

/* The number of seconds behind `mark`, as in "resets in ~5s"; -1 where there is none. */
static double seconds_after(const char *text, const char *mark)
{
    for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + 1, mark)) {
        const char *number = at + strlen(mark);
        number += strspn(number, " ~");
        char *end = NULL;
        if (*number < '0' || *number > '9')
            continue;
        double seconds = strtod(number, &end);
        if (end[strspn(end, " ")] == 's')
            return seconds;
    }
    return -1;
}

/* The number is certain where there is one; the words are the older form, and still what the documentation shows. */
static int64_t retry_after_of(const json_t *root)
{
    const json_t *value = json_object_get(root, "retry_after");
    double seconds = json_is_number(value) ? json_number_value(value) : -1;
    const char *detail = json_text(root, "detail");
    if (!(seconds >= 0) && detail != NULL)
        seconds = seconds_after(detail, " in");
    if (!(seconds >= 0))
        return -1;
    return (int64_t)ceil((seconds < WAIT_LONGEST_S ? seconds : WAIT_LONGEST_S) * 1000);
}

int64_t api_retry_after_ms(const char *body, size_t length)
{
    json_t *root = json_parse_lenient(body, length);
    int64_t wait_ms = retry_after_of(root);
    json_decref(root);
    return wait_ms;
}

/* The number that stands before `mark`; 0 where there is none. */
static int64_t number_before(const char *text, const char *mark)
{
    const char *end = strstr(text, mark);
    const char *start = end;
    while (start != NULL && start > text && start[-1] >= '0' && start[-1] <= '9')
        start--;
    if (start == end)
        return 0;
    long long number = strtoll(start, NULL, 10);
    return number > RATE_MAX ? RATE_MAX : number;
}

/* The number behind `mark`; 0 where there is none. */
static int64_t number_after(const char *text, const char *mark)
{
    const char *at = strstr(text, mark);
    if (at == NULL || at[strlen(mark)] < '0' || at[strlen(mark)] > '9')
        return 0;
    long long number = strtoll(at + strlen(mark), NULL, 10);
    return number > RATE_MAX ? RATE_MAX : number;
}

void api_told_rate(const char *body, size_t length, int64_t *per_minute, int64_t *burst)
{
    json_t *root = json_parse_lenient(body, length);
    const char *detail = json_text(root, "detail");
    *per_minute = detail == NULL ? 0 : number_before(detail, " requests per minute");
    *burst = detail == NULL ? 0 : number_after(detail, "burst of ");
    json_decref(root);
}

/* The first field that Replicate complains about. A missing one is reported on its parent, with its name in the words
 * "NAME is required". */
static void invalid_field(const json_t *root, char out[ERROR_PARAM_BYTES])
{
    out[0] = '\0';
    const json_t *first = json_array_get(json_object_get(root, "invalid_fields"), 0);
    const char *field = json_text(first, "field");
    const char *type = json_text(first, "type");
    const char *description = json_text(first, "description");
    char param[ERROR_PARAM_BYTES];
    if (field == NULL)
        return;
    const char *is_required = description == NULL ? NULL : strstr(description, " is required");
    if (type != NULL && strcmp(type, "required") == 0 && strcmp(field, "input") == 0 && is_required != NULL)
        snprintf(param, sizeof param, "input.%.*s",
                 (int)(is_required - description < 100 ? is_required - description : 100), description);
    else
        snprintf(param, sizeof param, "%s", field);
    error_quote(out, ERROR_PARAM_BYTES, param, strlen(param), NULL);
}

/* Replicate says 422, not 404, for a version that does not exist or belongs to somebody else. */
static bool names_no_version(const json_t *root)
{
    const char *title = json_text(root, "title");
    const char *detail = json_text(root, "detail");
    return (title != NULL && strstr(title, "Invalid version or not permitted") != NULL) ||
           (detail != NULL && strstr(detail, "version does not exist") != NULL);
}

/* A 404 says no more than that this path does not run this model: community models do not run by name. */
bool api_is_wrong_form(int status, const char *body, size_t length)
{
    if (status == 404)
        return true;
    if (status != 422)
        return false;
    json_t *root = json_parse_lenient(body, length);
    bool is_wrong = names_no_version(root);
    json_decref(root);
    return is_wrong;
}

/* Replicate hides what one may not use as if it did not exist, so the message must allow for both. */
static void not_found_error(const struct refusal *refusal, const struct job *job, struct error *err)
{
    static const char *const things[] = {
        [TARGET_MODEL] = "model",
        [TARGET_VERSION] = "model version",
        [TARGET_DEPLOYMENT] = "deployment",
    };
    const struct target *target = &job->target;
    const char *name = target->name != NULL ? target->name : target->version;
    bool has_both = target->kind == TARGET_VERSION && target->name != NULL;
    error_set(err, ERROR_MODEL_NOT_FOUND, NULL,
              "Replicate has no %s %s%s%s, or %s token may not use it (HTTP %d: %s). Check the name.",
              things[target->kind], name, has_both ? ":" : "", has_both ? target->version : "",
              job->is_client_token ? "your" : "this server's", refusal->status, refusal->quote);
}

/* A header comes from what is nearest to the limit, so it goes before the body. */
static void throttled_error(const struct refusal *refusal, int64_t retry_after_header_ms, struct error *err)
{
    int64_t wait_ms = retry_after_header_ms >= 0 ? retry_after_header_ms : retry_after_of(refusal->root);
    error_set(err, ERROR_RATE_LIMITED, NULL,
              "Replicate's rate limit for creating predictions is used up: %s. Try again later.", refusal->quote);
    if (err != NULL)
        err->retry_after_ms = wait_ms > 0 ? wait_ms : 0;
}

/* The field is named in Replicate's terms; whoever knows the request's mapping turns it into the client's. */
static void unprocessable_error(const struct refusal *refusal, const struct job *job, struct error *err)
{
    if (names_no_version(refusal->root)) {
        not_found_error(refusal, job, err);
        return;
    }
    char param[ERROR_PARAM_BYTES];
    invalid_field(refusal->root, param);
    error_set(err, ERROR_INVALID_VALUE, param, "Replicate refused the model's input: %s. Correct it and try again.",
              refusal->quote);
}

/* After a 5xx nobody knows whether something was created, hence no word of trying again. */
static void other_error(const struct refusal *refusal, struct error *err)
{
    int status = refusal->status;
    if (status >= 400 && status < 500)
        error_set(err, ERROR_INVALID_VALUE, NULL,
                  "Replicate refused the request with HTTP %d: %s. Correct the request and try again.", status,
                  refusal->quote);
    else if (status >= 500)
        error_set(
            err, ERROR_UPSTREAM_ERROR, NULL,
            "Replicate answered the creation of the prediction with HTTP %d: %s. It may have been created all the "
            "same, so it is not tried again by itself.",
            status, refusal->quote);
    else
        error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                  "Replicate answered the creation of the prediction with HTTP %d, which is no answer to that. The "
                  "operator should check the configured base URL.",
                  status);
}

static void fill_error(const struct refusal *refusal, int64_t retry_after_header_ms, const struct job *job,
                       struct error *err)
{
    switch (refusal->status) {
    case 401:
    case 403:
        error_set(
            err, ERROR_UPSTREAM_AUTHENTICATION, NULL,
            "Replicate refused this server's API token (HTTP %d: %s). Its operator must check REPLICATE_API_TOKEN.",
            refusal->status, refusal->quote);
        break;
    case 402:
        error_set(err, ERROR_INSUFFICIENT_QUOTA, NULL,
                  "The Replicate account of %s lacks credit (HTTP 402: %s). %s must add some.",
                  job->is_client_token ? "your token" : "this server", refusal->quote,
                  job->is_client_token ? "Its owner" : "Its operator");
        break;
    case 404:
        not_found_error(refusal, job, err);
        break;
    case 422:
        unprocessable_error(refusal, job, err);
        break;
    case 429:
        throttled_error(refusal, retry_after_header_ms, err);
        break;
    default:
        other_error(refusal, err);
        break;
    }
}

void api_create_error(int status, const char *body, size_t length, int64_t retry_after_header_ms, const struct job *job,
                      struct error *err)
{
    struct refusal refusal;
    refusal_init(&refusal, status, body, length, job->token);
    fill_error(&refusal, retry_after_header_ms, job, err);
    refusal_dispose(&refusal);
}
