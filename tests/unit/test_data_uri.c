/* data: URIs, base64 in all its spellings, and what kind of file some bytes are. */
#include <stdlib.h>
#include <string.h>

#include "base/data_uri.h"
#include "check_main.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { BUF_BYTES = 1 << 20 };

static const struct {
    const char *text;
    bool is_uri;
    const char *media_type;
    bool is_base64;
    const char *payload;
} shapes[] = {
    {"data:image/png;base64,AAAA", true, "image/png", true, "AAAA"},
    {"DATA:Image/PNG;BASE64,AAAA", true, "Image/PNG", true, "AAAA"},
    {"data:text/plain;charset=utf-8;base64,AAAA", true, "text/plain", true, "AAAA"},
    {"data:text/plain; base64 ; charset=utf-8,AAAA", true, "text/plain", true, "AAAA"},
    {"data: image/png ;base64,AAAA", true, "image/png", true, "AAAA"},
    {"data:;base64,AAAA", true, "", true, "AAAA"},
    {"data:,a,b", true, "", false, "a,b"},
    {"data:text/plain,", true, "text/plain", false, ""},
    {"data:text/plain;name=base64,AA", true, "text/plain", false, "AA"},
    {"data:base64,AA", true, "base64", false, "AA"},
    {"data:text/plain;;,AA", true, "text/plain", false, "AA"},
    {"data:image/png;base64", false, NULL, false, NULL},
    {"data:", false, NULL, false, NULL},
    {"data", false, NULL, false, NULL},
    {"", false, NULL, false, NULL},
    {" data:,a", false, NULL, false, NULL},
    {"https://example.com/a,b", false, NULL, false, NULL},
};

START_TEST(a_data_uri_is_taken_apart)
{
    struct data_uri uri;
    size_t length = strlen(shapes[_i].text);
    ck_assert_msg(data_uri_parse(shapes[_i].text, length, &uri) == shapes[_i].is_uri, "%s", shapes[_i].text);
    if (!shapes[_i].is_uri)
        return;
    ck_assert(data_uri_is(shapes[_i].text, length));
    ck_assert_uint_eq(uri.media_type_length, strlen(shapes[_i].media_type));
    ck_assert_int_eq(memcmp(uri.media_type, shapes[_i].media_type, uri.media_type_length), 0);
    ck_assert_int_eq(uri.is_base64, shapes[_i].is_base64);
    ck_assert_uint_eq(uri.payload_length, strlen(shapes[_i].payload));
    ck_assert_int_eq(memcmp(uri.payload, shapes[_i].payload, uri.payload_length), 0);
}
END_TEST

static struct data_uri uri_of(const char *payload, bool is_base64)
{
    return (struct data_uri){
        .media_type = "", .payload = payload, .payload_length = strlen(payload), .is_base64 = is_base64};
}

static const struct {
    const char *payload;
    const char *bytes; /* NULL: it is broken */
} base64_rows[] = {
    /* The test vectors of RFC 4648. */
    {"", ""},
    {"Zg==", "f"},
    {"Zm8=", "fo"},
    {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"},
    {"Zm9vYmFy", "foobar"},
    {"Zg", "f"},
    {"Zm8", "fo"},
    {"Zm9vYmE", "fooba"},
    {"+/+/", "\xFB\xFF\xBF"},
    {"-_-_", "\xFB\xFF\xBF"},
    {"+_-/", "\xFB\xFF\xBF"},
    {" Zm9v\r\n\tYmFy\n", "foobar"},
    {"Z m 9 v Y g = = ", "foob"},
    {"Z\nm\n8\n=\n", "fo"},
    {"Z", NULL},
    {"Zm9vY", NULL},
    {"Zg=", NULL},
    {"Zg===", NULL},
    {"Zm8==", NULL},
    {"Zm9v=", NULL},
    {"Zm9v====", NULL},
    {"=", NULL},
    {"==", NULL},
    {"Zg==Zg==", NULL},
    {"Zm9v!", NULL},
    {"Zm9v%3D", NULL},
    {"Zm9v\xC3\xA4", NULL},
    {"Zm9vYmFyZm9vYmFyZm9vYmFy.m9v", NULL},
};

START_TEST(base64_is_read_in_all_its_spellings)
{
    struct data_uri uri = uri_of(base64_rows[_i].payload, true);
    const char *bytes = base64_rows[_i].bytes;
    struct buf out;
    buf_init(&out, BUF_BYTES);
    buf_append_text(&out, "before ");
    ck_assert(data_uri_decode(&uri, &out) == (bytes != NULL));
    ck_assert(data_uri_is_sound(&uri) == (bytes != NULL));
    ck_assert_int_eq(memcmp(buf_text(&out), "before ", 7), 0);
    if (bytes != NULL) {
        ck_assert_str_eq(buf_text(&out) + 7, bytes);
        ck_assert_uint_eq(data_uri_size(&uri), strlen(bytes));
    } else {
        ck_assert_uint_eq(out.length, 7);
    }
    buf_dispose(&out);
}
END_TEST

static const struct {
    const char *payload, *bytes;
} percent_rows[] = {
    {"", ""},
    {"a,b", "a,b"},
    {"%48%65llo%2c", "Hello,"},
    {"a+b c", "a+b c"},
    {"<svg width='100%'/>", "<svg width='100%'/>"},
    {"%", "%"},
    {"%4", "%4"},
    {"%zz%41", "%zzA"},
    {"%c3%A4", "\xC3\xA4"},
};

START_TEST(percent_encoding_is_decoded_and_a_lone_percent_sign_is_itself)
{
    struct data_uri uri = uri_of(percent_rows[_i].payload, false);
    struct buf out;
    buf_init(&out, BUF_BYTES);
    ck_assert(data_uri_decode(&uri, &out));
    ck_assert_str_eq(buf_text(&out), percent_rows[_i].bytes);
    ck_assert_uint_eq(data_uri_size(&uri), strlen(percent_rows[_i].bytes));
    ck_assert(data_uri_is_sound(&uri));
    buf_dispose(&out);
}
END_TEST

/* Longer than what is decoded at a time, with line ends at odd places. */
START_TEST(long_payloads_are_decoded_whole)
{
    static char payload[64 * 1024];
    struct buf out;
    size_t length = 0, groups = 0;
    for (; length + 5 < sizeof payload; groups++) {
        memcpy(payload + length, "Zm9v", 4);
        length += 4;
        if (groups % 19 == 18)
            payload[length++] = '\n';
    }
    payload[length] = '\0';
    struct data_uri uri = uri_of(payload, true);
    buf_init(&out, BUF_BYTES);
    ck_assert(data_uri_decode(&uri, &out));
    ck_assert_uint_eq(out.length, groups * 3);
    ck_assert_uint_eq(data_uri_size(&uri), groups * 3);
    for (size_t i = 0; i < out.length; i += 3)
        ck_assert_int_eq(memcmp(buf_text(&out) + i, "foo", 3), 0);
    buf_dispose(&out);
    /* Broken at its very end, it leaves nothing. */
    payload[length - 1] = '!';
    ck_assert(!data_uri_decode(&uri, &out));
    ck_assert_uint_eq(out.length, 0);
    ck_assert_uint_ge(data_uri_size(&uri), groups * 3);
    buf_dispose(&out);
}
END_TEST

/* Plain characters are counted in groups: none that is unusual may hide in one. */
START_TEST(to_measure_is_to_decode_without_the_bytes)
{
    static const char unusual[] = {'\n', ' ', '=', '-', '_', '!', '\x80', '\xC1', '\0'};
    char payload[70];
    for (size_t place = 0; place < sizeof payload; place++) {
        for (size_t i = 0; i < sizeof unusual; i++) {
            memset(payload, 'Q', sizeof payload);
            payload[place] = unusual[i];
            for (size_t length = sizeof payload - 4; length <= sizeof payload; length++) {
                struct data_uri uri = {.payload = payload, .payload_length = length, .is_base64 = true};
                struct buf bytes;
                size_t size = 0;
                buf_init(&bytes, BUF_BYTES);
                bool is_sound = data_uri_decode(&uri, &bytes);
                ck_assert(data_uri_measure(&uri, &size) == is_sound && data_uri_is_sound(&uri) == is_sound);
                if (is_sound)
                    ck_assert_uint_eq(size, bytes.length);
                buf_dispose(&bytes);
            }
        }
    }
}
END_TEST

START_TEST(what_does_not_fit_is_not_decoded)
{
    struct data_uri uri = uri_of("Zm9vYmFy", true);
    struct buf out;
    buf_init(&out, 5);
    ck_assert(!data_uri_decode(&uri, &out));
    ck_assert(out.overflowed);
    ck_assert_uint_eq(out.length, 0);
    buf_dispose(&out);
}
END_TEST

START_TEST(a_peek_shows_the_first_bytes_even_of_a_broken_payload)
{
    static const struct {
        const char *payload;
        bool is_base64;
        size_t size;
        const char *bytes;
    } peeks[] = {
        {"Zm9vYmFy", true, 64, "foobar"},
        {"Zm9vYmFy", true, 4, "foob"},
        {"Zm9vYmFy", true, 0, ""},
        {"Zm9vYg==", true, 4, "foob"},
        {"Zm9v!Zm9v", true, 64, "foo"},
        {"%41bc", false, 2, "Ab"},
        {"", true, 64, ""},
    };
    for (int i = 0; i < ROWS(peeks); i++) {
        unsigned char bytes[64];
        struct data_uri uri = uri_of(peeks[i].payload, peeks[i].is_base64);
        size_t length = data_uri_peek(&uri, bytes, peeks[i].size);
        ck_assert_uint_eq(length, strlen(peeks[i].bytes));
        ck_assert_int_eq(memcmp(bytes, peeks[i].bytes, length), 0);
    }
}
END_TEST

/* ---- kinds ---- */

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t length;
    const char *media_type;
} kinds[] = {
    {BYTES("\x89PNG\r\n\x1A\n\0\0\0\rIHDR"), "image/png"},
    {BYTES("\xFF\xD8\xFF\xE0\0\x10JFIF"), "image/jpeg"},
    {BYTES("GIF89a\1\0\1\0"), "image/gif"},
    {BYTES("GIF87a"), "image/gif"},
    {BYTES("RIFF\x10\0\0\0WEBPVP8 "), "image/webp"},
    {BYTES("RIFF\x10\0\0\0WAVEfmt "), "audio/wav"},
    {BYTES("RIFF\x10\0\0\0AVI LIST"), NULL},
    {BYTES("\0\0\0\x1C"
           "ftypavif\0\0\0\0avifmif1"),
     "image/avif"},
    {BYTES("\0\0\0\x18"
           "ftypmif1\0\0\0\0mif1avif"),
     "image/avif"},
    {BYTES("\0\0\0\x18"
           "ftypmif1\0\0\0\0mif1miaf"),
     "image/heic"},
    {BYTES("\0\0\0\x14"
           "ftypmif1\0\0\0\0mif1avif"),
     "image/heic"},
    {BYTES("\0\0\0\x18"
           "ftypheic\0\0\0\0mif1heic"),
     "image/heic"},
    {BYTES("\0\0\0\x18"
           "ftypisom\0\0\2\0isomiso2"),
     "video/mp4"},
    {BYTES("\0\0\0\x18"
           "ftypmp42\0\0\0\0avif"),
     "video/mp4"},
    {BYTES("\0\0\0\x14"
           "ftypqt  \0\0\2\0qt  "),
     "video/quicktime"},
    {BYTES("\0\0\0\x6Dmoov"), "video/quicktime"},
    {BYTES("\0\0\0\x1C"
           "ftypM4A \0\0\2\0"),
     "audio/mp4"},
    {BYTES("\0\0\0\x18"
           "ftyp"),
     "video/mp4"},
    {BYTES("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"), "image/bmp"},
    {BYTES("BMW makes cars, and more."), NULL},
    {BYTES("II*\0\x08\0\0\0"), "image/tiff"},
    {BYTES("MM\0*\0\0\0\x08"), "image/tiff"},
    {BYTES("<svg xmlns='http://www.w3.org/2000/svg'>"), "image/svg+xml"},
    {BYTES("\xEF\xBB\xBF <?xml version='1.0'?>\n<svg>"), "image/svg+xml"},
    {BYTES("<?xml version='1.0'?><html>"), NULL},
    {BYTES("Write <svg> in your page."), NULL},
    {BYTES("ID3\4\0"), "audio/mpeg"},
    {BYTES("\xFF\xFB\x90\x64"), "audio/mpeg"},
    {BYTES("\xFF\xF3\x44\xC4"), "audio/mpeg"},
    {BYTES("\xFF\xF1\x50\x80"), "audio/aac"},
    {BYTES("\xFF\xFEh\0i\0"), NULL}, /* UTF-16 */
    {BYTES("OggS\0\2"), "audio/ogg"},
    {BYTES("fLaC\0"), "audio/flac"},
    {BYTES("\x1A\x45\xDF\xA3\x9F\x42\x82\x84webm"), "video/webm"},
    {BYTES("\x1A\x45\xDF\xA3\x9F\x42\x82\x88matroska"), NULL},
    {BYTES("%PDF-1.7"), "application/pdf"},
    {BYTES("PK\3\4\x14\0"), "application/zip"},
    {BYTES("{\"a\":1}"), NULL},
    {BYTES(""), NULL},
};

START_TEST(the_first_bytes_tell_the_kind)
{
    const unsigned char *bytes = (const unsigned char *)kinds[_i].bytes;
    const char *media_type = media_type_sniff(bytes, kinds[_i].length);
    if (kinds[_i].media_type == NULL)
        ck_assert_ptr_null(media_type);
    else
        ck_assert_pstr_eq(media_type, kinds[_i].media_type);
}
END_TEST

/* Cut anywhere, no byte beyond the end is looked at: the copy ends where the memory does. */
START_TEST(bytes_that_end_early_are_no_trouble)
{
    for (size_t length = 0; length <= kinds[_i].length; length++) {
        unsigned char *bytes = malloc(length + 1);
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes + 1, kinds[_i].bytes, length);
        const char *media_type = media_type_sniff(bytes + 1, length);
        ck_assert(length > 1 || media_type == NULL);
        free(bytes);
    }
}
END_TEST

START_TEST(a_media_type_has_a_usual_extension)
{
    ck_assert_str_eq(media_type_extension("image/png"), "png");
    ck_assert_str_eq(media_type_extension("Image/JPEG"), "jpg");
    ck_assert_str_eq(media_type_extension("audio/wav; codecs=1"), "wav");
    ck_assert_str_eq(media_type_extension("audio/mpeg"), "mp3");
    ck_assert_str_eq(media_type_extension("image/pn"), "bin");
    ck_assert_str_eq(media_type_extension("image/pngx"), "bin");
    ck_assert_str_eq(media_type_extension(""), "bin");
    ck_assert_str_eq(media_type_extension(NULL), "bin");
    for (int i = 0; i < ROWS(kinds); i++)
        if (kinds[i].media_type != NULL)
            ck_assert_str_ne(media_type_extension(kinds[i].media_type), "bin");
}
END_TEST

static Suite *data_uri_suite(void)
{
    Suite *suite = suite_create("data_uri");
    TCase *uris = tcase_create("uris");
    tcase_add_loop_test(uris, a_data_uri_is_taken_apart, 0, ROWS(shapes));
    tcase_add_loop_test(uris, base64_is_read_in_all_its_spellings, 0, ROWS(base64_rows));
    tcase_add_loop_test(uris, percent_encoding_is_decoded_and_a_lone_percent_sign_is_itself, 0, ROWS(percent_rows));
    tcase_add_test(uris, long_payloads_are_decoded_whole);
    tcase_add_test(uris, to_measure_is_to_decode_without_the_bytes);
    tcase_add_test(uris, what_does_not_fit_is_not_decoded);
    tcase_add_test(uris, a_peek_shows_the_first_bytes_even_of_a_broken_payload);
    suite_add_tcase(suite, uris);
    TCase *kinds_case = tcase_create("kinds");
    tcase_add_loop_test(kinds_case, the_first_bytes_tell_the_kind, 0, ROWS(kinds));
    tcase_add_loop_test(kinds_case, bytes_that_end_early_are_no_trouble, 0, ROWS(kinds));
    tcase_add_test(kinds_case, a_media_type_has_a_usual_extension);
    suite_add_tcase(suite, kinds_case);
    return suite;
}

int main(void)
{
    return suite_run(data_uri_suite());
}
