/* Any bytes as JSON: what is read, and what is written of it, is what jansson reads and writes, and passing over a
 * value refuses what reading it does. Beyond jansson: integers that 64 bits do not hold are reals, and nesting has its
 * limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX_BYTES = 1 << 16, DUMP_MAX_BYTES = 1 << 20 };

static int depth_of(const json_t *value)
{
    int deepest = 0;
    size_t index;
    const char *key;
    json_t *inner, *open = (json_t *)value;
    json_array_foreach(open, index, inner)
    {
        int depth = depth_of(inner);
        deepest = depth > deepest ? depth : deepest;
    }
    json_object_foreach(open, key, inner)
    {
        int depth = depth_of(inner);
        deepest = depth > deepest ? depth : deepest;
    }
    return json_is_array(value) || json_is_object(value) ? deepest + 1 : 0;
}

/* Is it the same, but for numbers that jansson was told to read as reals? */
static bool is_alike(const json_t *own, const json_t *other)
{
    if (json_is_number(own) && json_is_number(other))
        return json_number_value(own) == json_number_value(other);
    if (json_typeof(own) != json_typeof(other))
        return false;
    if (json_is_array(own)) {
        bool is_same = json_array_size(own) == json_array_size(other);
        for (size_t i = 0; is_same && i < json_array_size(own); i++)
            is_same = is_alike(json_array_get(own, i), json_array_get(other, i));
        return is_same;
    }
    if (!json_is_object(own))
        return json_equal(own, other);
    bool is_same = json_object_size(own) == json_object_size(other);
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)own, key, member)
    {
        const json_t *counterpart = json_object_get(other, key);
        is_same = is_same && counterpart != NULL && is_alike(member, counterpart);
    }
    return is_same;
}

static void check_dump(const json_t *value)
{
    struct buf dump;
    buf_init(&dump, DUMP_MAX_BYTES);
    char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    ensure(expected != NULL && json_append(&dump, value));
    ensure(strcmp(expected, buf_text(&dump)) == 0);
    free(expected);
    buf_dispose(&dump);
}

static bool is_skipped(const char *bytes, size_t length)
{
    struct json_scan scan;
    json_scan_init(&scan, bytes, length);
    bool is_passed = json_scan_skip(&scan);
    bool is_whole = json_scan_end(&scan);
    ensure(scan.at >= bytes && scan.at <= bytes + length);
    ensure(is_passed || !is_whole);
    return is_whole;
}

/* What is told of members without reading them is what the tree holds: of one name, the last. */
static void check_members(const char *bytes, size_t length, const json_t *tree)
{
    struct json_scan scan;
    struct json_scanned key, value;
    json_scan_init(&scan, bytes, length);
    json_t *kinds = json_object();
    bool is_object = json_scan_enter(&scan);
    while (is_object && json_scan_member(&scan, &key)) {
        char *name = xmalloc(key.length + 1);
        name[json_scan_unescape(&key, name)] = '\0';
        if (json_scan_whole(&scan, &value))
            json_object_set_new_nocheck(kinds, name, json_boolean(value.kind == JSON_SCAN_STRING));
        free(name);
    }
    ensure(json_scan_end(&scan) == (tree != NULL));
    ensure(tree == NULL || (is_object == json_is_object(tree) && json_object_size(kinds) == json_object_size(tree)));
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)tree, name, member)
    {
        ensure(json_is_true(json_object_get(kinds, name)) == json_is_string(member));
    }
    json_decref(kinds);
}

/* Strings are written by two ways: as a tree holds them, and as text that may be anything. */
static void check_string(const char *bytes, size_t length)
{
    struct buf written;
    buf_init(&written, DUMP_MAX_BYTES);
    ensure(json_append_string(&written, bytes, length));
    json_t *lossy = json_string_lossy(bytes, length);
    json_t *checked = json_string_of(bytes, length), *expected = json_stringn(bytes, length);
    ensure(checked == NULL ? expected == NULL : json_equal(checked, expected) && json_equal(checked, lossy));
    json_decref(checked);
    json_decref(expected);
    json_t *read = json_parse(buf_text(&written), written.length, NULL);
    ensure(memchr(bytes, '\0', length) != NULL ? read == NULL : json_equal(read, lossy));
    json_decref(lossy);
    json_decref(read);
    buf_dispose(&written);
}

/* A NUL, which no JSON holds, jansson loses sight of behind a number. */
static json_t *read_by_jansson(const char *bytes, size_t size, bool *is_wide)
{
    json_error_t failure;
    *is_wide = false;
    if (memchr(bytes, '\0', size) != NULL)
        return NULL;
    json_t *value = json_loadb(bytes, size, JSON_DECODE_ANY, &failure);
    *is_wide = value == NULL && json_error_code(&failure) == json_error_numeric_overflow;
    return *is_wide ? json_loadb(bytes, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &failure) : value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_MAX_BYTES)
        return 0;
    /* Just as long as the text, so that a sanitizer sees a step beyond it. */
    char *bytes = xmalloc(size);
    memcpy(bytes, data, size);
    bool is_wide;
    struct error err = {0};
    json_t *own = json_parse(bytes, size, &err), *other = read_by_jansson(bytes, size, &is_wide);
    bool is_deep = other != NULL && depth_of(other) > JSON_SCAN_DEPTH;
    ensure((own != NULL) == (other != NULL && !is_deep));
    ensure((own != NULL) == (err.kind == ERROR_NONE));
    ensure(is_skipped(bytes, size) == (own != NULL));
    if (own != NULL) {
        ensure(is_wide ? is_alike(own, other) : json_equal(own, other));
        check_dump(own);
    }
    check_members(bytes, size, own);
    check_string(bytes, size);
    json_decref(own);
    json_decref(other);
    free(bytes);
    return 0;
}
