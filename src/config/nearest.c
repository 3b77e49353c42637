/* The nearest known name for a misspelt one, by the number of letters to add, drop, replace or swap. */
#include <string.h>

#include "loader_int.h"

enum { LONGEST = 63 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: two neighbours swapped count as one edit, and that looks two rows back. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], second[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* The stride lets the names be a column of any table. */
const char *nearest_name(const char *word, const char *const *names, size_t count, size_t stride)
{
    size_t length = strlen(word), best = 0;
    const char *nearest = NULL;
    if (length > LONGEST)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)names + i * stride);
        size_t name_length = strlen(name);
        if (name_length > LONGEST)
            continue;
        size_t distance = edit_distance(word, length, name, name_length);
        /* A third of the letters may be wrong; beyond that a suggestion would only mislead. */
        if (distance <= 1 + name_length / 4 && distance < name_length && (nearest == NULL || distance < best)) {
            nearest = name;
            best = distance;
        }
    }
    return nearest;
}
