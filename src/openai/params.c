/* The values of a request's parameters, by the rows of the table: a bit for each that is there, and as many values. A
 * request has a handful, and asks for them by row many times. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "parameters_int.h"

enum { PARAMS_STEP = 8 };

static size_t count_of(const struct call_params *params)
{
    return (size_t)__builtin_popcountll(params->rows);
}

/* The rows of a table whose other spellings stand before the canonical one. */
static unsigned number_of(const struct parameter *row)
{
    size_t count;
    while (strcmp(row->name, row->canonical) != 0)
        row++;
    return (unsigned)(row - parameter_rows(&count));
}

/* How many values stand before that of the row. */
static size_t place_of(const struct call_params *params, unsigned number)
{
    uint64_t before = ((uint64_t)1 << number) - 1;
    return (size_t)__builtin_popcountll(params->rows & before);
}

static bool has(const struct call_params *params, unsigned number)
{
    return (params->rows >> number & 1) != 0;
}

struct parameter_set params_rows(const struct call_params *params)
{
    return (struct parameter_set){params->rows};
}

json_t *params_get(const struct call_params *params, const struct parameter *row)
{
    unsigned number = number_of(row);
    return has(params, number) ? params->values[place_of(params, number)] : NULL;
}

json_t *params_find(const struct call_params *params, const char *canonical)
{
    struct parameter_set set = params_rows(params);
    json_t **value = params->values;
    for (const struct parameter *row; (row = parameters_next(&set)) != NULL; value++)
        if (strcmp(row->canonical, canonical) == 0)
            return *value;
    return NULL;
}

void params_set(struct call_params *params, const struct parameter *row, json_t *value)
{
    unsigned number = number_of(row);
    size_t place = place_of(params, number), count = count_of(params);
    ensure(value != NULL);
    if (has(params, number)) {
        json_decref(params->values[place]);
        params->values[place] = value;
        return;
    }
    if (count % PARAMS_STEP == 0)
        params->values = xrealloc(params->values, (count + PARAMS_STEP) * sizeof(json_t *));
    memmove(params->values + place + 1, params->values + place, (count - place) * sizeof(json_t *));
    params->values[place] = value;
    params->rows |= (uint64_t)1 << number;
}

void params_remove(struct call_params *params, const struct parameter *row)
{
    unsigned number = number_of(row);
    if (!has(params, number))
        return;
    size_t place = place_of(params, number);
    json_decref(params->values[place]);
    params->rows &= ~((uint64_t)1 << number);
    memmove(params->values + place, params->values + place + 1, (count_of(params) - place) * sizeof(json_t *));
}

void params_dispose(struct call_params *params)
{
    for (size_t i = 0; i < count_of(params); i++)
        json_decref(params->values[i]);
    free(params->values);
    *params = (struct call_params){0};
}
