/* Content parts that are no text: what is accepted, what is wrong with the others, and the URI that is sent. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/chat.h"
#include "openai/mapping.h"

#define PNG "iVBORw0KGgo="
#define PDF "JVBERi0xLjQ="
#define ZIP "UEsDBAoAAAA="
#define WAV "UklGRiQAAABXQVZFZm10IA=="
#define MP3 "SUQzBAAAAAAAAA=="
#define MP4 "AAAAGGZ0eXBtcDQyAAAAAG1wNDJpc29t"

#define IMAGE(url) "{'type':'image_url','image_url':{'url':'" url "'}}"
#define FILE_PART(members) "{'type':'file','file':{" members "}}"
#define SOUND(members) "{'type':'input_audio','input_audio':{" members "}}"

/* A model that takes one of each, so that the URI is seen. */
#define ROUTE "{\"map\":{\"image\":\"image\",\"audio\":\"audio\",\"video\":\"video\",\"file\":\"file\"}}"

/* Tables are written with single quotes. The caller frees. */
static char *body_of(const char *part)
{
    char *body;
    size_t length = strlen(part) + 128;
    body = malloc(length);
    ck_assert_ptr_nonnull(body);
    snprintf(body, length, "{'model':'kimi','messages':[{'role':'user','content':[{'type':'text','text':'Hi'},%s]}]}",
             part);
    for (char *c = body; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return body;
}

static const struct row {
    const char *part, *input, *uri;
} rows[] = {
    {IMAGE("https://example.com/a.png?x=1#y"), "image", "https://example.com/a.png?x=1#y"},
    {IMAGE("HTTP://example.com"), "image", "HTTP://example.com"},
    {"{'type':'image_url','image_url':'http://x/'}", "image", "http://x/"},
    {"{'type':'image_url','image_url':{'url':'http://x/','detail':'low'},'cache_control':{}}", "image", "http://x/"},
    {"{'type':'input_image','image_url':'http://x/'}", "image", "http://x/"},
    {"{'type':'input_image','image_url':'http://x/','file_id':null}", "image", "http://x/"},
    {"{'type':'audio_url','audio_url':{'url':'http://x/'}}", "audio", "http://x/"},
    {"{'type':'video_url','video_url':{'url':'http://x/'}}", "video", "http://x/"},
    {"{'type':'input_file','file_url':'http://x/'}", "file", "http://x/"},
    /* The type that the bytes show counts, within the kind. */
    {IMAGE("data:image/png;base64," PNG), "image", "data:image/png;base64," PNG},
    {IMAGE("data:IMAGE/PNG;base64," PNG), "image", "data:IMAGE/PNG;base64," PNG},
    {IMAGE("data:image/jpeg;base64," PNG), "image", "data:image/png;base64," PNG},
    {IMAGE("data:application/octet-stream;base64," PNG), "image", "data:image/png;base64," PNG},
    {IMAGE("data:;base64," PNG), "image", "data:image/png;base64," PNG},
    {IMAGE("data:image/x-new;base64,AAAA"), "image", "data:image/x-new;base64,AAAA"},
    {IMAGE("data:image/x-new,%41a"), "image", "data:image/x-new,%41a"},
    {SOUND("'data':'" WAV "','format':'wav'"), "audio", "data:audio/wav;base64," WAV},
    {SOUND("'data':'" MP3 "','format':'mp3'"), "audio", "data:audio/mpeg;base64," MP3},
    {SOUND("'data':'" MP3 "','format':'wav'"), "audio", "data:audio/mpeg;base64," MP3},
    {SOUND("'data':'AAAA','format':'MP3'"), "audio", "data:audio/mpeg;base64,AAAA"},
    /* Sounds and films share their containers. */
    {SOUND("'data':'" MP4 "','format':'m4a'"), "audio", "data:audio/mp4;base64," MP4},
    {"{'type':'audio_url','audio_url':'data:application/x;base64," MP4 "'}", "audio", "data:audio/mp4;base64," MP4},
    {"{'type':'video_url','video_url':'data:video/mp4;base64," MP4 "'}", "video", "data:video/mp4;base64," MP4},
    {FILE_PART("'file_data':'data:application/pdf;base64," PDF "'"), "file", "data:application/pdf;base64," PDF},
    {FILE_PART("'file_data':'data:text/plain;base64," PDF "'"), "file", "data:application/pdf;base64," PDF},
    {FILE_PART("'file_data':'" PDF "','filename':'a.bin'"), "file", "data:application/pdf;base64," PDF},
    {FILE_PART("'file_data':'YWJj','filename':'notes.TXT'"), "file", "data:text/plain;base64,YWJj"},
    {FILE_PART("'file_data':'YWJj','filename':'notes'"), "file", "data:application/octet-stream;base64,YWJj"},
    {FILE_PART("'file_data':'" ZIP "'"), "file", "data:application/zip;base64," ZIP},
    {FILE_PART("'file_data':'" ZIP "','filename':'a.docx'"), "file",
     "data:application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64," ZIP},
    {FILE_PART("'file_data':'data:application/epub+zip;base64," ZIP "'"), "file",
     "data:application/epub+zip;base64," ZIP},
    {"{'type':'input_file','file_data':'" PDF "','filename':'a.pdf'}", "file", "data:application/pdf;base64," PDF},
};

START_TEST(a_part_becomes_this_uri)
{
    struct call call;
    struct route route;
    struct error err = {0};
    char *body = body_of(rows[_i].part);
    help_route(&route, ROUTE);
    ck_assert_msg(help_decode(&call, body, &err), "%s: %s", body, err.message);
    json_t *input = mapping_input(&call, &route, NULL, &err);
    ck_assert_msg(input != NULL, "%s: %s", body, err.message);
    const char *uri = json_text(input, rows[_i].input);
    ck_assert_msg(uri != NULL, "%s", body);
    ck_assert_str_eq(uri, rows[_i].uri);
    ck_assert_str_eq(json_text(input, "prompt"), "Hi");
    ck_assert_uint_eq(call.prompt_bytes, 2);
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
    free(body);
}
END_TEST

#define AT "messages[0].content[1]"

static const struct refusal {
    const char *part;
    enum error_kind kind;
    const char *param, *words;
} refusals[] = {
    {IMAGE("ftp://x/a"), ERROR_INVALID_VALUE, AT ".image_url.url", "`http://`"},
    {IMAGE("https://"), ERROR_INVALID_VALUE, AT ".image_url.url", "`http://`"},
    {IMAGE("https:///a"), ERROR_INVALID_VALUE, AT ".image_url.url", "`http://`"},
    {IMAGE("a.png"), ERROR_INVALID_VALUE, AT ".image_url.url", "`http://`"},
    {IMAGE(""), ERROR_INVALID_VALUE, AT ".image_url.url", "`http://`"},
    {IMAGE("http://x/a b"), ERROR_INVALID_VALUE, AT ".image_url.url", "a space"},
    {IMAGE("http://x/a\\nb"), ERROR_INVALID_VALUE, AT ".image_url.url", "control character"},
    {IMAGE("data:image/png;base64"), ERROR_INVALID_VALUE, AT ".image_url.url", "comma"},
    {IMAGE("data:image/png;base64,"), ERROR_INVALID_VALUE, AT ".image_url.url", "no data"},
    {IMAGE("data:image/png;base64,iVBORw0K!"), ERROR_INVALID_VALUE, AT ".image_url.url", "base64"},
    {IMAGE("data:image/png;base64," PDF), ERROR_INVALID_VALUE, AT ".image_url.url", "application/pdf"},
    {IMAGE("data:image/png;base64," MP4), ERROR_INVALID_VALUE, AT ".image_url.url", "video/mp4"},
    {IMAGE("data:text/plain;base64,YWJj"), ERROR_INVALID_VALUE, AT ".image_url.url", "an image"},
    {IMAGE("data:;base64,AAAA"), ERROR_INVALID_VALUE, AT ".image_url.url", "not recognised"},
    {"{'type':'image_url','image_url':{}}", ERROR_MISSING_PARAMETER, AT ".image_url.url", "missing"},
    {"{'type':'image_url','image_url':{'url':7}}", ERROR_INVALID_TYPE, AT ".image_url.url", "a string"},
    {"{'type':'image_url','image_url':null}", ERROR_INVALID_TYPE, AT ".image_url", "null"},
    {"{'type':'input_image'}", ERROR_MISSING_PARAMETER, AT ".image_url", "missing"},
    {"{'type':'input_image','image_url':null,'file_id':'file-1'}", ERROR_UNSUPPORTED_PARAMETER, AT ".file_id",
     "no files are kept here"},
    {SOUND("'data':'" WAV "'"), ERROR_MISSING_PARAMETER, AT ".input_audio.format", "missing"},
    {SOUND("'data':'" WAV "','format':'midi'"), ERROR_INVALID_VALUE, AT ".input_audio.format", "mp3"},
    {SOUND("'format':'wav'"), ERROR_MISSING_PARAMETER, AT ".input_audio.data", "missing"},
    {SOUND("'data':'data:audio/wav;base64," WAV "','format':'wav'"), ERROR_INVALID_VALUE, AT ".input_audio.data",
     "base64"},
    {SOUND("'data':'" PNG "','format':'wav'"), ERROR_INVALID_VALUE, AT ".input_audio.data", "image/png"},
    {SOUND("'data':'','format':'wav'"), ERROR_INVALID_VALUE, AT ".input_audio.data", "no data"},
    {FILE_PART(""), ERROR_MISSING_PARAMETER, AT ".file.file_data", "missing"},
    {FILE_PART("'file_id':'file-1'"), ERROR_UNSUPPORTED_PARAMETER, AT ".file.file_id", "no files are kept here"},
    {FILE_PART("'file_data':'http://x/'"), ERROR_INVALID_VALUE, AT ".file.file_data", "base64"},
    {FILE_PART("'file_url':'file:///etc/passwd'"), ERROR_INVALID_VALUE, AT ".file.file_url", "`http://`"},
    {"{'type':'input_file','file_id':'file-1'}", ERROR_UNSUPPORTED_PARAMETER, AT ".file_id", "no files are kept here"},
    {"{'type':'video_url','video_url':{'url':'data:video/mp4;base64," PNG "'}}", ERROR_INVALID_VALUE,
     AT ".video_url.url", "a video"},
};

static void assert_refused(const char *part, enum error_kind kind, const char *param, const char *words)
{
    struct call call;
    struct error err = {0};
    char *body = body_of(part);
    ck_assert_msg(!help_decode(&call, body, &err), "%.300s was accepted", body);
    ck_assert_msg(err.kind == kind, "%.300s: kind %d, %s", body, (int)err.kind, err.message);
    ck_assert_str_eq(err.param, param);
    ck_assert_msg(strstr(err.message, words) != NULL, "%s", err.message);
    call_dispose(&call);
    free(body);
}

START_TEST(a_part_that_no_model_could_read_is_refused_by_its_path)
{
    assert_refused(refusals[_i].part, refusals[_i].kind, refusals[_i].param, refusals[_i].words);
}
END_TEST

/* `{'type':'image_url',…}` with a URL of that many bytes. */
static char *long_url(size_t length)
{
    struct buf part;
    buf_init(&part, length + 256);
    buf_append_text(&part, "{'type':'image_url','image_url':'http://x/");
    for (size_t i = strlen("http://x/"); i < length; i++)
        buf_append(&part, "a", 1);
    buf_append_text(&part, "'}");
    return buf_take(&part, NULL);
}

START_TEST(a_url_has_at_most_8192_bytes)
{
    struct call call;
    struct error err = {0};
    char *fits = long_url(8192), *exceeds = long_url(8193), *body = body_of(fits);
    ck_assert_msg(help_decode(&call, body, &err), "%s", err.message);
    assert_refused(exceeds, ERROR_INVALID_VALUE, AT ".image_url", "8192");
    call_dispose(&call);
    free(body);
    free(fits);
    free(exceeds);
}
END_TEST

/* That many images after the text. */
static char *many_images(int count)
{
    struct buf parts;
    buf_init(&parts, 1 << 20);
    for (int i = 0; i < count; i++)
        buf_printf(&parts, "%s" IMAGE("http://x/"), i > 0 ? "," : "");
    return buf_take(&parts, NULL);
}

START_TEST(a_request_holds_at_most_100_parts_that_are_no_text)
{
    struct call call;
    struct error err = {0};
    char *fit = many_images(100), *exceed = many_images(101), *body = body_of(fit);
    ck_assert_msg(help_decode(&call, body, &err), "%s", err.message);
    assert_refused(exceed, ERROR_INVALID_VALUE, "messages[0].content[101]", "100 images");
    call_dispose(&call);
    free(body);
    free(fit);
    free(exceed);
}
END_TEST

/* One copy is large enough, so the request is written where it stays. */
START_TEST(a_single_file_has_at_most_100_megabytes)
{
    static const char head[] = "{\"model\":\"kimi\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\","
                               "\"file\":{\"file_data\":\"";
    static const char tail[] = "\"}}]}]}";
    static const size_t data = (size_t)100 * 1000 * 1000 / 3 * 4 + 8; /* base64 of a little more */
    struct call call;
    struct error err = {0};
    size_t length = strlen(head) + data + strlen(tail);
    char *body = malloc(length);
    ck_assert_ptr_nonnull(body);
    memcpy(body, head, strlen(head));
    memset(body + strlen(head), 'A', data);
    memcpy(body + strlen(head) + data, tail, strlen(tail));
    ck_assert(!help_decode_bytes(&call, body, length, &err));
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_str_eq(err.param, "messages[0].content[0].file.file_data");
    ck_assert_msg(strstr(err.message, "100 MB") != NULL, "%s", err.message);
    call_dispose(&call);
    free(body);
}
END_TEST

static Suite *media_part_suite(void)
{
    Suite *suite = suite_create("media_part");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(parts, 30);
    tcase_add_loop_test(parts, a_part_becomes_this_uri, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(parts, a_part_that_no_model_could_read_is_refused_by_its_path, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(parts, a_url_has_at_most_8192_bytes);
    tcase_add_test(parts, a_request_holds_at_most_100_parts_that_are_no_text);
    suite_add_tcase(suite, parts);
    TCase *large = tcase_create("large");
    tcase_set_tags(large, "large");
    tcase_add_test(large, a_single_file_has_at_most_100_megabytes);
    suite_add_tcase(suite, large);
    return suite;
}

int main(void)
{
    return suite_run(media_part_suite());
}
