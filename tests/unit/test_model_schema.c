/* The documents of real models: each of tests/models is read, with the inputs that one expects. Odd and hostile ones
 * are in test_model_schema_odd.c. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/model_schema.h"
#include "check_main.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define FOLDER "tests/models/"

enum { FILE_MAX_BYTES = 1 << 20 };

static struct model_schema *schema;

static void teardown(void)
{
    model_schema_unref(schema);
    schema = NULL;
}

static void read_model(const char *file)
{
    char piece[4096], path[512];
    struct buf text;
    struct error err = {0};
    snprintf(path, sizeof path, "%s%s", FOLDER, file);
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s", path);
    buf_init(&text, FILE_MAX_BYTES);
    for (size_t length; (length = fread(piece, 1, sizeof piece, stream)) > 0;)
        buf_append(&text, piece, length);
    fclose(stream);
    model_schema_unref(schema);
    schema = model_schema_parse(buf_text(&text), text.length, &err);
    ck_assert_msg(schema != NULL, "%s: %s", path, err.message);
    buf_dispose(&text);
}

static const struct model_input *input_of(const char *name)
{
    const struct model_input *input = model_schema_find(schema, name);
    ck_assert_msg(input != NULL, "%s", name);
    ck_assert_str_eq(input->name, name);
    return input;
}

/* Marks behind a name: * required, s i n b a o the type, u a file, U a list of files, e an enum, - no default. */
static void append_input(struct buf *out, const struct model_input *input)
{
    const struct model_value *value = &input->value;
    buf_printf(out, "%s%s:%c", out->length > 0 ? " " : "", input->name, model_value_type_name(value)[0]);
    buf_append_text(out, value->is_uri ? "u" : "");
    buf_append_text(out, value->items != NULL && value->items->is_uri ? "U" : "");
    buf_append_text(out, value->words != NULL ? "e" : "");
    buf_append_text(out, input->is_required ? "*" : "");
    buf_append_text(out, input->fallback == NULL ? "-" : "");
}

static const struct {
    const char *file;
    enum model_official official;
    enum model_output output;
    const char *inputs;
} models[] = {
    {"andreasjansson__clip-features", MODEL_COMMUNITY, MODEL_OUTPUT_OTHER, "inputs:s"},
    {"anthropic__claude-4-sonnet", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s*- image:su- system_prompt:s max_tokens:i max_image_resolution:n extended_thinking:b "
     "thinking_budget_tokens:i"},
    {"black-forest-labs__flux-2-pro", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- input_images:aU aspect_ratio:se resolution:se width:i- height:i- safety_tolerance:i seed:i- "
     "output_format:se output_quality:i"},
    {"black-forest-labs__flux-schnell", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- aspect_ratio:se num_outputs:i num_inference_steps:i seed:i- output_format:se output_quality:i "
     "disable_safety_checker:b go_fast:b megapixels:se"},
    {"bytedance__seedance-1-pro", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- image:su- last_frame_image:su- duration:i resolution:se aspect_ratio:se fps:ie camera_fixed:b "
     "seed:i-"},
    {"bytedance__seedream-4", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- image_input:aU size:se aspect_ratio:se width:i height:i sequential_image_generation:se max_images:i "
     "enhance_prompt:b"},
    {"deepseek-ai__deepseek-r1", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s max_tokens:i temperature:n presence_penalty:n frequency_penalty:n top_p:n"},
    {"google__gemini-2.5-flash", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s*- images:aU videos:aU system_instruction:s- temperature:n top_p:n max_output_tokens:i "
     "thinking_budget:i- "
     "dynamic_thinking:b"},
    {"google__veo-3", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- aspect_ratio:se duration:ie image:su- negative_prompt:s- resolution:se generate_audio:b seed:i-"},
    {"ibm-granite__granite-3.3-8b-instruct", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s- messages:a documents:a tools:a system_prompt:s- chat_template:s- add_generation_prompt:b "
     "chat_template_kwargs:o min_tokens:i max_tokens:i temperature:n top_p:n top_k:i presence_penalty:n "
     "frequency_penalty:n stop_sequences:s- seed:i- stream:b"},
    {"ibm-granite__granite-embedding-278m-multilingual", MODEL_OFFICIAL, MODEL_OUTPUT_OTHER, "texts:a"},
    {"jaaari__kokoro-82m", MODEL_COMMUNITY, MODEL_OUTPUT_FILES, "text:s*- voice:se speed:n"},
    {"meta__llama-2-70b-chat", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s*- system_prompt:s max_new_tokens:i min_new_tokens:i temperature:n top_p:n top_k:i stop_sequences:s- "
     "seed:i- debug:b replicate_weights:s-"},
    {"meta__meta-llama-3-8b-instruct", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s*- system_prompt:s max_tokens:i min_tokens:i- temperature:n top_p:n top_k:i stop_sequences:s "
     "length_penalty:n presence_penalty:n seed:i- prompt_template:s log_performance_metrics:b max_new_tokens:i- "
     "min_new_tokens:i-"},
    {"meta__meta-llama-3.1-405b-instruct", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s system_prompt:s min_tokens:i max_tokens:i temperature:n top_p:n top_k:i presence_penalty:n "
     "frequency_penalty:n stop_sequences:s prompt_template:s"},
    /* Only the enums have an x-order; the rest is by name. */
    {"minimax__speech-02-hd", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "emotion:se sample_rate:ie bitrate:ie audio_format:se channel:se language_boost:se english_normalization:b "
     "pitch:i speed:n subtitle_enable:b text:s*- voice_id:s volume:n"},
    {"mistralai__mixtral-8x7b-instruct-v0.1", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s*- max_new_tokens:i temperature:n top_p:n top_k:i presence_penalty:n frequency_penalty:n "
     "prompt_template:s"},
    {"moonshotai__kimi-k2-thinking", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s max_tokens:i temperature:n presence_penalty:n frequency_penalty:n top_p:n"},
    {"nateraw__bge-large-en-v1.5", MODEL_COMMUNITY, MODEL_OUTPUT_OTHER,
     "path:su- texts:s batch_size:i normalize_embeddings:b convert_to_numpy:b"},
    /* No x-order: by name. */
    {"openai__gpt-4o-transcribe", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "audio_file:su*- language:s- prompt:s- temperature:n"},
    {"openai__gpt-4o", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s- system_prompt:s- messages:a image_input:aU temperature:n max_completion_tokens:i top_p:n "
     "frequency_penalty:n presence_penalty:n"},
    {"openai__gpt-5-structured", MODEL_OFFICIAL, MODEL_OUTPUT_OTHER,
     "model:se prompt:s- instructions:s- image_input:aU reasoning_effort:se verbosity:se enable_web_search:b "
     "simple_schema:a input_item_list:a previous_response_id:s- tools:a json_schema:o max_output_tokens:i-"},
    {"openai__gpt-5", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s- system_prompt:s- messages:a image_input:aU reasoning_effort:se verbosity:se max_completion_tokens:i-"},
    {"openai__gpt-image-1.5", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "prompt:s*- openai_api_key:s- aspect_ratio:se input_fidelity:se input_images:aU- number_of_images:i quality:se "
     "background:se output_compression:i output_format:se moderation:se user_id:s-"},
    {"openai__sora-2", MODEL_OFFICIAL, MODEL_OUTPUT_FILES,
     "openai_api_key:s- prompt:s*- input_reference:su- seconds:ie aspect_ratio:se"},
    {"openai__whisper", MODEL_COMMUNITY, MODEL_OUTPUT_OTHER,
     "audio:su*- transcription:se translate:b language:se temperature:n patience:n- suppress_tokens:s "
     "initial_prompt:s- condition_on_previous_text:b temperature_increment_on_fallback:n "
     "compression_ratio_threshold:n logprob_threshold:n no_speech_threshold:n"},
    {"prunaai__gpt-oss-20b", MODEL_COMMUNITY, MODEL_OUTPUT_TEXT, "messages:s max_new_tokens:i"},
    {"replicate__all-mpnet-base-v2", MODEL_COMMUNITY, MODEL_OUTPUT_OTHER, "text:s- text_batch:s-"},
    {"snowflake__snowflake-arctic-instruct", MODEL_OFFICIAL, MODEL_OUTPUT_TEXT_STREAM,
     "prompt:s system_prompt:s top_p:n temperature:n max_new_tokens:i min_new_tokens:i top_k:i presence_penalty:n "
     "frequency_penalty:n stop_sequences:s"},
    {"stability-ai__sdxl", MODEL_COMMUNITY, MODEL_OUTPUT_FILES,
     "prompt:s negative_prompt:s image:su- mask:su- width:i height:i num_outputs:i scheduler:se num_inference_steps:i "
     "guidance_scale:n prompt_strength:n seed:i- refine:se high_noise_frac:n refine_steps:i- apply_watermark:b "
     "lora_scale:n replicate_weights:s- disable_safety_checker:b"},
    {"yorickvp__llava-13b", MODEL_COMMUNITY, MODEL_OUTPUT_TEXT_STREAM,
     "image:su*- prompt:s*- top_p:n temperature:n max_tokens:i"},
};

START_TEST(a_real_model_is_read_with_all_that_one_expects)
{
    char file[256], name[256];
    struct buf inputs;
    snprintf(file, sizeof file, "%s.json", models[_i].file);
    read_model(file);
    const char *separator = strstr(file, "__");
    snprintf(name, sizeof name, "%.*s/%s", (int)(separator - file), file, models[_i].file + (separator - file) + 2);
    ck_assert_str_eq(schema->name, name);
    ck_assert_uint_eq(strspn(schema->version, "0123456789abcdef"), 64);
    ck_assert_int_eq(schema->official, models[_i].official);
    ck_assert_int_eq(schema->output, models[_i].output);
    ck_assert(schema->has_inputs);
    ck_assert_uint_gt(schema->input_count, 0);
    buf_init(&inputs, FILE_MAX_BYTES);
    for (size_t i = 0; i < schema->input_count; i++) {
        ck_assert_int_eq(schema->inputs[i].order, (int)i);
        ck_assert_ptr_eq(input_of(schema->inputs[i].name), &schema->inputs[i]);
        append_input(&inputs, &schema->inputs[i]);
    }
    ck_assert_str_eq(buf_text(&inputs), models[_i].inputs);
    buf_dispose(&inputs);
}
END_TEST

START_TEST(every_document_of_the_folder_is_read)
{
    int count = 0;
    DIR *folder = opendir(FOLDER);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strstr(entry->d_name, ".json") == NULL)
            continue;
        read_model(entry->d_name);
        ck_assert_msg(schema->input_count > 0, "%s", entry->d_name);
        count++;
    }
    closedir(folder);
    ck_assert_int_ge(count, ROWS(models));
}
END_TEST

START_TEST(bounds_and_defaults_are_those_of_the_model)
{
    read_model("anthropic__claude-4-sonnet.json");
    const struct model_value *tokens = &input_of("max_tokens")->value;
    ck_assert(tokens->has_minimum && tokens->has_maximum && !tokens->excludes_minimum && !tokens->excludes_maximum);
    ck_assert_double_eq(tokens->minimum, 1024);
    ck_assert_double_eq(tokens->maximum, 64000);
    ck_assert_int_eq(json_integer_value(input_of("max_tokens")->fallback), 8192);
    ck_assert_double_eq(input_of("max_image_resolution")->value.minimum, 0.001);
    ck_assert(!input_of("prompt")->value.has_minimum);
    read_model("yorickvp__llava-13b.json");
    const struct model_value *temperature = &input_of("temperature")->value;
    ck_assert(temperature->has_minimum && !temperature->has_maximum);
    read_model("meta__meta-llama-3-8b-instruct.json");
    ck_assert_ptr_nonnull(strstr(json_string_value(input_of("prompt_template")->fallback), "<|start_header_id|>"));
}
END_TEST

static void expect_words(const char *name, size_t count, const char *first)
{
    const json_t *words = input_of(name)->value.words;
    ck_assert_uint_eq(json_array_size(words), count);
    ck_assert_str_eq(json_string_value(json_array_get(words, 0)), first);
}

START_TEST(enums_are_found_inline_and_elsewhere)
{
    read_model("black-forest-labs__flux-schnell.json");
    expect_words("output_format", 3, "webp");
    expect_words("megapixels", 2, "1");
    ck_assert_str_eq(json_string_value(input_of("megapixels")->fallback), "1");
    read_model("openai__gpt-5.json");
    expect_words("verbosity", 3, "low");
    read_model("google__veo-3.json");
    const json_t *seconds = input_of("duration")->value.words;
    ck_assert_uint_eq(json_array_size(seconds), 3);
    ck_assert_int_eq(json_integer_value(json_array_get(seconds, 2)), 8);
}
END_TEST

START_TEST(a_secret_is_marked)
{
    read_model("openai__gpt-image-1.5.json");
    ck_assert(input_of("openai_api_key")->value.is_secret);
    ck_assert(!input_of("prompt")->value.is_secret);
}
END_TEST

START_TEST(a_name_that_the_model_lacks_is_not_found)
{
    read_model("openai__gpt-5.json");
    ck_assert_ptr_null(model_schema_find(schema, "max_tokens"));
    ck_assert_ptr_null(model_schema_find(schema, ""));
    ck_assert_ptr_null(model_schema_find(schema, "zzz"));
    ck_assert_ptr_null(model_schema_find(NULL, "prompt"));
}
END_TEST

START_TEST(an_answer_is_known_once_it_was_worked_out_also_that_there_is_none)
{
    read_model("openai__gpt-4o.json");
    const struct model_input *found, *prompt = input_of("prompt");
    ck_assert(!model_schema_recall(schema, 0, &found) && !model_schema_recall(schema, MODEL_QUESTIONS - 1, &found));
    model_schema_remember(schema, 0, NULL);
    model_schema_remember(schema, MODEL_QUESTIONS - 1, prompt);
    ck_assert(model_schema_recall(schema, 0, &found));
    ck_assert_ptr_null(found);
    ck_assert(model_schema_recall(schema, MODEL_QUESTIONS - 1, &found));
    ck_assert_ptr_eq(found, prompt);
    ck_assert(!model_schema_recall(schema, 1, &found));
}
END_TEST

START_TEST(a_schema_lives_as_long_as_someone_holds_it)
{
    read_model("openai__gpt-5.json");
    struct model_schema *other = model_schema_ref(schema);
    ck_assert_ptr_eq(other, schema);
    model_schema_unref(schema);
    ck_assert_ptr_nonnull(model_schema_find(other, "prompt"));
    model_schema_unref(NULL);
}
END_TEST

START_TEST(a_reference_that_leads_nowhere_leaves_what_stands_beside_it)
{
    static const char document[] = "{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"$ref\":"
                                   "\"nowhere\",\"properties\":{"
                                   "\"prompt\":{\"type\":\"string\"}}}}}}}";
    struct error err = {0};
    schema = model_schema_parse(document, strlen(document), &err);
    ck_assert(schema != NULL && schema->has_inputs);
    input_of("prompt");
}
END_TEST

static Suite *model_schema_suite(void)
{
    Suite *suite = suite_create("model_schema");
    TCase *tcase = tcase_create("models");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, a_real_model_is_read_with_all_that_one_expects, 0, ROWS(models));
    tcase_add_test(tcase, every_document_of_the_folder_is_read);
    tcase_add_test(tcase, bounds_and_defaults_are_those_of_the_model);
    tcase_add_test(tcase, enums_are_found_inline_and_elsewhere);
    tcase_add_test(tcase, a_reference_that_leads_nowhere_leaves_what_stands_beside_it);
    tcase_add_test(tcase, a_secret_is_marked);
    tcase_add_test(tcase, a_name_that_the_model_lacks_is_not_found);
    tcase_add_test(tcase, an_answer_is_known_once_it_was_worked_out_also_that_there_is_none);
    tcase_add_test(tcase, a_schema_lives_as_long_as_someone_holds_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(model_schema_suite());
}
