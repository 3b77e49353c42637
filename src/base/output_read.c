/* Reads the output of an answer. Models that write text give it token by token: thousands of strings, which nobody
 * wants one by one. */
#include "base/output.h"

#include <stdlib.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/json_scan.h"

/* Appends the next string; false where it is none, or a link to a file. */
static bool join_item(struct json_scan *scan, char *text, size_t *length)
{
    struct json_scanned item;
    if (!json_scan_value(scan, &item) || item.kind != JSON_SCAN_STRING)
        return false;
    size_t added = json_scan_unescape(&item, text + *length);
    bool is_link = output_is_file_link(text + *length, added);
    *length += added;
    return !is_link;
}

/* NULL where it is no array of strings that are text, one by one and together. */
static json_t *read_joined(struct json_scan *scan)
{
    struct json_scanned value;
    if (!json_scan_value(scan, &value) || value.kind != JSON_SCAN_ARRAY)
        return NULL;
    char *text = xmalloc((size_t)(scan->end - scan->at) + 1); /* no string is longer than it is written */
    size_t length = 0;
    bool is_text = true;
    while (is_text && json_scan_item(scan))
        is_text = join_item(scan, text, &length);
    is_text = is_text && scan->fault == JSON_SCAN_FINE && length > 0 && !output_is_file_link(text, length);
    json_t *string = is_text ? json_stringn_nocheck(text, length) : NULL;
    free(text);
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
