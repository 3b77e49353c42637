/* Reads the output of an answer. Models that write text give it token by token: thousands of strings, which nobody
 * wants one by one. */
#include "base/output.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/json_scan.h"

/* As much as most outputs need. The rest of the answer would always be enough, and may be 64 MiB: a hostile one that
 * names its output again and again would have all of that given and taken back each time. */
enum { FIRST_ROOM_BYTES = 16 * 1024 };

/* Appends the next string; false where it is none, or a link to a file. */
static bool join_item(struct json_scan *scan, struct buf *text)
{
    struct json_scanned item;
    if (!json_scan_value(scan, &item) || item.kind != JSON_SCAN_STRING)
        return false;
    char *place = buf_extend(text, item.length);
    size_t added = json_scan_unescape(&item, place);
    text->length -= item.length - added;
    return !output_is_file_link(place, added);
}

/* NULL where it is no array of strings that are text, one by one and together. */
static json_t *read_joined(struct json_scan *scan)
{
    struct json_scanned value;
    struct buf text;
    if (!json_scan_value(scan, &value) || value.kind != JSON_SCAN_ARRAY)
        return NULL;
    size_t rest = (size_t)(scan->end - scan->at);
    buf_init(&text, rest); /* no string is longer than it is written */
    buf_reserve(&text, rest < FIRST_ROOM_BYTES ? rest : FIRST_ROOM_BYTES);
    bool is_text = true;
    while (is_text && json_scan_item(scan))
        is_text = join_item(scan, &text);
    is_text =
        is_text && scan->fault == JSON_SCAN_FINE && text.length > 0 && !output_is_file_link(text.data, text.length);
    json_t *string = is_text ? json_stringn_nocheck(text.data, text.length) : NULL;
    buf_dispose(&text);
    return string;
}

json_t *output_read(struct json_scan *scan)
{
    struct json_scan start = *scan;
    json_t *text = read_joined(scan);
    if (text != NULL)
        return text;
    *scan = start;
    return json_build(scan);
}
