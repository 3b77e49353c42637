/* Any bytes as an answer of Replicate's: to a create, a poll, a look-up, an upload. What is read of it keeps what its
 * headers promise, no text of it holds the token, and every error is a whole sentence. A prediction, which is read
 * without a tree, is what its tree says. The first byte chooses the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/data_uri.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/output.h"
#include "replicate/api.h"
#include "replicate/api_files.h"
#include "replicate/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN "r8_test-token-that-nobody-may-see"

enum { TEXT_MAX_BYTES = 1 << 22 };

static const int statuses[] = {200, 201, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 0, 302};

static void check_error(const struct error *err)
{
    size_t length = strlen(err->message);
    ensure(err->kind != ERROR_NONE && length > 0 && length < sizeof err->message);
    ensure(strstr(err->message, TOKEN) == NULL && strlen(err->param) < sizeof err->param);
    ensure(err->retry_after_ms >= 0);
}

/* ---- the same, read through a tree ---- */

static bool is_token(const char *text, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return text != NULL && *text != '\0' && strlen(text) < size && text[strspn(text, allowed)] == '\0';
}

static int64_t count_of(const json_t *metrics, const char *name, const char *other_name)
{
    int64_t count;
    const json_t *value = json_object_get(metrics, name), *other = json_object_get(metrics, other_name);
    if (value != NULL && json_whole_number(value, &count) && count >= 0 && count <= INT64_C(1000000000000))
        return count;
    if (other != NULL && json_whole_number(other, &count) && count >= 0 && count <= INT64_C(1000000000000))
        return count;
    return -1;
}

static void check_usage(const struct usage *usage, const json_t *root)
{
    const json_t *metrics = json_object_get(root, "metrics");
    int64_t input = count_of(metrics, "input_token_count", "token_input_count");
    int64_t output = count_of(metrics, "output_token_count", "token_output_count");
    struct usage logged;
    api_usage_from_logs(json_text(root, "logs"), &logged);
    ensure(usage->reasoning_tokens == logged.reasoning_tokens);
    if (input < 0 && output < 0) {
        ensure(usage->reported == logged.reported);
        ensure(usage->input_tokens == logged.input_tokens && usage->output_tokens == logged.output_tokens);
        return;
    }
    ensure(usage->reported && usage->input_tokens == (input < 0 ? 0 : input));
    ensure(usage->output_tokens == (output < 0 ? 0 : output));
}

static void check_quote(const char *quoted, const json_t *value)
{
    struct buf json;
    char expected[501] = "";
    if (!json_is_string(value) && value != NULL && !json_is_null(value)) {
        buf_init(&json, 64 * 1024);
        if (!json_append(&json, value)) {
            buf_clear(&json);
            buf_append_text(&json, json_type_name(value));
        }
        error_quote(expected, sizeof expected, buf_text(&json), json.length, TOKEN);
        buf_dispose(&json);
    } else if (json_is_string(value)) {
        error_quote(expected, sizeof expected, json_string_value(value), json_string_length(value), TOKEN);
    }
    ensure(strcmp(quoted, expected) == 0);
}

static void check_output(const json_t *read, const json_t *output)
{
    struct buf text, expected;
    buf_init(&text, TEXT_MAX_BYTES);
    buf_init(&expected, TEXT_MAX_BYTES);
    output_append_text(read, &text);
    output_append_text(output, &expected);
    ensure(strcmp(buf_text(&text), buf_text(&expected)) == 0);
    bool is_nothing =
        output == NULL || json_is_null(output) || (json_is_string(output) && json_string_length(output) == 0);
    ensure((read == NULL) == is_nothing);
    buf_dispose(&text);
    buf_dispose(&expected);
}

/* `prediction` is NULL where the text was refused. */
static void check_by_tree(const char *bytes, size_t length, const struct api_prediction *prediction)
{
    json_t *root = json_parse_lenient(bytes, length);
    const char *status = json_text(root, "status"), *id = json_text(root, "id"), *version = json_text(root, "version");
    ensure((prediction != NULL) == (status != NULL && is_token(id, sizeof prediction->id)));
    if (prediction != NULL) {
        ensure(strcmp(prediction->id, id) == 0);
        for (int known = API_STATUS_STARTING; known <= API_STATUS_ABORTED; known++)
            ensure((strcmp(api_status_word((enum api_status)known), status) == 0) ==
                   ((int)prediction->status == known));
        ensure(strcmp(prediction->version, is_token(version, sizeof prediction->version) ? version : "") == 0);
        const char *url = json_text(json_object_get(root, "urls"), "stream");
        ensure(strcmp(prediction->stream_url, url != NULL && strlen(url) < API_STREAM_URL_BYTES ? url : "") == 0);
        check_usage(&prediction->usage, root);
        check_quote(prediction->error_text, json_object_get(root, "error"));
        check_output(prediction->output, json_object_get(root, "output"));
        bool has_times = json_text(root, "created_at") != NULL;
        ensure(has_times || (prediction->ran_after_ms == -1 && prediction->ended_after_ms == -1));
    }
    json_decref(root);
}

/* ---- what an answer is read for ---- */

/* What the poll and the create make of a prediction. */
static void read_prediction(const struct job *job, const char *bytes, size_t length)
{
    struct api_prediction prediction;
    struct error err = {0}, failure = {0};
    if (!api_prediction_parse(bytes, length, TOKEN, &prediction, &err)) {
        check_error(&err);
        check_by_tree(bytes, length, NULL);
        return;
    }
    check_by_tree(bytes, length, &prediction);
    struct buf text, rest;
    struct pieces pieces;
    size_t text_bytes;
    buf_init(&text, TEXT_MAX_BYTES);
    buf_init(&rest, TEXT_MAX_BYTES);
    pieces_init(&pieces);
    ensure(prediction.id[0] != '\0' && strstr(prediction.error_text, TOKEN) == NULL);
    ensure(prediction.output == NULL || !json_is_null(prediction.output));
    output_append_text(prediction.output, &text);
    enum pieces_match match = pieces_compare(&pieces, prediction.output, &rest, &text_bytes);
    ensure(match == PIECES_MATCH || match == PIECES_NO_TEXT);
    const char *url = api_stream_url(job, &prediction);
    ensure(url == NULL || strlen(url) < API_STREAM_URL_BYTES);
    /* An id is told as it is: it could only be the token where its owner named a prediction so. */
    bool is_named_so = strstr(prediction.id, TOKEN) != NULL;
    if (!is_named_so && api_status_is_terminal(prediction.status) && prediction.status != API_STATUS_SUCCEEDED) {
        api_failure_error(&prediction, &failure);
        check_error(&failure);
    }
    buf_dispose(&rest);
    buf_dispose(&text);
    api_prediction_dispose(&prediction);
}

static void read_documents(const char *bytes, size_t length)
{
    struct error err = {0};
    struct target release = {0};
    struct api_file file;
    char version[80], quoted[512];
    if (!api_latest_version(bytes, length, "acme/writer", version, &err))
        check_error(&err);
    if (api_deployment_release(bytes, length, "acme/house", &release, &err))
        target_dispose(&release);
    api_file_parse(bytes, length, &file);
    api_stream_error_text(bytes, length, TOKEN, quoted);
    ensure(strstr(quoted, TOKEN) == NULL);
}

/* A file within it, as the uploads would take it. */
static void read_data_uri(const char *bytes, size_t length)
{
    struct data_uri uri;
    struct buf out;
    unsigned char first[64];
    if (!data_uri_parse(bytes, length, &uri))
        return;
    buf_init(&out, TEXT_MAX_BYTES);
    size_t peeked = data_uri_peek(&uri, first, sizeof first);
    (void)media_type_sniff(first, peeked);
    bool is_decoded = data_uri_decode(&uri, &out);
    ensure(is_decoded == data_uri_is_sound(&uri) || out.overflowed);
    ensure(!is_decoded || out.length <= data_uri_size(&uri));
    buf_dispose(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static char base_url[] = "https://api.replicate.test/v1", token[] = TOKEN, name[] = "acme/writer";
    const struct job job = {.target = {.kind = TARGET_MODEL, .name = name}, .base_url = base_url, .token = token};
    int status = statuses[data[0] % (sizeof statuses / sizeof statuses[0])];
    /* As transfers give it: followed by a NUL. */
    size_t length = size - 1;
    char *bytes = xstrndup((const char *)data + 1, length);
    length = strlen(bytes);
    struct error err = {0};
    read_prediction(&job, bytes, length);
    read_documents(bytes, length);
    read_data_uri(bytes, length);
    api_create_error(status, bytes, length, -1, &job, &err);
    check_error(&err);
    (void)api_is_wrong_form(status, bytes, length);
    ensure(api_retry_after_ms(bytes, length) >= -1);
    free(bytes);
    return 0;
}
