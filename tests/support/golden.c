/* The files of golden tests: found, read, and compared or written. */
#include "golden.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "call_help.h"

#define GIVEN_SUFFIX ".request.json"

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void golden_find(struct golden *golden, const char *folder)
{
    golden->folder = folder;
    golden->count = 0;
    DIR *entries = opendir(folder);
    ensure(entries != NULL); /* run from the root of the repository */
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        size_t length = strlen(entry->d_name), suffix = strlen(GIVEN_SUFFIX);
        if (length <= suffix || strcmp(entry->d_name + length - suffix, GIVEN_SUFFIX) != 0)
            continue;
        ensure(golden->count < GOLDEN_CASES_MAX && length - suffix < GOLDEN_NAME_BYTES);
        char *name = golden->cases[golden->count++];
        memcpy(name, entry->d_name, length - suffix);
        name[length - suffix] = '\0';
    }
    closedir(entries);
    qsort(golden->cases, (size_t)golden->count, GOLDEN_NAME_BYTES, compare_names);
}

static void path_of(char *out, size_t size, const struct golden *golden, const char *name, const char *suffix)
{
    ck_assert_int_lt(snprintf(out, size, "%s/%s.%s", golden->folder, name, suffix), (int)size);
}

bool golden_read(const struct golden *golden, const char *name, const char *suffix, struct buf *out)
{
    char path[512], piece[4096];
    path_of(path, sizeof path, golden, name, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        ck_assert(buf_append(out, piece, length));
    fclose(file);
    return true;
}

json_t *golden_json(const struct golden *golden, const char *name, const char *suffix, const char *fallback)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    json_t *value = help_json(golden_read(golden, name, suffix, &text) ? buf_text(&text) : fallback);
    buf_dispose(&text);
    return value;
}

void golden_route(const struct golden *golden, const char *name, struct route *route)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    help_route(route, golden_read(golden, name, "route.json", &text) ? buf_text(&text) : "{}");
    buf_dispose(&text);
}

static void write_file(const struct golden *golden, const char *name, const char *suffix, const char *text)
{
    char path[512];
    path_of(path, sizeof path, golden, name, suffix);
    if (text == NULL) {
        remove(path);
        return;
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

void golden_expect(const struct golden *golden, const char *name, const char *suffix, const char *text)
{
    if (getenv("GOLDEN_UPDATE") != NULL) {
        write_file(golden, name, suffix, text);
        return;
    }
    struct buf expected;
    buf_init(&expected, GOLDEN_FILE_MAX_BYTES);
    bool exists = golden_read(golden, name, suffix, &expected);
    ck_assert_msg(exists == (text != NULL), "%s.%s %s", name, suffix, exists ? "is not expected" : "is missing");
    if (text != NULL)
        ck_assert_msg(strcmp(buf_text(&expected), text) == 0, "%s.%s:\nexpected %s\ngot      %s", name, suffix,
                      buf_text(&expected), text);
    buf_dispose(&expected);
}
