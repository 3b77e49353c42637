/* Images, sounds, videos and files for every model: which input takes them, how many, and what is uploaded. */
#include "base/ensure.h"
#include "unit/mapping_case.h"

#define PNG "data:image/png;base64,iVBORw0KGgo="
#define PDF "data:application/pdf;base64,JVBERi0xLjQ="
#define MP4 "data:video/mp4;base64,AAAAGGZ0eXBtcDQyAAAAAG1wNDJpc29t"
#define WAV "UklGRiQAAABXQVZFZm10IA=="

#define TEXT_PART(text) "{'type':'text','text':'" text "'}"
#define IMAGE(url) "{'type':'image_url','image_url':{'url':'" url "'}}"
#define VIDEO(url) "{'type':'video_url','video_url':{'url':'" url "'}}"
#define SOUND "{'type':'input_audio','input_audio':{'data':'" WAV "','format':'wav'}}"
#define FILE_PART(data) "{'type':'file','file':{'file_data':'" data "'}}"
#define USER(parts) "{'role':'user','content':[" parts "]}"

#define URI(name) "'" name "':{'type':'string','format':'uri'}"
#define URIS(name) "'" name "':{'type':'array','items':{'type':'string','format':'uri'}}"
#define A_URI "{'type':'string','format':'uri'}"
#define A_LIST "{'type':'array','items':" A_URI "}"
#define STRING(name) "'" name "':{'type':'string'}"
#define MODEL(properties) "{'properties':{'prompt':{'type':'string'}," properties "}}"

static const struct row {
    const char *model, *route, *messages, *input, *ignored;
} rows[] = {
    {"openai__gpt-4o", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/") "," TEXT_PART("b") "," IMAGE(PNG)),
     "{'messages':[{'role':'user','content':'a\\nb'}],'image_input':['http://1/','" PNG "']}", ""},
    {"openai__gpt-4o", "{}",
     USER(IMAGE("http://1/")) ",{'role':'assistant','content':'A cat.'}," USER(
         TEXT_PART("And?") "," IMAGE("http://2/")),
     "{'messages':[{'role':'user','content':''},{'role':'assistant','content':'A "
     "cat.'},{'role':'user','content':'And?'}]"
     ",'image_input':['http://1/','http://2/']}",
     ""},
    {"openai__gpt-4o", "{'map':{'messages':'messages'}}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     "{'messages':[{'role':'user','content':'a'}],'image_input':['http://1/']}", ""},
    {"openai__gpt-5-structured", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     "{'input_item_list':[{'role':'user','content':[{'type':'input_text','text':'a'}]}],'image_input':['http://1/']}",
     ""},
    {"anthropic__claude-4-sonnet", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     "{'prompt':'a','image':'http://1/'}", ""},
    {"yorickvp__llava-13b", "{}", USER(IMAGE("http://1/")), "{'prompt':'','image':'http://1/'}", ""},
    {"anthropic__claude-4-sonnet", "{}", "{'role':'system','content':'S'}," USER(IMAGE("http://1/")),
     "{'prompt':'','system_prompt':'S','image':'http://1/'}", ""},
    {"yorickvp__llava-13b", "{}", "{'role':'system','content':'S'}," USER(IMAGE("http://1/")),
     "{'prompt':'S','image':'http://1/'}", ""},
    {"google__gemini-2.5-flash", "{}", USER(VIDEO("http://v/") "," IMAGE("http://1/") "," TEXT_PART("a")),
     "{'prompt':'a','images':['http://1/'],'videos':['http://v/']}", ""},
    {"google__gemini-2.5-flash", "{}", USER(TEXT_PART("a") "," FILE_PART(MP4)), "{'prompt':'a','videos':['" MP4 "']}",
     ""},
    {"openai__whisper", "{}", USER(TEXT_PART("Ann speaks.") "," SOUND),
     "{'initial_prompt':'Ann speaks.','audio':'data:audio/wav;base64," WAV "'}", ""},
    {"openai__whisper", "{'map':{'prompt':null}}", USER(SOUND), "{'audio':'data:audio/wav;base64," WAV "'}", ""},
    {"openai__gpt-4o-transcribe", "{}", USER(TEXT_PART("a") "," SOUND),
     "{'prompt':'a','audio_file':'data:audio/wav;base64," WAV "'}", ""},
    /* Names. */
    {MODEL(URI("mask_image") "," URI("my_picture")), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','my_picture':'http://1/'}", ""},
    {MODEL(STRING("my_image") "," STRING("image_url")), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','image_url':'http://1/'}", ""},
    {MODEL("'image_input':{'type':'string','enum':['a']}," URIS("photos")), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','photos':['http://1/']}", ""},
    {MODEL("'image_input':{'type':'boolean'}," URI("image")), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','image':'http://1/'}", ""},
    {MODEL("'images':{'anyOf':[{'type':'string','format':'uri'},{'type':'array','items':{'type':'string','format':"
           "'uri'}}]}"),
     "{}", USER(IMAGE("http://1/") "," IMAGE("http://2/")), "{'prompt':'','images':['http://1/','http://2/']}", ""},
    /* One or a list: a list where there are several, or where the name speaks of several. */
    {MODEL("'image':{'anyOf':[" A_URI "," A_LIST "]}"), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','image':'http://1/'}", ""},
    {MODEL("'image':{'anyOf':[" A_URI "," A_LIST "]}"), "{}", USER(IMAGE("http://1/") "," IMAGE("http://2/")),
     "{'prompt':'','image':['http://1/','http://2/']}", ""},
    {MODEL("'image':{'anyOf':[{'type':'string','maxLength':5}," A_LIST "]}"), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','image':['http://1/']}", ""},
    {MODEL("'image':{}"), "{}", USER(IMAGE("http://1/")), "{'prompt':'','image':'http://1/'}", ""},
    {MODEL("'images':{}"), "{}", USER(IMAGE("http://1/")), "{'prompt':'','images':['http://1/']}", ""},
    {MODEL("'image':{'type':'string','maxLength':9}"), "{}", USER(IMAGE("http://1/")),
     "{'prompt':'','image':'http://1/'}", ""},
    {MODEL(URI("image_file") "," URI("source_document") "," STRING("file")), "{}", USER(FILE_PART(PDF)),
     "{'prompt':'','source_document':'" PDF "'}", ""},
    {MODEL(URI("image") "," URI("second")), "{'map':{'image':'second'}}", USER(IMAGE("http://1/")),
     "{'prompt':'','second':'http://1/'}", ""},
    {"", "{'map':{'image':'image'}}", USER(TEXT_PART("a") "," IMAGE("http://1/")), "{'prompt':'a','image':'http://1/'}",
     ""},
    {"", "{'map':{'image':'image_input'}}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     "{'prompt':'a','image_input':['http://1/']}", ""},
    {"", "{'map':{'image':'shots'},'input':{'shots':[]}}", USER(IMAGE("http://1/") "," IMAGE("http://2/")),
     "{'prompt':'','shots':['http://1/','http://2/']}", ""},
    {"", "{'map':{'image':'files','file':'files'}}", USER(IMAGE("http://1/") "," FILE_PART(PDF)),
     "{'prompt':'','files':['http://1/','" PDF "']}", ""},
    /* No input for them. */
    {"deepseek-ai__deepseek-r1", "{'drop_params':true}", USER(TEXT_PART("a") "," IMAGE("http://1/") "," SOUND),
     "{'prompt':'a'}", "image_url, input_audio"},
    {"anthropic__claude-4-sonnet", "{'drop_params':true}", USER(SOUND "," IMAGE("http://1/")),
     "{'prompt':'','image':'http://1/'}", "input_audio"},
    {"{'properties':{" URI("image") "}}", "{}", USER(IMAGE("http://1/")), "{'image':'http://1/'}", ""},
    {"{'properties':{" URI("image") "}}", "{'drop_params':true}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     "{'image':'http://1/'}", "messages"},
    {"ibm-granite__granite-3.3-8b-instruct", "{'map':{'messages':'messages'}}",
     USER(TEXT_PART("a") "," IMAGE("http://1/")), "{'messages':[" USER(TEXT_PART("a") "," IMAGE("http://1/")) "]}", ""},
};

START_TEST(media_become_these_inputs)
{
    struct mapped mapped;
    case_map(&mapped, rows[_i].model, rows[_i].route, rows[_i].messages, "");
    case_expect_input(&mapped, rows[_i].input);
    case_expect_ignored(&mapped, rows[_i].ignored);
    ck_assert_ptr_null(mapped.call.uploads);
    case_dispose(&mapped);
}
END_TEST

#define TWO USER(TEXT_PART("a") "," IMAGE("http://1/") "," IMAGE("http://2/"))

static const struct refusal {
    const char *model, *route, *messages;
    enum error_kind kind;
    const char *param, *words;
} refusals[] = {
    {"anthropic__claude-4-sonnet", "{}", TWO, ERROR_INVALID_VALUE, "messages[0].content[2]", "request is 1."},
    {"anthropic__claude-4-sonnet", "{'drop_params':true}", USER(IMAGE("http://1/")) "," USER(IMAGE("http://2/")),
     ERROR_INVALID_VALUE, "messages[1].content[0]", "earlier messages count"},
    {MODEL("'images':{'type':'array','maxItems':1,'items':{'type':'string','format':'uri'}}"), "{}", TWO,
     ERROR_INVALID_VALUE, "messages[0].content[2]", "request is 1."},
    {MODEL("'image':{'type':'string','maxLength':8}"), "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     ERROR_INVALID_VALUE, "messages[0].content[1]", "`image`, which has to be a string of up to 8 characters."},
    {MODEL("'images':{'type':'array','items':{'type':'string','maxLength':9}}"), "{}",
     USER(IMAGE("http://1/") "," IMAGE("http://22/")), ERROR_INVALID_VALUE, "messages[0].content[1]", "up to 9"},
    {MODEL("'image':{'anyOf':[{'type':'string'},{'type':'array','items':{'type':'string','maxLength':5}}]}"), "{}", TWO,
     ERROR_INVALID_VALUE, "messages[0].content[2]", "up to 5"},
    {MODEL("'image':{'anyOf':[{'type':'string','maxLength':5},{'type':'integer'}]}"), "{}", USER(IMAGE("http://1/")),
     ERROR_INVALID_VALUE, "messages[0].content[0]", "up to 5 characters, or an integer"},
    {"", "{'map':{'image':'image'}}", TWO, ERROR_INVALID_VALUE, "messages[0].content[2]", "request is 1."},
    {"deepseek-ai__deepseek-r1", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")), ERROR_UNSUPPORTED_PARAMETER,
     "messages[0].content[1]", "is an image, and the model `kimi` takes text only."},
    {"google__gemini-2.5-flash", "{}", USER(SOUND), ERROR_UNSUPPORTED_PARAMETER, "messages[0].content[0]",
     "is a sound, and the model `kimi` takes text, images and videos."},
    {"openai__gpt-4o", "{}", USER(FILE_PART(PDF)), ERROR_UNSUPPORTED_PARAMETER, "messages[0].content[0]",
     "under `map` (`file`)"},
    {"openai__gpt-4o", "{'map':{'image':null}}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     ERROR_UNSUPPORTED_PARAMETER, "messages[0].content[1]", "text only"},
    {"ibm-granite__granite-3.3-8b-instruct", "{}", USER(IMAGE("http://1/")), ERROR_UNSUPPORTED_PARAMETER,
     "messages[0].content[0]", "text only"},
    {"deepseek-ai__deepseek-r1", "{'drop_params':true}", "{'role':'user','content':''}," USER(IMAGE("http://1/")),
     ERROR_UNSUPPORTED_PARAMETER, "messages[1].content[0]", "Send some text too."},
    {"{'properties':{" URI("image") "}}", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     ERROR_UNSUPPORTED_PARAMETER, "messages", "has no input for a prompt"},
    /* A text alone may be what an image is named by. */
    {"{'required':['image'],'properties':{" STRING("image") "}}", "{}", USER(TEXT_PART("a") "," IMAGE("http://1/")),
     ERROR_UNSUPPORTED_PARAMETER, "messages", "has no input for a prompt"},
};

START_TEST(media_that_a_model_does_not_take_are_refused_by_their_path)
{
    const struct refusal *row = &refusals[_i];
    struct mapped mapped;
    case_map(&mapped, row->model, row->route, row->messages, "");
    case_expect_refused(&mapped, row->kind, row->param, row->words);
    case_dispose(&mapped);
}
END_TEST

enum { INLINE_BYTES = 262144 };

/* A part with an image whose data: URI has exactly that many bytes. */
static void append_image(struct buf *out, size_t bytes)
{
    size_t length = strlen(PNG);
    buf_append_text(out, "{'type':'image_url','image_url':{'url':'data:image/png;base64,iVBORw0KGgoA");
    for (; length < bytes; length++)
        buf_append(out, "A", 1);
    buf_append_text(out, "'}}");
}

/* A question with a small, a just not large and a large image. */
static char *large_message(void)
{
    struct buf out;
    buf_init(&out, 1 << 21);
    buf_append_text(&out, "{'role':'user','content':[" TEXT_PART("a") "," IMAGE(PNG) ",");
    append_image(&out, INLINE_BYTES);
    buf_append_text(&out, ",");
    append_image(&out, INLINE_BYTES + 4);
    buf_append_text(&out, "]}");
    return buf_take(&out, NULL);
}

START_TEST(a_large_file_is_to_be_uploaded_and_is_the_string_in_the_input)
{
    struct mapped mapped;
    char *message = large_message();
    case_map(&mapped, "openai__gpt-4o", "{}", message, "");
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    const json_t *images = json_object_get(mapped.input, "image_input");
    ck_assert_uint_eq(json_array_size(images), 3);
    ck_assert_uint_eq(json_string_length(json_array_get(images, 1)), INLINE_BYTES);
    ck_assert_uint_eq(json_array_size(mapped.call.uploads), 1);
    ck_assert_ptr_eq(json_array_get(mapped.call.uploads, 0), json_array_get(images, 2));
    ck_assert_uint_eq(mapped.call.prompt_bytes, strlen("[{'role':'user','content':'a'}]"));
    case_dispose(&mapped);
    free(message);
}
END_TEST

START_TEST(a_large_file_for_a_single_input_is_uploaded_too)
{
    struct mapped mapped;
    struct buf message;
    buf_init(&message, 1 << 21);
    buf_append_text(&message, "{'role':'user','content':[");
    append_image(&message, INLINE_BYTES + 4);
    buf_append_text(&message, "]}");
    case_map(&mapped, "yorickvp__llava-13b", "{}", buf_text(&message), "");
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    ck_assert_uint_eq(json_array_size(mapped.call.uploads), 1);
    ck_assert_ptr_eq(json_array_get(mapped.call.uploads, 0), json_object_get(mapped.input, "image"));
    case_dispose(&mapped);
    buf_dispose(&message);
}
END_TEST

/* What stands in the input in the end is the short URL of the file. */
START_TEST(a_large_file_is_not_too_long)
{
    struct mapped mapped;
    char *message = large_message();
    case_map(&mapped, MODEL("'images':{'type':'array','items':{'type':'string','maxLength':262144}}"), "{}", message,
             "");
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    ck_assert_uint_eq(json_array_size(mapped.call.uploads), 1);
    case_dispose(&mapped);
    free(message);
}
END_TEST

START_TEST(a_large_file_under_the_model_s_own_name_is_uploaded_too)
{
    struct mapped mapped;
    struct buf extra;
    char *zeros = xcalloc(INLINE_BYTES + 1, 1);
    memset(zeros, '0', INLINE_BYTES);
    buf_init(&extra, 1 << 21);
    buf_printf(&extra, ",'mask':'data:image/png;base64,%s','refs':['http://1/','data:,%s'],'text':'data:,%s'", zeros,
               zeros, zeros);
    buf_printf(&extra, ",'bad':'data:image/png;base64,!%s'", zeros);
    case_map(&mapped, MODEL(URI("mask") "," URIS("refs") "," URI("bad") "," STRING("text")), "{}",
             "{'role':'user','content':'a'}", buf_text(&extra));
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    ck_assert_uint_eq(json_array_size(mapped.call.uploads), 2);
    ck_assert_ptr_eq(json_array_get(mapped.call.uploads, 0), json_object_get(mapped.input, "mask"));
    ck_assert_ptr_eq(json_array_get(mapped.call.uploads, 1), json_array_get(json_object_get(mapped.input, "refs"), 1));
    case_dispose(&mapped);
    buf_dispose(&extra);
    free(zeros);
}
END_TEST

START_TEST(in_messages_as_they_are_a_large_file_is_uploaded_in_its_place)
{
    struct mapped mapped;
    char *message = large_message();
    case_map(&mapped, "", "{'map':{'messages':'messages'}}", message, "");
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    const json_t *content = json_object_get(json_array_get(json_object_get(mapped.input, "messages"), 0), "content");
    ck_assert_uint_eq(json_array_size(content), 4);
    ck_assert_uint_eq(json_array_size(mapped.call.uploads), 1);
    ck_assert_ptr_eq(json_array_get(mapped.call.uploads, 0),
                     json_object_get(json_object_get(json_array_get(content, 3), "image_url"), "url"));
    ck_assert_uint_lt(mapped.call.prompt_bytes, 1024);
    case_dispose(&mapped);
    free(message);
}
END_TEST

START_TEST(no_file_within_a_text_can_be_uploaded)
{
    struct mapped mapped;
    char *message = large_message();
    case_map(&mapped, "", "{'map':{'messages':'turns'},'input':{'turns':''}}", message, "");
    ck_assert_msg(mapped.input != NULL, "%s", mapped.err.message);
    ck_assert_uint_gt(json_string_length(json_object_get(mapped.input, "turns")), 2 * INLINE_BYTES);
    ck_assert_ptr_null(mapped.call.uploads);
    case_dispose(&mapped);
    free(message);
}
END_TEST

static Suite *mapping_media_suite(void)
{
    Suite *suite = suite_create("mapping_media");
    TCase *media = tcase_create("media");
    tcase_add_loop_test(media, media_become_these_inputs, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(media, media_that_a_model_does_not_take_are_refused_by_their_path, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(media, a_large_file_is_to_be_uploaded_and_is_the_string_in_the_input);
    tcase_add_test(media, a_large_file_for_a_single_input_is_uploaded_too);
    tcase_add_test(media, a_large_file_is_not_too_long);
    tcase_add_test(media, a_large_file_under_the_model_s_own_name_is_uploaded_too);
    tcase_add_test(media, in_messages_as_they_are_a_large_file_is_uploaded_in_its_place);
    tcase_add_test(media, no_file_within_a_text_can_be_uploaded);
    suite_add_tcase(suite, media);
    return suite;
}

int main(void)
{
    return suite_run(mapping_media_suite());
}
