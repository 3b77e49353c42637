/* The output's text, given to the observer as it grows. */
#include "prediction_int.h"

#include "base/log.h"

/* As long as an answer to a poll may be: a longer text could never be compared with its prediction. */
static const size_t text_max_bytes = PREDICTION_ANSWER_BYTES;

static void give(struct prediction *prediction, const char *bytes, size_t length)
{
    const struct prediction_observer *observer = prediction->observer;
    pieces_count(&prediction->pieces, bytes, length);
    if (length > 0 && prediction->job->wants_pieces && observer != NULL && observer->piece != NULL)
        observer->piece(prediction->arg, prediction->index, bytes, length);
}

void prediction_pieces_give(struct prediction *prediction, const char *bytes, size_t length)
{
    if (length <= text_max_bytes - prediction->pieces.given_bytes) {
        give(prediction, bytes, length);
        return;
    }
    struct error error = {0};
    error_set(&error, ERROR_UPSTREAM_ERROR, NULL,
              "The output of prediction %s is longer than %zu MiB, so it was cancelled. Ask for a shorter one.",
              prediction->id, text_max_bytes / 1024 / 1024);
    prediction_give_up(prediction, &error);
}

void prediction_pieces_give_rest(struct prediction *prediction, const json_t *output)
{
    struct buf rest;
    size_t text_bytes = 0;
    buf_init(&rest, text_max_bytes);
    if (pieces_compare(&prediction->pieces, output, &rest, &text_bytes) == PIECES_MATCH)
        give(prediction, buf_text(&rest), rest.length);
    buf_dispose(&rest);
}

/* A text that contradicts the end cannot be taken back any more, so it must not look like a good answer. */
bool prediction_pieces_finish(struct prediction *prediction, const json_t *output, struct error *err)
{
    struct buf rest;
    size_t text_bytes = 0;
    buf_init(&rest, text_max_bytes);
    enum pieces_match match = pieces_compare(&prediction->pieces, output, &rest, &text_bytes);
    bool ok = match == PIECES_MATCH || (match == PIECES_NO_TEXT && prediction->pieces.given_bytes == 0);
    if (match == PIECES_MATCH)
        give(prediction, buf_text(&rest), rest.length);
    buf_dispose(&rest);
    if (ok)
        return true;
    log_write(LOG_LEVEL_WARN, "stream_differs", log_text("request_id", prediction->job->request_id),
              log_text("prediction_id", prediction->id),
              log_number("given_bytes", (int64_t)prediction->pieces.given_bytes),
              log_number("text_bytes", (int64_t)text_bytes));
    return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                     "The stream of prediction %s does not match its output, so what was received of it is not to be "
                     "relied on. The output is on replicate.com; a new request runs the model again.",
                     prediction->id);
}
