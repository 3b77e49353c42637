/* Finds the URI or the data in a content part, and checks it where the client sees it, before anything is run: a model
 * that cannot fetch or read a file fails late, with a message that nobody understands. */
#include "media_part_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/data_uri.h"
#include "base/ensure.h"
#include "base/json.h"
#include "chat_messages_int.h"

enum { URL_MAX_BYTES = 8192, DATA_MAX_BYTES = 100 * 1000 * 1000, SNIFF_BYTES = 64 };

/* How a part holds what it is about. */
enum part_shape {
    SHAPE_URL,   /* a URI, or an object with one under `url` */
    SHAPE_SOUND, /* an object with `data`, base64, and `format` */
    SHAPE_FILE,  /* an object with `file_data` or `file_url`, and `filename` */
    SHAPE_FLAT,  /* the same members in the part itself */
};

static const struct part_row {
    const char *type, *member;
    enum media_kind kind;
    enum part_shape shape;
} part_rows[] = {
    {"image_url", "image_url", MEDIA_IMAGE, SHAPE_URL},
    {"input_image", "image_url", MEDIA_IMAGE, SHAPE_URL},
    {"audio_url", "audio_url", MEDIA_AUDIO, SHAPE_URL},
    {"video_url", "video_url", MEDIA_VIDEO, SHAPE_URL},
    {"input_audio", "input_audio", MEDIA_AUDIO, SHAPE_SOUND},
    {"file", "file", MEDIA_FILE, SHAPE_FILE},
    {"input_file", "", MEDIA_FILE, SHAPE_FLAT},
};

/* Words for formats of sounds, and extensions of file names. */
static const struct type_row {
    const char *word, *type;
} sound_types[] =
    {
        {"wav", "audio/wav"},  {"mp3", "audio/mpeg"}, {"flac", "audio/flac"}, {"ogg", "audio/ogg"},
        {"opus", "audio/ogg"}, {"m4a", "audio/mp4"},  {"aac", "audio/aac"},   {"webm", "audio/webm"},
},
  file_types[] = {
      {"pdf", "application/pdf"},
      {"txt", "text/plain"},
      {"md", "text/markdown"},
      {"csv", "text/csv"},
      {"html", "text/html"},
      {"json", "application/json"},
      {"xml", "application/xml"},
      {"zip", "application/zip"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
      {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"wav", "audio/wav"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
      {"webm", "video/webm"},
};

static const char *type_for(const struct type_row *rows, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(rows[i].word, word) == 0)
            return rows[i].type;
    return NULL;
}

static const struct part_row *find_row(const json_t *part)
{
    const char *type = json_text(part, "type");
    for (size_t i = 0; type != NULL && i < sizeof part_rows / sizeof part_rows[0]; i++)
        if (strcmp(part_rows[i].type, type) == 0)
            return &part_rows[i];
    return NULL;
}

bool media_part_is(const json_t *part)
{
    return find_row(part) != NULL;
}

enum media_kind media_kind_of(const char *type)
{
    static const char *const heads[] = {"image/", "audio/", "video/"};
    for (int i = 0; i < MEDIA_FILE; i++)
        if (strncasecmp(type, heads[i], strlen(heads[i])) == 0)
            return (enum media_kind)i;
    return MEDIA_FILE;
}

static void step_into(struct media_part *media, const char *member)
{
    size_t length = strlen(media->path);
    snprintf(media->path + length, sizeof media->path - length, ".%s", member);
}

/* The member as the part's text; the path is then the member's. */
static bool take_text(const json_t *object, const char *member, struct media_part *media, struct error *err)
{
    step_into(media, member);
    media->text = json_object_get(object, member);
    if (media->text == NULL || json_is_null(media->text))
        return message_missing(media->path, err);
    return json_is_string(media->text) || message_wrong_type(media->path, "a string", media->text, err);
}

static bool has_value(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return value != NULL && !json_is_null(value);
}

/* There is no store of files here that an id could lead to. */
static bool refuse_id(struct media_part *media, struct error *err)
{
    step_into(media, "file_id");
    return error_set(err, ERROR_UNSUPPORTED_PARAMETER, media->path,
                     "`%s` names an uploaded file, and no files are kept here. Send the file within the message, as a "
                     "data: URI, or its URL.",
                     media->path);
}

static bool find_url(const json_t *part, const struct part_row *row, struct media_part *media, struct error *err)
{
    const json_t *value = json_object_get(part, row->member);
    if (!has_value(part, row->member) && has_value(part, "file_id"))
        return refuse_id(media, err);
    if (value == NULL || json_is_string(value))
        return take_text(part, row->member, media, err);
    step_into(media, row->member);
    if (!json_is_object(value))
        return message_wrong_type(media->path, "a string or an object", value, err);
    return take_text(value, "url", media, err);
}

static bool find_sound(const json_t *sound, struct media_part *media, struct error *err)
{
    struct media_part format = *media;
    if (!take_text(sound, "format", &format, err) || !take_text(sound, "data", media, err))
        return false;
    const char *word = json_string_value(format.text);
    const char *type = type_for(sound_types, sizeof sound_types / sizeof sound_types[0], word);
    if (type == NULL)
        return error_set(err, ERROR_INVALID_VALUE, format.path,
                         "`%s` has to be one of wav, mp3, flac, ogg, opus, m4a, aac and webm.", format.path);
    snprintf(media->type, sizeof media->type, "%s", type);
    media->is_bare = true;
    return true;
}

static bool find_file(const json_t *file, struct media_part *media, struct error *err)
{
    if (!has_value(file, "file_data")) {
        if (has_value(file, "file_url"))
            return take_text(file, "file_url", media, err);
        if (has_value(file, "file_id"))
            return refuse_id(media, err);
    }
    if (!take_text(file, "file_data", media, err))
        return false;
    media->is_bare = !data_uri_is(json_string_value(media->text), json_string_length(media->text));
    const char *filename = json_text(file, "filename");
    const char *dot = filename != NULL ? strrchr(filename, '.') : NULL;
    const char *type = dot != NULL ? type_for(file_types, sizeof file_types / sizeof file_types[0], dot + 1) : NULL;
    snprintf(media->type, sizeof media->type, "%s", type != NULL ? type : "");
    return true;
}

static bool find_text(const json_t *part, const struct part_row *row, struct media_part *media, struct error *err)
{
    const json_t *holder = json_object_get(part, row->member);
    if (row->shape == SHAPE_URL)
        return find_url(part, row, media, err);
    if (row->shape == SHAPE_FLAT)
        return find_file(part, media, err);
    step_into(media, row->member);
    if (holder == NULL)
        return message_missing(media->path, err);
    if (!json_is_object(holder))
        return message_wrong_type(media->path, "an object", holder, err);
    return row->shape == SHAPE_SOUND ? find_sound(holder, media, err) : find_file(holder, media, err);
}

static bool is_url(const char *text)
{
    size_t head = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    return head > 0 && text[head] != '\0' && strchr("/?#:", text[head]) == NULL;
}

static bool check_url(const struct media_part *media, struct error *err)
{
    const char *text = json_string_value(media->text);
    if (!is_url(text))
        return error_set(err, ERROR_INVALID_VALUE, media->path,
                         "`%s` has to be a URL that begins with `http://` or `https://`, or a data: URI.", media->path);
    if (json_string_length(media->text) > URL_MAX_BYTES)
        return error_set(err, ERROR_INVALID_VALUE, media->path,
                         "`%s` is longer than the %d bytes that a URL may have. Send a shorter URL, or the file itself "
                         "as a data: URI.",
                         media->path, URL_MAX_BYTES);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c <= ' ' || *c == 0x7f)
            return error_set(err, ERROR_INVALID_VALUE, media->path,
                             "`%s` holds a space or a control character, which no URL may. Write it percent-encoded.",
                             media->path);
    return true;
}

/* The data of a part, whichever way it is written. False: it is no data: URI. */
static bool data_of(const struct media_part *media, struct data_uri *uri)
{
    const char *text = json_string_value(media->text);
    size_t length = json_string_length(media->text);
    if (!media->is_bare)
        return data_uri_parse(text, length, uri);
    *uri = (struct data_uri){.payload = text, .payload_length = length, .is_base64 = true};
    return true;
}

/* Sounds and films share their containers, so that the first bytes do not tell which of the two it is. */
static bool may_be_either(enum media_kind one, enum media_kind other)
{
    return (one == MEDIA_AUDIO && other == MEDIA_VIDEO) || (one == MEDIA_VIDEO && other == MEDIA_AUDIO);
}

/* What a file's bytes show, except that documents of many kinds are archives, is truer than what it is called. */
static const char *file_type(const char *declared, const char *extension, const char *shown)
{
    if (shown != NULL && strcmp(shown, "application/zip") != 0)
        return shown;
    if (declared[0] != '\0' && strcasecmp(declared, "application/octet-stream") != 0)
        return declared;
    if (extension[0] != '\0')
        return extension;
    return shown != NULL ? shown : "application/octet-stream";
}

/* The type under which the data is sent; false where they are not of the part's kind. `shown`: by their bytes, or NULL.
 */
static bool settle_type(struct media_part *media, const char *declared, const char *shown)
{
    static const char *const words[] = {"image", "audio", "video"};
    char settled[MEDIA_TYPE_BYTES];
    bool is_declared = declared[0] != '\0' && media_kind_of(declared) == media->kind;
    if (media->kind == MEDIA_FILE)
        snprintf(settled, sizeof settled, "%s", file_type(declared, media->type, shown));
    else if (shown != NULL && media_kind_of(shown) == media->kind)
        snprintf(settled, sizeof settled, "%s", shown);
    else if (is_declared && (shown == NULL || may_be_either(media_kind_of(shown), media->kind)))
        snprintf(settled, sizeof settled, "%s", declared);
    else if (shown != NULL && may_be_either(media_kind_of(shown), media->kind))
        snprintf(settled, sizeof settled, "%s/%s", words[media->kind], strchr(shown, '/') + 1);
    else
        return false;
    media->is_retyped = !media->is_bare && strcasecmp(settled, declared) != 0;
    snprintf(media->type, sizeof media->type, "%s", settled);
    return true;
}

static bool refuse_type(const struct media_part *media, const char *shown, struct error *err)
{
    static const char *const kinds[] = {"an image", "a sound", "a video", "a file"};
    return error_set(err, ERROR_INVALID_VALUE, media->path, "`%s` has to hold %s, but its data is %s%s.", media->path,
                     kinds[media->kind], shown != NULL ? "of the type " : "not recognised as one",
                     shown != NULL ? shown : "; name its media type in the data: URI");
}

static bool check_type(struct media_part *media, const struct data_uri *uri, struct error *err)
{
    unsigned char bytes[SNIFF_BYTES];
    const char *shown = media_type_sniff(bytes, data_uri_peek(uri, bytes, sizeof bytes));
    char declared[MEDIA_TYPE_BYTES] = "";
    /* A type that is longer than all there are is none. */
    if (media->is_bare && media->kind != MEDIA_FILE)
        snprintf(declared, sizeof declared, "%s", media->type);
    else if (uri->media_type_length < sizeof declared)
        snprintf(declared, sizeof declared, "%.*s", (int)uri->media_type_length,
                 uri->media_type_length > 0 ? uri->media_type : "");
    return settle_type(media, declared, shown) || refuse_type(media, shown, err);
}

static bool check_data(const struct media_part *media, const struct data_uri *uri, struct error *err)
{
    size_t size;
    if (!data_uri_measure(uri, &size))
        return error_set(err, ERROR_INVALID_VALUE, media->path, "`%s` does not hold well-formed base64.", media->path);
    if (size == 0)
        return error_set(err, ERROR_INVALID_VALUE, media->path, "`%s` holds no data.", media->path);
    if (size > DATA_MAX_BYTES)
        return error_set(err, ERROR_INVALID_VALUE, media->path,
                         "`%s` holds more than the %d MB that a single file may have. Send its URL instead.",
                         media->path, DATA_MAX_BYTES / 1000000);
    return true;
}

static bool read_part(const json_t *part, const char *path, struct media_part *media, bool whole, struct error *err)
{
    const struct part_row *row = find_row(part);
    struct data_uri uri;
    ensure(row != NULL);
    *media = (struct media_part){.kind = row->kind};
    snprintf(media->path, sizeof media->path, "%s", path);
    if (!find_text(part, row, media, err))
        return false;
    if (!media->is_bare && !data_uri_is(json_string_value(media->text), json_string_length(media->text)))
        return check_url(media, err);
    if (!data_of(media, &uri))
        return error_set(err, ERROR_INVALID_VALUE, media->path,
                         "`%s` is no data: URI: the comma before the data is missing.", media->path);
    return (!whole || check_data(media, &uri, err)) && check_type(media, &uri, err);
}

bool media_part_check(const json_t *part, const char *path, struct error *err)
{
    struct media_part media;
    return read_part(part, path, &media, true, err);
}

bool media_part_read(const json_t *part, const char *path, struct media_part *media, struct error *err)
{
    return read_part(part, path, media, false, err);
}

json_t *media_part_uri(const struct media_part *media)
{
    struct data_uri uri;
    if (!media->is_bare && !media->is_retyped)
        return json_incref(media->text);
    struct buf out;
    ensure(data_of(media, &uri));
    buf_init(&out, uri.payload_length + 2 * (size_t)MEDIA_TYPE_BYTES);
    buf_printf(&out, "data:%s%s,", media->type, uri.is_base64 ? ";base64" : "");
    buf_append(&out, uri.payload, uri.payload_length);
    ensure(!out.overflowed);
    json_t *text = json_string_of(buf_text(&out), out.length);
    ensure(text != NULL); /* a piece of parsed JSON behind plain ASCII */
    buf_dispose(&out);
    return text;
}
