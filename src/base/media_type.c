/* What kind of file some bytes are, by their first ones, and what such a file is usually called. */
#include "base/data_uri.h"

#include <string.h>
#include <strings.h>

/* Some bytes at a place of their own. */
struct magic {
    size_t offset, length;
    const char *bytes;
    const char *media_type;
};

#define MAGIC(offset, bytes, media_type)                                                                               \
    {                                                                                                                  \
        (offset), sizeof(bytes) - 1, (bytes), (media_type)                                                             \
    }

static const struct magic magics[] = {
    MAGIC(0, "\x89PNG\r\n\x1A\n", "image/png"),
    MAGIC(0, "\xFF\xD8\xFF", "image/jpeg"),
    MAGIC(0, "GIF87a", "image/gif"),
    MAGIC(0, "GIF89a", "image/gif"),
    MAGIC(0, "II*\0", "image/tiff"),
    MAGIC(0, "MM\0*", "image/tiff"),
    MAGIC(0, "ID3", "audio/mpeg"),
    MAGIC(0, "OggS", "audio/ogg"),
    MAGIC(0, "fLaC", "audio/flac"),
    MAGIC(0, "ADIF", "audio/aac"),
    MAGIC(0, "%PDF-", "application/pdf"),
    MAGIC(0, "PK\x03\x04", "application/zip"),
    MAGIC(0, "PK\x05\x06", "application/zip"),
    /* Old films of QuickTime have no `ftyp`. */
    MAGIC(4, "moov", "video/quicktime"),
    MAGIC(4, "mdat", "video/quicktime"),
    MAGIC(4, "wide", "video/quicktime"),
};

/* The brands of files that begin with `ftyp`; of others it is video/mp4. */
static const struct {
    char brand[5];
    const char *media_type;
} brands[] = {
    {"avif", "image/avif"}, {"avis", "image/avif"}, {"heic", "image/heic"},      {"heix", "image/heic"},
    {"heim", "image/heic"}, {"heis", "image/heic"}, {"hevc", "image/heic"},      {"hevx", "image/heic"},
    {"M4A ", "audio/mp4"},  {"M4B ", "audio/mp4"},  {"qt  ", "video/quicktime"},
};

static bool has(const unsigned char *bytes, size_t length, size_t offset, const char *text)
{
    size_t text_length = strlen(text);
    return length >= offset + text_length && memcmp(bytes + offset, text, text_length) == 0;
}

static bool holds(const unsigned char *bytes, size_t length, const char *text)
{
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static const char *brand_type(const unsigned char *bytes, size_t length, size_t offset)
{
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
        if (has(bytes, length, offset, brands[i].brand))
            return brands[i].media_type;
    return NULL;
}

/* The main brand, at 8, may be that of a whole family (mif1); then one of the compatible ones, from 16, tells. */
static const char *sniff_ftyp(const unsigned char *bytes, size_t length)
{
    if (!has(bytes, length, 4, "ftyp"))
        return NULL;
    size_t box = (size_t)bytes[2] << 8 | bytes[3];
    size_t end = box < length ? box : length;
    const char *type = brand_type(bytes, length, 8);
    bool is_image = has(bytes, length, 8, "mif1") || has(bytes, length, 8, "msf1");
    for (size_t at = 16; type == NULL && is_image && at + 4 <= end; at += 4)
        type = brand_type(bytes, end, at);
    if (type != NULL)
        return type;
    return is_image ? "image/heic" : "video/mp4";
}

static const char *sniff_riff(const unsigned char *bytes, size_t length)
{
    bool is_riff = has(bytes, length, 0, "RIFF") || has(bytes, length, 0, "RF64");
    if (is_riff && has(bytes, length, 8, "WAVE"))
        return "audio/wav";
    return is_riff && has(bytes, length, 8, "WEBP") ? "image/webp" : NULL;
}

/* Matroska at large is of the same family, but not what players of WebM take. */
static const char *sniff_webm(const unsigned char *bytes, size_t length)
{
    return has(bytes, length, 0, "\x1A\x45\xDF\xA3") && !holds(bytes, length, "matroska") ? "video/webm" : NULL;
}

/* Two letters prove little, so what must be zero is looked at, too, and the size of the header that follows. */
static const char *sniff_bmp(const unsigned char *bytes, size_t length)
{
    static const unsigned char zeros[4];
    if (length < 18 || !has(bytes, length, 0, "BM") || memcmp(bytes + 6, zeros, sizeof zeros) != 0)
        return NULL;
    bool is_header = (bytes[14] == 12 || (bytes[14] >= 40 && bytes[14] <= 124)) && memcmp(bytes + 15, zeros, 3) == 0;
    return is_header ? "image/bmp" : NULL;
}

/* A frame of sound begins with eleven or twelve bits that are set. Values that the standards reserve are no sound, nor
 * is layer I, which nobody uses, and which text in UTF-16 looks like. */
static const char *sniff_frame(const unsigned char *bytes, size_t length)
{
    if (length < 4 || bytes[0] != 0xFF)
        return NULL;
    if ((bytes[1] & 0xF6) == 0xF0)
        return "audio/aac";
    bool is_sync =
        (bytes[1] & 0xE0) == 0xE0 && (bytes[1] & 0x18) != 0x08 && (bytes[1] & 0x06) != 0 && (bytes[1] & 0x06) != 0x06;
    bool is_rate = (bytes[2] & 0xF0) != 0xF0 && (bytes[2] & 0x0C) != 0x0C;
    return is_sync && is_rate ? "audio/mpeg" : NULL;
}

static const char *sniff_svg(const unsigned char *bytes, size_t length)
{
    size_t at = has(bytes, length, 0, "\xEF\xBB\xBF") ? 3 : 0;
    while (at < length && memchr(" \t\r\n", bytes[at], 4) != NULL)
        at++;
    bool is_markup = has(bytes, length, at, "<?xml") || has(bytes, length, at, "<!--") ||
                     has(bytes, length, at, "<!DOCTYPE svg") || has(bytes, length, at, "<svg");
    bool is_svg = holds(bytes, length, "<svg") || holds(bytes, length, "<!DOCTYPE svg");
    return is_markup && is_svg ? "image/svg+xml" : NULL;
}

const char *media_type_sniff(const unsigned char *bytes, size_t length)
{
    static const char *(*const sniffers[])(const unsigned char *bytes, size_t length) = {
        sniff_ftyp, sniff_riff, sniff_webm, sniff_bmp, sniff_frame, sniff_svg,
    };
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const struct magic *magic = &magics[i];
        if (length >= magic->offset + magic->length && memcmp(bytes + magic->offset, magic->bytes, magic->length) == 0)
            return magic->media_type;
    }
    const char *type = NULL;
    for (size_t i = 0; type == NULL && i < sizeof sniffers / sizeof sniffers[0]; i++)
        type = sniffers[i](bytes, length);
    return type;
}

/* ---- names ---- */

static const struct {
    const char *media_type, *extension;
} extensions[] = {
    {"image/png", "png"},
    {"image/jpeg", "jpg"},
    {"image/jpg", "jpg"},
    {"image/gif", "gif"},
    {"image/webp", "webp"},
    {"image/avif", "avif"},
    {"image/heic", "heic"},
    {"image/heif", "heif"},
    {"image/bmp", "bmp"},
    {"image/tiff", "tiff"},
    {"image/svg+xml", "svg"},
    {"image/x-icon", "ico"},
    {"audio/wav", "wav"},
    {"audio/wave", "wav"},
    {"audio/x-wav", "wav"},
    {"audio/vnd.wave", "wav"},
    {"audio/mpeg", "mp3"},
    {"audio/mp3", "mp3"},
    {"audio/ogg", "ogg"},
    {"audio/opus", "opus"},
    {"audio/flac", "flac"},
    {"audio/x-flac", "flac"},
    {"audio/mp4", "m4a"},
    {"audio/m4a", "m4a"},
    {"audio/x-m4a", "m4a"},
    {"audio/aac", "aac"},
    {"audio/webm", "webm"},
    {"video/mp4", "mp4"},
    {"video/webm", "webm"},
    {"video/quicktime", "mov"},
    {"video/mpeg", "mpeg"},
    {"video/x-matroska", "mkv"},
    {"video/x-msvideo", "avi"},
    {"application/pdf", "pdf"},
    {"application/zip", "zip"},
    {"application/gzip", "gz"},
    {"application/x-tar", "tar"},
    {"application/json", "json"},
    {"text/plain", "txt"},
    {"text/csv", "csv"},
    {"text/html", "html"},
    {"text/markdown", "md"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"},
    {"model/gltf-binary", "glb"},
};

const char *media_type_extension(const char *media_type)
{
    size_t length = media_type != NULL ? strcspn(media_type, "; \t") : 0;
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        const char *known = extensions[i].media_type;
        if (length == strlen(known) && strncasecmp(media_type, known, length) == 0)
            return extensions[i].extension;
    }
    return "bin";
}
