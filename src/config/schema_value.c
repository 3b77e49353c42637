/* What can be done with the field of a row: read it, copy it, compare it, free it. By type, in one place. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "schema_int.h"
#include "value_int.h"

static void *owner_of(const struct schema_row *row, const struct schema_objects *objects)
{
    void *const owners[] = {
        [SCHEMA_OF_NONE] = NULL,
        [SCHEMA_OF_CONFIG] = objects->config,
        [SCHEMA_OF_ROUTE] = objects->route,
        [SCHEMA_OF_KEY] = objects->key,
    };
    return owners[row->owner];
}

bool require_text(const struct reading *reading, const char *what)
{
    if (reading->node->type != NODE_SCALAR || reading->node->text[0] == '\0')
        return loader_fail(reading->loader, reading->path, "this must be %s", what);
    return true;
}

/* Quotes make a text, also of "true": who quotes it should see that it is not a switch. */
static bool read_boolean(const struct reading *reading)
{
    bool value;
    if (!value_boolean(reading->node, &value))
        return loader_fail(reading->loader, reading->path, "this must be true or false, without quotes");
    *(bool *)reading->field = value;
    return true;
}

/* Integers, counts, durations and sizes: numbers with a range, which the message tells as one would write it. */
static bool read_number(const struct reading *reading)
{
    const struct schema_row *row = reading->row;
    const char *what = row->type == SCHEMA_DURATION ? "a duration such as 500ms, 60s, 10m or 1h"
                       : row->type == SCHEMA_SIZE   ? "a size such as 64MiB, 10MB or a number of bytes"
                                                    : "a whole number";
    if (!require_text(reading, what))
        return false;
    int64_t value = 0;
    const char *text = reading->node->text;
    bool ok = row->type == SCHEMA_DURATION ? value_duration(text, &value)
              : row->type == SCHEMA_SIZE   ? value_size(text, &value)
                                           : value_integer(text, &value);
    if (!ok)
        return loader_fail(reading->loader, reading->path, "this must be %s", what);
    const char *unit = row->type == SCHEMA_DURATION ? " ms" : row->type == SCHEMA_SIZE ? " bytes" : "";
    if (value < row->minimum || value > row->maximum)
        return loader_fail(reading->loader, reading->path, "this is out of range: from %" PRId64 "%s to %" PRId64 "%s",
                           row->minimum, unit, row->maximum, unit);
    if (row->type == SCHEMA_INTEGER)
        *(int *)reading->field = (int)value;
    else
        *(int64_t *)reading->field = value;
    return true;
}

/* The words of the row stand in the order of the enum's values. */
static bool read_word(const struct reading *reading)
{
    const char *text = reading->node->type == NODE_SCALAR ? reading->node->text : "";
    size_t length = strlen(text);
    int index = 0;
    for (const char *word = reading->row->words; length > 0; index++) {
        size_t end = strcspn(word, "|");
        if (end == length && memcmp(word, text, end) == 0) {
            *(int *)reading->field = index;
            return true;
        }
        if (word[end] == '\0')
            break;
        word += end + 1;
    }
    return loader_fail(reading->loader, reading->path, "this must be one of %s", reading->row->words);
}

static reader_fn *const readers[] = {
    [SCHEMA_TEXT] = read_text,       [SCHEMA_TOKEN] = read_token,     [SCHEMA_FILE] = read_file,
    [SCHEMA_PROXY] = read_proxy,     [SCHEMA_URL] = read_url,         [SCHEMA_REFERENCE] = read_reference,
    [SCHEMA_LISTEN] = read_listen,   [SCHEMA_INTEGER] = read_number,  [SCHEMA_COUNT] = read_number,
    [SCHEMA_BOOLEAN] = read_boolean, [SCHEMA_DURATION] = read_number, [SCHEMA_SIZE] = read_number,
    [SCHEMA_WORD] = read_word,       [SCHEMA_LIST] = read_list,       [SCHEMA_NAMES] = read_names,
    [SCHEMA_ORIGINS] = read_origins, [SCHEMA_HEADERS] = read_headers, [SCHEMA_OBJECT] = read_object,
    [SCHEMA_MAP] = read_map,         [SCHEMA_PARAMS] = read_params,   [SCHEMA_ALIASES] = read_aliases,
    [SCHEMA_DIGEST] = read_digest,   [SCHEMA_TIME] = read_time,       [SCHEMA_NETWORKS] = read_networks,
};

bool schema_set(struct loader *loader, const struct schema_row *row, const struct schema_objects *objects,
                const struct node *node, const struct path *path)
{
    char *owner = owner_of(row, objects);
    ensure(owner != NULL && row->type != SCHEMA_NESTED);
    /* A list of those let in that was begun and left empty must not let in everybody. */
    if (node_is_null(node) && row->type != SCHEMA_NETWORKS)
        return true;
    struct reading reading = {loader, row, owner + row->offset, owner + row->second_offset, node, path};
    return readers[row->type](&reading);
}

void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void free_headers(struct header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(headers[i].name);
        free(headers[i].value);
    }
    free(headers);
}

/* Frees what a field owns and leaves it empty, so that two rows may share one field. */
static void dispose_field(const struct schema_row *row, char *owner)
{
    void *field = owner + row->offset;
    size_t *count = (size_t *)(void *)(owner + row->second_offset);
    switch (row->type) {
    case SCHEMA_TEXT:
    case SCHEMA_FILE:
    case SCHEMA_PROXY:
    case SCHEMA_TOKEN:
    case SCHEMA_DIGEST:
    case SCHEMA_URL:
    case SCHEMA_REFERENCE:
    case SCHEMA_LISTEN:
        replace_text(field, NULL);
        break;
    case SCHEMA_LIST:
    case SCHEMA_NAMES:
    case SCHEMA_ALIASES:
    case SCHEMA_ORIGINS:
        free_texts(*(char ***)field, *count);
        *(char ***)field = NULL;
        *count = 0;
        break;
    case SCHEMA_NETWORKS:
        free(*(struct network **)field);
        *(struct network **)field = NULL;
        *count = 0;
        break;
    case SCHEMA_HEADERS:
        free_headers(*(struct header **)field, *count);
        *(struct header **)field = NULL;
        *count = 0;
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_MAP:
    case SCHEMA_PARAMS:
        json_decref(*(json_t **)field);
        *(json_t **)field = NULL;
        break;
    default:
        break; /* numbers own nothing */
    }
}

static void dispose_owner(enum schema_owner owner, void *object)
{
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].owner == owner)
            dispose_field(&rows[i], object);
}

void schema_dispose_route(struct route *route)
{
    dispose_owner(SCHEMA_OF_ROUTE, route);
}

void schema_dispose_config(struct config *config)
{
    dispose_owner(SCHEMA_OF_CONFIG, config);
}

void schema_dispose_key(struct key *key)
{
    dispose_owner(SCHEMA_OF_KEY, key);
}

static void copy_headers(struct route *to, const struct route *from)
{
    to->headers = from->header_count == 0 ? NULL : xcalloc(from->header_count, sizeof *to->headers);
    to->header_count = from->header_count;
    for (size_t i = 0; i < from->header_count; i++)
        to->headers[i] = (struct header){xstrdup(from->headers[i].name), xstrdup(from->headers[i].value)};
}

static void copy_texts(const struct schema_row *row, struct route *to, const struct route *from)
{
    char ***texts = (char ***)(void *)((char *)to + row->offset);
    char *const *source = *(char ***)(void *)((char *)from + row->offset);
    size_t *count = (size_t *)(void *)((char *)to + row->second_offset);
    free_texts(*texts, *count);
    *count = *(const size_t *)(const void *)((const char *)from + row->second_offset);
    *texts = *count == 0 ? NULL : xcalloc(*count, sizeof **texts);
    for (size_t i = 0; i < *count; i++)
        (*texts)[i] = xstrdup(source[i]);
}

/* Every field of a route but its alias, the keys of its timeouts and its birth has a row among a model's keys. */
static void copy_field(const struct schema_row *row, struct route *to, const struct route *from)
{
    void *target = (char *)to + row->offset;
    const void *source = (const char *)from + row->offset;
    switch (row->type) {
    case SCHEMA_TEXT:
    case SCHEMA_FILE:
    case SCHEMA_PROXY:
    case SCHEMA_TOKEN:
    case SCHEMA_URL:
    case SCHEMA_REFERENCE:
        replace_text(target, *(char *const *)source);
        break;
    case SCHEMA_INTEGER:
    case SCHEMA_WORD:
        *(int *)target = *(const int *)source;
        break;
    case SCHEMA_BOOLEAN:
        *(bool *)target = *(const bool *)source;
        break;
    case SCHEMA_COUNT:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
        *(int64_t *)target = *(const int64_t *)source;
        break;
    case SCHEMA_HEADERS:
        copy_headers(to, from);
        break;
    case SCHEMA_NAMES:
    case SCHEMA_ALIASES:
        copy_texts(row, to, from);
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_MAP:
    case SCHEMA_PARAMS:
        *(json_t **)target = json_deep_copy(*(json_t *const *)source);
        break;
    default:
        ensure(false); /* a type that no field of a route has */
    }
}

void schema_copy_route(struct route *to, const struct route *from)
{
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].section == SCHEMA_MODEL)
            copy_field(&rows[i], to, from);
}

void schema_copy_name(struct route *to, const struct route *from)
{
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].of_name)
            copy_field(&rows[i], to, from);
}

static bool equal_texts(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool schema_equal(const struct schema_row *row, const struct config *a, const struct config *b)
{
    ensure(row->owner == SCHEMA_OF_CONFIG);
    const char *left = (const char *)a, *right = (const char *)b;
    const void *field = left + row->offset, *other = right + row->offset;
    switch (row->type) {
    case SCHEMA_TEXT:
    case SCHEMA_FILE:
    case SCHEMA_PROXY:
        return equal_texts(*(char *const *)field, *(char *const *)other);
    case SCHEMA_LISTEN:
        return equal_texts(*(char *const *)field, *(char *const *)other) &&
               *(const int *)(const void *)(left + row->second_offset) ==
                   *(const int *)(const void *)(right + row->second_offset);
    case SCHEMA_INTEGER:
    case SCHEMA_WORD:
        return *(const int *)field == *(const int *)other;
    case SCHEMA_BOOLEAN:
        return *(const bool *)field == *(const bool *)other;
    case SCHEMA_COUNT:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
        return *(const int64_t *)field == *(const int64_t *)other;
    default:
        ensure(false); /* a type that no key with a restart has */
        return false;
    }
}
