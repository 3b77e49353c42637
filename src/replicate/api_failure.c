/* Why a prediction did not succeed: Replicate's free text, sorted into the few kinds that a client can act upon.
 *
 * Error codes are looked at first (they are the only stable part), then words that several models share. */
#include "replicate/api.h"

#include <ctype.h>
#include <string.h>

#include "base/ensure.h"

struct rule {
    const char *text;
    enum error_kind kind;
};

/* E and four digits are the platform's codes, three digits those of the wrappers of official models. */
static const struct rule codes[] = {
    {"E005", ERROR_CONTENT_POLICY},      {"E003", ERROR_UPSTREAM_TRANSIENT},  {"E004", ERROR_UPSTREAM_TRANSIENT},
    {"E1000", ERROR_UPSTREAM_TRANSIENT}, {"E6716", ERROR_UPSTREAM_TRANSIENT}, /* timed out starting */
    {"E8367", ERROR_UPSTREAM_TRANSIENT},                                      /* interrupted */
    {"E9825", ERROR_UPSTREAM_TRANSIENT},                                      /* an upload of theirs failed */
    {"E9828", ERROR_UPSTREAM_TRANSIENT}, {"E1001", ERROR_PREDICTION_FAILED},  /* out of memory */
    {"E4875", ERROR_PREDICTION_FAILED},  {"E8765", ERROR_PREDICTION_FAILED},  /* the model fails its health checks */
    {"E9243", ERROR_PREDICTION_FAILED},                                       /* could not start with this input */
};

static const struct rule words[] = {
    {"flagged as sensitive", ERROR_CONTENT_POLICY},
    {"nsfw", ERROR_CONTENT_POLICY},
    {"content policy", ERROR_CONTENT_POLICY},
    {"content_policy", ERROR_CONTENT_POLICY},
    {"content moderation", ERROR_CONTENT_POLICY},
    {"safety filter", ERROR_CONTENT_POLICY},
    {"safety checker", ERROR_CONTENT_POLICY},
    {"safety system", ERROR_CONTENT_POLICY},
    {"interrupted; please retry", ERROR_UPSTREAM_TRANSIENT},
    {"high demand", ERROR_UPSTREAM_TRANSIENT},
    {"queue is full", ERROR_UPSTREAM_TRANSIENT},
    {"temporarily unavailable", ERROR_UPSTREAM_TRANSIENT},
    {"director: unexpected error", ERROR_UPSTREAM_TRANSIENT},
};

enum { CODE_ROWS = sizeof codes / sizeof codes[0], WORD_ROWS = sizeof words / sizeof words[0] };

/* The length of the code that begins at `at`, or 0. A letter or digit on either side makes it part of another word. */
static size_t code_length(const char *text, const char *at)
{
    if (*at != 'E' || (at > text && isalnum((unsigned char)at[-1])))
        return 0;
    size_t digits = strspn(at + 1, "0123456789");
    if (digits < 3 || digits > 4 || isalnum((unsigned char)at[1 + digits]))
        return 0;
    return 1 + digits;
}

/* Texts may hold several codes, as a wrapped error does; the first that is known decides. */
static enum error_kind kind_by_code(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        size_t length = code_length(text, at);
        for (int i = 0; length > 0 && i < CODE_ROWS; i++)
            if (strlen(codes[i].text) == length && memcmp(at, codes[i].text, length) == 0)
                return codes[i].kind;
    }
    return ERROR_NONE;
}

/* "code: PA": the platform took the machine away. Other letters are not known to mean anything. */
static bool is_preempted(const char *text)
{
    static const char mark[] = "code: PA";
    for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + 1, mark))
        if (!isalnum((unsigned char)at[sizeof mark - 1]))
            return true;
    return false;
}

static enum error_kind kind_by_word(const char *text)
{
    for (int i = 0; i < WORD_ROWS; i++)
        if (strcasestr(text, words[i].text) != NULL)
            return words[i].kind;
    return ERROR_PREDICTION_FAILED;
}

/* A code that is not in the table says nothing, so the words around it are looked at. */
static enum error_kind failure_kind(const char *text)
{
    enum error_kind kind = kind_by_code(text);
    if (kind != ERROR_NONE)
        return kind;
    return is_preempted(text) ? ERROR_UPSTREAM_TRANSIENT : kind_by_word(text);
}

static void failed_error(const struct api_prediction *prediction, struct error *err)
{
    const char *id = prediction->id;
    const char *text = prediction->error_text;
    if (text[0] == '\0') {
        error_set(err, ERROR_PREDICTION_FAILED, NULL,
                  "The prediction %s failed, and Replicate gave no reason. Its logs on replicate.com may say more.",
                  id);
        return;
    }
    switch (failure_kind(text)) {
    case ERROR_CONTENT_POLICY:
        error_set(
            err, ERROR_CONTENT_POLICY, NULL,
            "The model's safety filter stopped the prediction %s: \"%s\" Change the prompt or the other inputs; the "
            "same request is likely to be stopped again.",
            id, text);
        break;
    case ERROR_UPSTREAM_TRANSIENT:
        error_set(err, ERROR_UPSTREAM_TRANSIENT, NULL,
                  "The prediction %s failed for a passing reason on Replicate's side: \"%s\" Try again.", id, text);
        break;
    default:
        error_set(err, ERROR_PREDICTION_FAILED, NULL, "The prediction %s failed. Replicate says: \"%s\"", id, text);
        break;
    }
}

/* `aborted` is a kind of timeout: the prediction was never begun, and its own time in the queue was over. */
void api_failure_error(const struct api_prediction *prediction, struct error *err)
{
    const char *text = prediction->error_text;
    const char *says = text[0] == '\0' ? "" : " Replicate says: ";
    ensure(api_status_is_terminal(prediction->status) && prediction->status != API_STATUS_SUCCEEDED);
    switch (prediction->status) {
    case API_STATUS_CANCELED:
        error_set(err, ERROR_PREDICTION_CANCELED, NULL,
                  "The prediction %s was canceled on Replicate, not by this server.%s%s", prediction->id, says, text);
        break;
    case API_STATUS_ABORTED:
        error_set(
            err, ERROR_TIMEOUT, NULL,
            "The prediction %s was aborted by Replicate before it could run: it waited too long for its model.%s%s",
            prediction->id, says, text);
        break;
    default:
        failed_error(prediction, err);
        break;
    }
}
