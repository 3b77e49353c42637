/* Links to files: what is one, and how it is shown. */
#include "output_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/data_uri.h"

enum { EXTENSION_BYTES_MAX = 11 };

/* A part of a text. */
struct span {
    const char *at;
    size_t length;
};

static const char *const image_extensions[] = {"png", "jpg",  "jpeg", "webp", "gif", "avif", "apng", "bmp",
                                               "tif", "tiff", "heic", "heif", "jxl", "ico",  "svg",  NULL};

static const char *const other_extensions[] = {
    /* sound */
    "mp3", "wav", "ogg", "oga", "opus", "flac", "m4a", "aac", "aiff", "aif", "weba", "wma", "mid", "midi",
    /* video */
    "mp4", "webm", "mov", "mkv", "avi", "m4v", "mpg", "mpeg", "ogv",
    /* documents, data and shapes */
    "pdf", "txt", "csv", "tsv", "json", "jsonl", "xml", "srt", "vtt", "doc", "docx", "ppt", "pptx", "xls", "xlsx",
    "odt", "rtf", "epub", "glb", "gltf", "obj", "ply", "stl", "usdz", "fbx", "npy", "npz", "safetensors",
    /* archives */
    "zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", NULL};

static bool is_one_of(struct span word, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        if (strlen(words[i]) == word.length && strncasecmp(words[i], word.at, word.length) == 0)
            return true;
    return false;
}

static bool begins_with(struct span text, const char *start)
{
    return text.length >= strlen(start) && strncasecmp(text.at, start, strlen(start)) == 0;
}

static bool has_blank(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7F)
            return true;
    return false;
}

/* Up to the first of these bytes, or to the end. */
static struct span until(struct span text, const char *stops)
{
    size_t length = 0;
    while (length < text.length && strchr(stops, text.at[length]) == NULL)
        length++;
    return (struct span){text.at, length};
}

static struct span after(struct span text, size_t length)
{
    return (struct span){text.at + length, text.length - length};
}

static bool is_web_url(struct span text)
{
    return begins_with(text, "https://") || begins_with(text, "http://");
}

static struct span host_of(struct span url)
{
    return until(after(url, begins_with(url, "https://") ? strlen("https://") : strlen("http://")), "/?#");
}

static struct span path_of(struct span url)
{
    struct span host = host_of(url);
    return until(after(url, (size_t)(host.at - url.at) + host.length), "?#");
}

static struct span extension_of(struct span path)
{
    size_t at = path.length;
    while (at > 0 && path.length - at <= EXTENSION_BYTES_MAX && isalnum((unsigned char)path.at[at - 1]))
        at--;
    bool is_extension = at > 1 && path.at[at - 1] == '.';
    return is_extension ? after(path, at) : after(path, path.length);
}

/* Where Replicate keeps the files that models make: such a link need not tell what it is of. */
static bool is_of_replicate(struct span url)
{
    static const char domain[] = ".replicate.delivery", bucket[] = "/replicate-files/";
    struct span host = until(host_of(url), ":"), path = path_of(url);
    size_t length = sizeof domain - 1;
    if (path.length < 2)
        return false;
    if (host.length == length - 1 && strncasecmp(host.at, domain + 1, length - 1) == 0)
        return true;
    if (host.length > length && strncasecmp(host.at + host.length - length, domain, length) == 0)
        return true;
    bool is_storage = host.length == strlen("storage.googleapis.com") && begins_with(host, "storage.googleapis.com");
    return is_storage && path.length > sizeof bucket - 1 && begins_with(path, bucket);
}

/* Prose may begin with "data:", too, but it names no media type. */
static bool is_data_link(struct span text)
{
    struct data_uri uri;
    return data_uri_parse(text.at, text.length, &uri) &&
           (uri.is_base64 || memchr(uri.media_type, '/', uri.media_type_length) != NULL);
}

/* Each piece of an output is asked; most are told by their first letter. */
static bool may_be_link(struct span text)
{
    char first = text.length > 0 ? *text.at : '\0';
    return first == 'h' || first == 'H' || first == 'd' || first == 'D';
}

bool output_is_file_link(const char *text, size_t length)
{
    struct span link = {text, length};
    if (!may_be_link(link))
        return false;
    bool is_data = data_uri_is(text, length);
    if ((!is_data && !is_web_url(link)) || has_blank(link))
        return false;
    if (is_data)
        return is_data_link(link);
    struct span extension = extension_of(path_of(link));
    return host_of(link).length > 0 &&
           (is_of_replicate(link) || is_one_of(extension, image_extensions) || is_one_of(extension, other_extensions));
}

static bool is_image(struct span link)
{
    if (!is_web_url(link))
        return begins_with(link, "data:image/");
    return is_one_of(extension_of(path_of(link)), image_extensions);
}

/* Parentheses would end the link for a reader of Markdown; encoded they mean the same. */
void output_append_link(const char *text, size_t length, struct buf *out)
{
    struct span rest = {text, length};
    buf_append_text(out, is_image(rest) ? "![image](" : "[file](");
    while (rest.length > 0) {
        struct span plain = until(rest, "()");
        buf_append(out, plain.at, plain.length);
        rest = after(rest, plain.length);
        if (rest.length > 0) {
            buf_append_text(out, *rest.at == '(' ? "%28" : "%29");
            rest = after(rest, 1);
        }
    }
    buf_append_text(out, ")");
}
