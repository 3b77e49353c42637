/* For golden tests: cases are groups of files of one folder, some given, some expected.
 *
 * A case CASE is the files FOLDER/CASE.*; its request.json makes it one. With GOLDEN_UPDATE=1 in the environment the
 * expected files are written instead of compared; look at the difference before you keep it. */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "config/route.h"

enum { GOLDEN_CASES_MAX = 256, GOLDEN_NAME_BYTES = 128, GOLDEN_FILE_MAX_BYTES = 1 << 20 };

struct golden {
    const char *folder;
    char cases[GOLDEN_CASES_MAX][GOLDEN_NAME_BYTES];
    int count;
};

/* Finds the cases of the folder, in the order of their names. Run from the root of the repository. */
void golden_find(struct golden *golden, const char *folder);

/* Appends the file FOLDER/name.suffix; false where there is none. */
bool golden_read(const struct golden *golden, const char *name, const char *suffix, struct buf *out);

/* The JSON of that file, or of `fallback` where there is none. New reference. */
json_t *golden_json(const struct golden *golden, const char *name, const char *suffix, const char *fallback);

/* The route that route.json describes, as help_route reads it; a plain one without the file. */
void golden_route(const struct golden *golden, const char *name, struct route *route);

/* Fails the test unless the file holds exactly `text`; NULL: unless there is no such file. */
void golden_expect(const struct golden *golden, const char *name, const char *suffix, const char *text);

#endif
