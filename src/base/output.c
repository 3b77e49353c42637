/* The text of an output: models agree on no shape, so it is looked for where it usually is. */
#include "output_int.h"

#include "base/json.h"

enum { DEPTH_MAX = 6 };

/* Where the text of an object is, the likeliest first. The last ones are of lists: of segments, of choices. */
static const char *const text_names[] = {
    "text",    "transcription", "output",  "text_output", "output_text", "generated_text", "response",
    "answer",  "content",       "result",  "message",     "completion",  "caption",        "transcript",
    "summary", "translation",   "choices", "segments",    "chunks",
};

static bool append_found(const json_t *value, int depth, struct buf *out);

/* ---- strings ---- */

static bool is_link(const json_t *string)
{
    return output_is_file_link(json_string_value(string), json_string_length(string));
}

static bool is_of_strings(const json_t *array)
{
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_is_array(array);
}

/* Of an array of strings: is each a link to a file, those aside that are empty? One that has text besides is text, for
 * that is how a text with a link in it grows. */
static bool is_of_links(const json_t *strings)
{
    size_t index, count = 0;
    json_t *item;
    json_array_foreach(strings, index, item)
    {
        if (json_string_length(item) == 0)
            continue;
        if (!is_link(item))
            return false;
        count++;
    }
    return count > 0;
}

bool output_is_plain_text(const json_t *output)
{
    if (json_is_string(output))
        return !is_link(output);
    return is_of_strings(output) && !is_of_links(output);
}

static void append_string(const json_t *string, bool is_file, struct buf *out)
{
    if (is_file)
        output_append_link(json_string_value(string), json_string_length(string), out);
    else
        buf_append(out, json_string_value(string), json_string_length(string));
}

static void append_strings(const json_t *strings, struct buf *out)
{
    bool is_files = is_of_links(strings), is_first = true;
    size_t index;
    json_t *item;
    json_array_foreach(strings, index, item)
    {
        if (json_string_length(item) == 0)
            continue;
        if (is_files && !is_first)
            buf_append(out, "\n", 1);
        append_string(item, is_files, out);
        is_first = false;
    }
}

/* ---- objects ---- */

/* Models that are asked for JSON may give it as such, beside an empty text. */
static bool append_structured(const json_t *value, struct buf *out)
{
    if (json_is_string(value))
        append_string(value, false, out);
    else if (json_is_object(value) || json_is_array(value))
        json_append(out, value);
    else
        return false;
    return true;
}

/* False where no member holds text; an empty one counts unless there is another. */
static bool append_member(const json_t *object, int depth, struct buf *out)
{
    size_t before = out->length;
    bool is_found = false;
    for (size_t i = 0; i < sizeof text_names / sizeof text_names[0] && out->length == before; i++)
        is_found = append_found(json_object_get(object, text_names[i]), depth + 1, out) || is_found;
    if (out->length == before)
        is_found = append_structured(json_object_get(object, "json_output"), out) || is_found;
    return is_found;
}

/* All or none: a list of which half has no text says more as JSON. */
static bool append_objects(const json_t *array, int depth, struct buf *out)
{
    size_t before = out->length, index;
    json_t *item;
    json_array_foreach(array, index, item)
    {
        if (index > 0)
            buf_append(out, "\n", 1);
        if (json_is_object(item) && append_member(item, depth + 1, out))
            continue;
        if (out->length > before)
            out->data[before] = '\0';
        out->length = before;
        return false;
    }
    return true;
}

/* Appends the text that the value holds; false, and nothing, where it holds none. */
static bool append_found(const json_t *value, int depth, struct buf *out)
{
    if (depth > DEPTH_MAX)
        return false;
    if (json_is_object(value))
        return append_member(value, depth, out);
    if (json_is_string(value))
        append_string(value, is_link(value), out);
    else if (is_of_strings(value))
        append_strings(value, out);
    else
        return json_is_array(value) && append_objects(value, depth, out);
    return true;
}

/* Of an object without lists or objects in it, which would say more, the only string; NULL where it has more, or where
 * that is a file, which its name explains. */
static const json_t *only_string(const json_t *object)
{
    const json_t *only = NULL;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)object, name, member)
    {
        if (json_is_object(member) || json_is_array(member) || (json_is_string(member) && only != NULL))
            return NULL;
        if (json_is_string(member))
            only = member;
    }
    return only != NULL && !is_link(only) ? only : NULL;
}

void output_append_text(const json_t *output, struct buf *out)
{
    if (output == NULL || json_is_null(output) || append_found(output, 0, out))
        return;
    const json_t *only = only_string(output);
    if (only != NULL)
        append_string(only, false, out);
    else
        json_append(out, output);
}
