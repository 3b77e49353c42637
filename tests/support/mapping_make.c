/* Makes up chat requests. */
#include "mapping_make.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "replicate_sim_schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void dice_seed(struct dice *dice, uint64_t seed)
{
    dice->state = seed * 0x9e3779b97f4a7c15u + 0x123456789abcdefu;
    for (int i = 0; i < 8; i++)
        dice_below(dice, 2);
}

unsigned dice_below(struct dice *dice, unsigned bound)
{
    uint64_t x = dice->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    dice->state = x;
    return (unsigned)((x * 0x2545f4914f6cdd1du) >> 33) % bound;
}

bool dice_one_in(struct dice *dice, unsigned chance)
{
    return dice_below(dice, chance) == 0;
}

static json_t *parsed(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    ensure(value != NULL);
    return value;
}

json_t *mapping_make_value(struct dice *dice)
{
    static const char *const values[] = {
        "0",
        "1",
        "-1",
        "2",
        "7",
        "42",
        "1024",
        "2048",
        "70000",
        "9007199254740993",
        "9223372036854775807",
        "0.0",
        "1.0",
        "0.3",
        "0.7",
        "1.7",
        "-0.5",
        "2.5",
        "5.0",
        "1e300",
        "-1e-9",
        "true",
        "false",
        "\"\"",
        "\"auto\"",
        "\"low\"",
        "\"HIGH\"",
        "\"medium\"",
        "\"none\"",
        "\"None\"",
        "\"xhigh\"",
        "\"5\"",
        "\"0.5\"",
        "\"true\"",
        "\"a,b\"",
        "\"16:9\"",
        "\"words that nobody knows\"",
        "\"https://files.example/x.png\"",
        "\"data:text/plain,x\"",
        "[]",
        "{}",
        "[1,2]",
        "[\"a\"]",
        "[\"a\",\"b\",\"a\"]",
        "[\"https://files.example/a.png\"]",
        "[{\"a\":1}]",
        "[[1]]",
        "{\"type\":\"text\"}",
        "{\"a\":{\"b\":[null]}}",
        "[null]",
    };
    return parsed(values[dice_below(dice, COUNT(values))]);
}

/* --- Messages --------------------------------------------------------------------------------------------------- */

static json_t *make_text(struct dice *dice)
{
    static const char *const texts[] = {"",      " and more",        "\n\nUser: pretend", " {prompt} {system_prompt}",
                                        " é☃",   " \"quoted\" \\",   " [/INST] </s>",     " <|im_end|><|eot_id|>",
                                        " a,b;", " {\"json\":true}", " <think>"};
    json_t *text = json_sprintf("zq%uz%s", dice_below(dice, 1000000), texts[dice_below(dice, COUNT(texts))]);
    ensure(text != NULL);
    return text;
}

static json_t *make_media(struct dice *dice)
{
    static const char *const media[] = {
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://files.example/a.png\",\"detail\":\"low\"}}",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://files.example/b.png\"}}",
        "{\"type\":\"image_url\",\"image_url\":\"https://files.example/c.png\"}",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%%%\"}}",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"not a link\"}}",
        "{\"type\":\"image_url\",\"image_url\":{}}",
        "{\"type\":\"input_image\",\"image_url\":\"https://files.example/d.png\"}",
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRiQAAABXQVZF\",\"format\":\"wav\"}}",
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"!\",\"format\":\"mp3\"}}",
        "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"https://files.example/a.mp3\"}}",
        "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://files.example/a.mp4\"}}",
        "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,JVBERi0=\",\"filename\":\"a.pdf\"}}",
        "{\"type\":\"file\",\"file\":{\"file_id\":\"file-abc\"}}",
        "{\"type\":\"file\",\"file\":{}}",
    };
    return parsed(media[dice_below(dice, COUNT(media))]);
}

static json_t *make_parts(struct dice *dice, bool has_media)
{
    json_t *parts = json_array();
    for (unsigned i = dice_below(dice, 3); i > 0; i--)
        json_array_append_new(parts, json_pack("{s:s,s:o}", "type", "text", "text", make_text(dice)));
    for (unsigned i = has_media ? 1 + dice_below(dice, 2) : 0; i > 0; i--)
        json_array_append_new(parts, make_media(dice));
    if (json_array_size(parts) == 0 || dice_one_in(dice, 2))
        json_array_append_new(parts, json_pack("{s:s,s:o}", "type", "text", "text", make_text(dice)));
    return parts;
}

static json_t *make_message(struct dice *dice, bool has_media)
{
    static const char *const roles[] = {"system", "developer", "user",      "user",
                                        "user",   "assistant", "assistant", "tool"};
    const char *role = has_media ? "user" : roles[dice_below(dice, COUNT(roles))];
    json_t *message = json_pack("{s:s}", "role", role);
    bool is_list = has_media || (strcmp(role, "user") == 0 && dice_one_in(dice, 4));
    json_object_set_new(message, "content", is_list ? make_parts(dice, has_media) : make_text(dice));
    if (strcmp(role, "tool") == 0)
        json_object_set_new(message, "tool_call_id", json_string("call_1"));
    if (strcmp(role, "assistant") == 0 && dice_one_in(dice, 4)) {
        json_object_set_new(message, "tool_calls",
                            parsed("[{\"id\":\"call_1\",\"type\":\"function\",\"function\":"
                                   "{\"name\":\"f\",\"arguments\":\"{}\"}}]"));
        json_object_set_new(message, "content", json_null());
    }
    if (dice_one_in(dice, 12))
        json_object_set_new(message, "name", json_string("ann"));
    return message;
}

static json_t *make_messages(struct dice *dice)
{
    json_t *messages = json_array();
    for (unsigned i = dice_below(dice, 5); i > 0; i--)
        json_array_append_new(messages, make_message(dice, dice_one_in(dice, 16)));
    if (json_array_size(messages) == 0 || !dice_one_in(dice, 8))
        json_array_append_new(messages, json_pack("{s:s,s:o}", "role", "user", "content", make_text(dice)));
    if (dice_one_in(dice, 3))
        json_array_append_new(messages, make_message(dice, true));
    return messages;
}

/* --- Parameters ------------------------------------------------------------------------------------------------- */

/* A parameter, and values that a client may send for it; `?` stands for any value at all. */
static const struct {
    const char *name;
    const char *values[7];
} params[] = {
    {"max_tokens", {"1", "300", "100000", "-1", "0", "5.0", "9007199254740991"}},
    {"max_completion_tokens", {"2", "4096", "64000", "null", "16"}},
    {"temperature", {"0", "0.7", "2", "1.0", "1", "3"}},
    {"top_p", {"0", "1", "0.95", "1.5"}},
    {"presence_penalty", {"-2", "0", "0.5", "2"}},
    {"frequency_penalty", {"-2", "0", "0.5", "2"}},
    {"seed", {"0", "42", "-1", "9223372036854775807", "1.0", "4294967296"}},
    {"reasoning_effort", {"\"none\"", "\"minimal\"", "\"low\"", "\"medium\"", "\"high\"", "\"xhigh\"", "\"odd\""}},
    {"verbosity", {"\"low\"", "\"medium\"", "\"high\"", "\"HIGH\"", "\"\""}},
    {"stop", {"\"END\"", "[\"a\",\"b\"]", "\"a,b\"", "[]", "\"\"", "[\"\\n\",\"x,y\",\"z\"]"}},
    {"n", {"1", "2", "3", "128"}},
    {"user", {"\"someone\""}},
    {"store", {"false"}},
    {"logprobs", {"false", "true"}},
    {"logit_bias", {"{}", "{\"50256\":-100}"}},
    {"tools", {"[]", "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]"}},
    {"response_format", {"{\"type\":\"text\"}", "{\"type\":\"json_object\"}"}},
    {"tool_choice", {"\"auto\"", "\"none\""}},
    {"parallel_tool_calls", {"true"}},
    {"modalities", {"[\"text\"]"}},
    {"temperature", {"?"}},
    {"top_p", {"?"}},
    {"max_tokens", {"?"}},
    {"seed", {"?"}},
    {"reasoning_effort", {"?"}},
    {"stop", {"?"}},
};

static void add_param(struct dice *dice, json_t *request)
{
    size_t row = dice_below(dice, COUNT(params)), count = 0;
    /* Each wild value makes most requests wrong, so that they are to be rare. */
    if (params[row].values[0][0] == '?' && !dice_one_in(dice, 6))
        return;
    while (count < COUNT(params[row].values) && params[row].values[count] != NULL)
        count++;
    const char *value = params[row].values[dice_below(dice, (unsigned)count)];
    json_object_set_new(request, params[row].name, *value == '?' ? mapping_make_value(dice) : parsed(value));
}

/* A value that may well fit the property. */
static json_t *make_fitting(struct dice *dice, const json_t *property)
{
    const json_t *words = json_object_get(property, "enum");
    const json_t *type = json_object_get(property, "type");
    if (json_array_size(words) > 0)
        return json_incref(json_array_get(words, dice_below(dice, (unsigned)json_array_size(words))));
    if (!json_is_string(type))
        return mapping_make_value(dice);
    switch (json_string_value(type)[0]) {
    case 's':
        return json_string(json_object_get(property, "format") != NULL ? "https://files.example/e.bin" : "some text");
    case 'i':
        return json_integer((json_int_t)dice_below(dice, 2000));
    case 'n':
        return json_real(dice_below(dice, 300) / 100.0);
    case 'b':
        return json_boolean(dice_one_in(dice, 2));
    default:
        return mapping_make_value(dice);
    }
}

/* An input of the model's own, under its own name. */
static void add_extension(struct dice *dice, json_t *request, const struct sim_schema *schema)
{
    static const char *const strange[] = {"sparkle",     "",       "input",      "input.prompt", "a b",  "☃",
                                          "num_outputs", "Prompt", "max-tokens", "prompt",       "image"};
    json_t *properties = json_object_get(schema->input, "properties");
    unsigned count = (unsigned)json_object_size(properties), at = 0;
    const char *name = NULL;
    json_t *property = NULL, *ignored;
    if (count == 0 || dice_one_in(dice, 4)) {
        name = strange[dice_below(dice, COUNT(strange))];
    } else {
        unsigned chosen = dice_below(dice, count);
        json_object_foreach(properties, name, ignored) if (at++ == chosen) break;
        property = (json_t *)sim_schema_property(schema, name);
    }
    bool fits = property != NULL && !dice_one_in(dice, 3);
    if (json_object_get(request, name) == NULL)
        json_object_set_new(request, name, fits ? make_fitting(dice, property) : mapping_make_value(dice));
}

json_t *mapping_make_request(struct dice *dice, const json_t *document)
{
    const struct sim_schema schema = sim_schema_of(document);
    json_t *request = json_pack("{s:s,s:o}", "model", "kimi", "messages", make_messages(dice));
    ensure(request != NULL);
    for (unsigned i = dice_below(dice, 9); i > 0; i--)
        add_param(dice, request);
    for (unsigned i = dice_below(dice, 4); i > 0; i--)
        add_extension(dice, request, &schema);
    return request;
}
