/* Any bytes as a model's text: in one piece, cut in two, or byte by byte it gives the same reasoning and content, and
 * the same as simple code gives that has the whole text at hand.
 *
 * The first byte chooses the mode (`a`uto, `o`pened or else off), the rest of the first line is the stop strings,
 * separated by `|`. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "openai/text_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 2048, STOPS_MAX = 16, CUTS = 64 };

struct input {
    enum reasoning_mode mode;
    json_t *stops;
    const char *text;
    size_t length;
};

struct result {
    struct buf reasoning, content;
    bool is_stopped;
};

static void result_init(struct result *result)
{
    buf_init(&result->reasoning, 4 * INPUT_MAX_BYTES);
    buf_init(&result->content, 4 * INPUT_MAX_BYTES);
    result->is_stopped = false;
}

static void result_dispose(struct result *result)
{
    buf_dispose(&result->reasoning);
    buf_dispose(&result->content);
}

static void compare(const struct result *result, const struct result *expected)
{
    ensure(result->reasoning.length == expected->reasoning.length);
    ensure(memcmp(buf_text(&result->reasoning), buf_text(&expected->reasoning), expected->reasoning.length) == 0);
    ensure(result->content.length == expected->content.length);
    ensure(memcmp(buf_text(&result->content), buf_text(&expected->content), expected->content.length) == 0);
    ensure(result->is_stopped == expected->is_stopped);
}

/* The simple code: it decodes code points by arithmetic, and looks for strings with memmem. */

/* The length of the character that begins the bytes; 0 where they begin none. */
static size_t character_length(const char *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t wanted = byte[0] < 0x80 ? 1 : byte[0] >> 5 == 6 ? 2 : byte[0] >> 4 == 14 ? 3 : byte[0] >> 3 == 30 ? 4 : 0;
    if (wanted < 2 || wanted > length)
        return wanted == 1;
    uint32_t point = byte[0] & (0x7Fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if (byte[i] >> 6 != 2)
            return 0;
        point = point << 6 | (byte[i] & 0x3Fu);
    }
    bool is_valid = point >= least[wanted] && point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
    return is_valid ? wanted : 0;
}

static void mend(struct buf *out, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t character = character_length(bytes + at, length - at);
        buf_append(out, character > 0 ? bytes + at : "\xEF\xBF\xBD", character > 0 ? character : 3);
        at += character > 0 ? character : 1;
    }
}

static void cut_at_stop(const struct input *input, const char *text, size_t length, struct result *result)
{
    size_t end = length;
    for (size_t i = 0; i < json_array_size(input->stops); i++) {
        const json_t *stop = json_array_get(input->stops, i);
        const char *found = memmem(text, length, json_string_value(stop), json_string_length(stop));
        if (found != NULL) {
            result->is_stopped = true;
            end = (size_t)(found - text) < end ? (size_t)(found - text) : end;
        }
    }
    buf_append(&result->content, text, end);
}

/* How many of the bytes are the blank lines at their start. */
static size_t blank_lines_length(const char *text, size_t length)
{
    size_t end = 0, blanks = 0, at = 0;
    for (; at < length && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0'; at++) {
        bool is_end = text[at] == '\n' || text[at] == '\r';
        blanks = is_end ? 0 : blanks + 1;
        end = is_end ? at + 1 : end;
        if (blanks > TEXT_FILTER_SPACE_BYTES)
            return end;
    }
    return at == length ? length : end;
}

static void filter_simply(const struct input *input, struct result *result)
{
    struct buf mended;
    buf_init(&mended, 4 * INPUT_MAX_BYTES);
    mend(&mended, input->text, input->length);
    const char *text = buf_text(&mended), *end = text + mended.length;
    size_t spaces = 0;
    while (text[spaces] != '\0' && strchr(" \t\r\n", text[spaces]) != NULL)
        spaces++;
    bool is_opened = input->mode == REASONING_OPENED;
    bool has_tag = spaces <= TEXT_FILTER_SPACE_BYTES && strncmp(text + spaces, "<think>", 7) == 0;
    if (has_tag && input->mode != REASONING_OFF) {
        is_opened = true;
        text += spaces + 7;
    }
    if (is_opened) {
        const char *tag = memmem(text, (size_t)(end - text), "</think>", 8);
        buf_append(&result->reasoning, text, (size_t)((tag != NULL ? tag : end) - text));
        text = tag != NULL ? tag + 8 : end;
        text += blank_lines_length(text, (size_t)(end - text));
    }
    cut_at_stop(input, text, (size_t)(end - text), result);
    buf_dispose(&mended);
}

/* In the content every byte that is held back belongs to the beginning of a stop string, in reasoning to that of the
 * tag. */
static void check_held_back(const struct text_filter *filter, const json_t *stops)
{
    size_t held = filter->held.length;
    const char *bytes = buf_text(&filter->held);
    bool is_needed = held == 0 || filter->place == TEXT_AT_START || filter->place == TEXT_AFTER_REASONING;
    if (filter->place == TEXT_REASONING)
        is_needed = held < 8 && memcmp(bytes, "</think>", held) == 0;
    for (size_t i = 0; filter->place == TEXT_CONTENT && i < json_array_size(stops); i++) {
        const json_t *stop = json_array_get(stops, i);
        is_needed |= held < json_string_length(stop) && memcmp(bytes, json_string_value(stop), held) == 0;
    }
    ensure(is_needed);
    ensure(held <= TEXT_FILTER_SPACE_BYTES + 6 || filter->place == TEXT_CONTENT);
}

/* Feeds `step` bytes at a time after the first `first`. */
static void filter_in_pieces(const struct input *input, size_t first, size_t step, struct result *result)
{
    struct text_filter filter;
    text_filter_init(&filter, input->mode, input->stops);
    size_t at = 0, length = first < input->length ? first : input->length;
    do {
        ensure(text_filter_feed(&filter, input->text + at, length, &result->reasoning, &result->content));
        check_held_back(&filter, input->stops);
        at += length;
        length = step < input->length - at ? step : input->length - at;
    } while (at < input->length);
    ensure(text_filter_end(&filter, &result->reasoning, &result->content));
    result->is_stopped = text_filter_is_stopped(&filter);
    text_filter_dispose(&filter);
}

static void check_pieces(const struct input *input, const struct result *expected)
{
    /* A text of up to CUTS bytes is cut at every place; the last round is byte by byte. */
    size_t stride = input->length / CUTS + 1;
    for (size_t cut = 1; cut <= input->length + stride; cut += stride) {
        struct result result;
        result_init(&result);
        bool is_last = cut > input->length;
        filter_in_pieces(input, is_last ? 1 : cut, is_last ? 1 : INPUT_MAX_BYTES, &result);
        compare(&result, expected);
        result_dispose(&result);
    }
}

static void check_whole(struct input input)
{
    struct text_filter filter;
    struct result result, expected;
    result_init(&result);
    result_init(&expected);
    text_filter_init(&filter, input.mode, input.stops);
    ensure(text_filter_whole(&filter, input.text, input.length, &result.reasoning, &result.content));
    result.is_stopped = text_filter_is_stopped(&filter);
    text_filter_dispose(&filter);
    const char *closing = memmem(input.text, input.length, "</think>", 8);
    size_t at = closing != NULL ? (size_t)(closing - input.text) : 0;
    bool is_alone = at == 0 || memchr("\r\n", input.text[at - 1], 2) != NULL || at + 8 == input.length ||
                    memchr("\r\n", input.text[at + 8], 2) != NULL;
    if (input.mode == REASONING_AUTO && closing != NULL && is_alone &&
        memmem(input.text, (size_t)(closing - input.text), "<think>", 7) == NULL)
        input.mode = REASONING_OPENED;
    filter_simply(&input, &expected);
    compare(&result, &expected);
    result_dispose(&result);
    result_dispose(&expected);
}

static enum reasoning_mode read_mode(char letter)
{
    return letter == 'a' ? REASONING_AUTO : letter == 'o' ? REASONING_OPENED : REASONING_OFF;
}

static void read_stops(struct input *input, const char *list, size_t length)
{
    input->stops = json_array();
    for (size_t at = 0; at < length && json_array_size(input->stops) < STOPS_MAX;) {
        const char *bar = memchr(list + at, '|', length - at);
        size_t stop_length = bar != NULL ? (size_t)(bar - list) - at : length - at;
        if (stop_length > 0)
            json_array_append_new(input->stops, json_stringn_nocheck(list + at, stop_length));
        at += stop_length + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *line_end = size > 0 ? memchr(bytes, '\n', size) : NULL;
    if (size > INPUT_MAX_BYTES || line_end == NULL || line_end == bytes)
        return 0;
    struct input input = {.mode = read_mode(bytes[0]), .text = line_end + 1};
    input.length = size - (size_t)(input.text - bytes);
    read_stops(&input, bytes + 1, (size_t)(line_end - bytes) - 1);
    struct result expected;
    result_init(&expected);
    filter_simply(&input, &expected);
    check_pieces(&input, &expected);
    check_whole(input);
    result_dispose(&expected);
    json_decref(input.stops);
    return 0;
}
