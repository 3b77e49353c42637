/* The form that a file is sent as, and what Replicate answers to it. Pure.
 *
 * The form's boundary must not occur in the file, which is anybody's: numbered boundaries are tried in one pass over
 * the file, however many of them it was made to hold. */
#include "replicate/api_files.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_int.h"
#include "base/data_uri.h"
#include "base/ensure.h"
#include "base/json.h"
#include "replicate/api.h"
#include "replicate/pacing.h"

#define BOUNDARY_NAME "replibridge-"

enum {
    NAME_LENGTH = sizeof BOUNDARY_NAME - 1,
    DIGITS = 8,
    BOUNDARY_LENGTH = NAME_LENGTH + DIGITS,
    MEDIA_TYPE_BYTES = 64,
    PEEK_BYTES = 64,
};

_Static_assert(API_FILE_MAX_BYTES / BOUNDARY_LENGTH < 100000000, "a number of so many digits is always free");

/* ---- the media type ---- */

/* A type and a subtype of the letters that RFC 9110 allows, so that no line end and no further parameter gets in. */
static bool is_media_type(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-";
    size_t type = strspn(text, allowed);
    if (type == 0 || text[type] != '/')
        return false;
    size_t subtype = strspn(text + type + 1, allowed);
    return subtype > 0 && text[type + 1 + subtype] == '\0';
}

/* What the sender calls it; "" where that says nothing. */
static void declared_type(const struct data_uri *uri, char type[MEDIA_TYPE_BYTES])
{
    size_t length = uri->media_type_length;
    type[0] = '\0';
    if (length >= MEDIA_TYPE_BYTES)
        return;
    for (size_t i = 0; i < length; i++)
        type[i] = (char)tolower((unsigned char)uri->media_type[i]);
    type[length] = '\0';
    if (!is_media_type(type) || strcmp(type, "application/octet-stream") == 0)
        type[0] = '\0';
}

/* The bytes know best which kind of image it is; whether a container holds sound or pictures only its sender knows. */
static void choose_type(const struct data_uri *uri, char type[MEDIA_TYPE_BYTES])
{
    unsigned char first[PEEK_BYTES];
    const char *shown = media_type_sniff(first, data_uri_peek(uri, first, sizeof first));
    declared_type(uri, type);
    size_t family = strcspn(type, "/");
    if (shown != NULL && (type[0] == '\0' || strncmp(shown, type, family + 1) == 0))
        snprintf(type, MEDIA_TYPE_BYTES, "%s", shown);
    else if (type[0] == '\0')
        snprintf(type, MEDIA_TYPE_BYTES, "application/octet-stream");
}

/* ---- the form ---- */

/* Where the next boundary, of whatever number, stands in `bytes`; NULL where none does. */
static const char *next_boundary(const char *bytes, const char *end, size_t *number)
{
    const char *at = bytes;
    while ((at = memmem(at, (size_t)(end - at), BOUNDARY_NAME, NAME_LENGTH)) != NULL && end - at >= BOUNDARY_LENGTH) {
        const char *digits = at + NAME_LENGTH;
        size_t i = 0;
        for (*number = 0; i < DIGITS && isdigit((unsigned char)digits[i]); i++)
            *number = *number * 10 + (size_t)(digits[i] - '0');
        if (i == DIGITS)
            return at;
        at = digits;
    }
    return NULL;
}

/* The lowest number that does not occur. A file has room for `most` boundaries, so of most + 1 one is free. */
static size_t free_number(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    size_t number, lowest = 0, most = length / BOUNDARY_LENGTH;
    const char *at = next_boundary(bytes, end, &number);
    if (at == NULL)
        return 0;
    bool *taken = xcalloc(most + 1, sizeof *taken);
    for (; at != NULL; at = next_boundary(at + BOUNDARY_LENGTH, end, &number))
        if (number <= most)
            taken[number] = true;
    while (taken[lowest])
        lowest++;
    free(taken);
    return lowest;
}

static bool too_large(struct error *err)
{
    return error_set(err, ERROR_REQUEST_TOO_LARGE, NULL,
                     "A file of this request is larger than the 100 MB that Replicate takes, so no prediction was "
                     "created. Send a smaller one.");
}

static bool unsound(struct error *err)
{
    return error_set(err, ERROR_INVALID_VALUE, NULL,
                     "A file of this request is no sound data: URI, so no prediction was created. Correct it and try "
                     "again.");
}

/* The bytes, decoded straight into the form: there is no other copy of them. */
static bool append_file(const struct data_uri *uri, struct buf *form, struct error *err)
{
    size_t start = form->length;
    /* To measure is to read it all; what is short enough as it is written holds no more. */
    if (uri->is_base64 && uri->payload_length > API_FILE_MAX_BYTES && data_uri_size(uri) > API_FILE_MAX_BYTES)
        return too_large(err);
    bool ok = data_uri_decode(uri, form);
    if (form->overflowed || form->length - start > API_FILE_MAX_BYTES)
        return too_large(err);
    return ok || unsound(err);
}

bool api_file_form(const char *value, size_t length, struct buf *form, char content_type[API_FORM_TYPE_BYTES],
                   struct error *err)
{
    struct data_uri uri = {0};
    char type[MEDIA_TYPE_BYTES], digits[DIGITS + 1];
    if (!data_uri_parse(value, length, &uri))
        return unsound(err);
    choose_type(&uri, type);
    ensure(buf_printf(form,
                      "--%s%0*d\r\nContent-Disposition: form-data; name=\"content\"; filename=\"file.%s\"\r\n"
                      "Content-Type: %s\r\n\r\n",
                      BOUNDARY_NAME, DIGITS, 0, media_type_extension(type), type));
    size_t start = form->length;
    if (!append_file(&uri, form, err))
        return false;
    size_t number = free_number(form->data + start, form->length - start);
    snprintf(digits, sizeof digits, "%0*u", DIGITS, (unsigned)(number % 100000000));
    memcpy(form->data + strlen("--" BOUNDARY_NAME), digits, DIGITS);
    ensure(buf_printf(form, "\r\n--%s%s--\r\n", BOUNDARY_NAME, digits));
    snprintf(content_type, API_FORM_TYPE_BYTES, "multipart/form-data; boundary=%s%s", BOUNDARY_NAME, digits);
    return true;
}

/* ---- the answer ---- */

/* It goes into a prediction's input as it is, so it must at least look like a URL. */
static bool is_url(const char *text)
{
    if (text == NULL || strlen(text) >= API_FILE_URL_BYTES)
        return false;
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0 || text[scheme] == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

void api_file_parse(const char *bytes, size_t length, struct api_file *file)
{
    json_t *root = json_parse_lenient(bytes, length);
    const char *url = json_text(json_object_get(root, "urls"), "get");
    *file = (struct api_file){0};
    if (!api_copy_token(file->id, sizeof file->id, json_text(root, "id")))
        file->id[0] = '\0';
    if (is_url(url))
        memcpy(file->url, url, strlen(url) + 1);
    json_decref(root);
}

/* Replicate's own words, in quotation marks. */
static void quote_detail(const struct transfer_answer *answer, const struct job *job, char out[API_QUOTE_BYTES + 1])
{
    char text[API_QUOTE_BYTES - 1];
    json_t *root = json_parse_lenient(answer->body, answer->body_length);
    api_quote_value(text, sizeof text, json_object_get(root, "detail"), job->token);
    json_decref(root);
    if (text[0] == '\0')
        snprintf(out, API_QUOTE_BYTES + 1, "an answer without a reason");
    else
        snprintf(out, API_QUOTE_BYTES + 1, "\"%s\"", text);
}

static void status_error(const struct transfer_answer *answer, const struct job *job, struct error *err)
{
    int status = answer->status;
    char quote[API_QUOTE_BYTES + 1];
    quote_detail(answer, job, quote);
    if (status == 413)
        too_large(err);
    else if (status == 429)
        error_set(err, ERROR_RATE_LIMITED, NULL,
                  "Replicate's rate limit is used up (%s): a file of this request could not be uploaded, so no "
                  "prediction was created. Try again later.",
                  quote);
    else if (status >= 500)
        error_set(err, ERROR_UPSTREAM_UNAVAILABLE, NULL,
                  "Replicate answered the upload of a file with HTTP %d: %s. So no prediction was created. Try again "
                  "later.",
                  status, quote);
    else if (status >= 400 && status != 404 && status != 405)
        error_set(err, ERROR_INVALID_VALUE, NULL,
                  "Replicate refused a file of this request with HTTP %d: %s. So no prediction was created. Send "
                  "another file.",
                  status, quote);
    else
        error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                  "Replicate answered the upload of a file with HTTP %d, which names no file, so no prediction was "
                  "created. The operator should check the configured base URL.",
                  status);
}

void api_file_error(const struct transfer_answer *answer, const struct job *job, struct error *err)
{
    int status = answer->status;
    if (answer->result != TRANSFER_ANSWERED)
        error_set(err, ERROR_UPSTREAM_UNAVAILABLE, NULL,
                  "A file of this request could not be uploaded to Replicate (%s), so no prediction was created. Try "
                  "again later.",
                  answer->detail);
    else if (status >= 401 && status <= 403)
        api_create_error(status, answer->body, answer->body_length, answer->retry_after_ms, job, err);
    else
        status_error(answer, job, err);
}

bool api_file_is_passing(const struct transfer_answer *answer)
{
    return answer->result != TRANSFER_ANSWERED || answer->status == 429 || answer->status >= 500;
}

int64_t api_file_wait_ms(const struct transfer_answer *answer, int failures)
{
    int64_t wait_ms = pacing_backoff_ms(failures);
    if (answer->status != 429)
        return wait_ms;
    int64_t told_ms =
        answer->retry_after_ms >= 0 ? answer->retry_after_ms : api_retry_after_ms(answer->body, answer->body_length);
    return told_ms > wait_ms ? told_ms : wait_ms;
}
