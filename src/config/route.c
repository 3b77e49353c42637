/* Routes: wildcards that match in bounded time, what they stand for, and their order. */
#include "config/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "config/config.h"
#include "config/schema.h"
#include "route_int.h"

enum {
    MAXIMUM_STARS = 8,
    REFERENCE_BYTES = 512,
};

/* What one `*` matched. */
struct span {
    const char *text;
    size_t length;
};

static size_t count_stars(const char *pattern)
{
    size_t count = 0;
    for (; (pattern = strchr(pattern, '*')) != NULL; pattern++)
        count++;
    return count;
}

/* Matches literal pieces from left to right, each at its first place, so no piece is ever tried again: the time is at
 * most the product of the lengths. The last piece must end where the text ends. `spans` may be NULL. */
static bool match(const char *pattern, const char *text, struct span *spans, size_t maximum)
{
    size_t literal = strcspn(pattern, "*"), stars = 0;
    if (strncmp(pattern, text, literal) != 0)
        return false;
    pattern += literal;
    text += literal;
    while (*pattern == '*') {
        pattern++;
        literal = strcspn(pattern, "*");
        size_t left = strlen(text);
        const char *found;
        if (pattern[literal] == '\0')
            found = literal <= left && strcmp(text + left - literal, pattern) == 0 ? text + left - literal : NULL;
        else
            found = memmem(text, left, pattern, literal);
        if (found == NULL)
            return false;
        if (spans != NULL && stars < maximum)
            spans[stars] = (struct span){text, (size_t)(found - text)};
        stars++;
        text = found + literal;
        pattern += literal;
    }
    return *text == '\0';
}

bool route_matches(const char *pattern, const char *alias, char *rest, size_t size)
{
    struct span span = {"", 0};
    if (!match(pattern, alias, &span, 1))
        return false;
    if (rest != NULL && size > 0)
        snprintf(rest, size, "%.*s", (int)span.length, span.text);
    return true;
}

/* The reference with its wildcards replaced by what those of the alias matched, in order. */
static bool fill_reference(const struct route *route, const char *alias, struct buf *out)
{
    struct span spans[MAXIMUM_STARS] = {{0}};
    if (!match(route->alias, alias, spans, MAXIMUM_STARS))
        return false;
    size_t stars = 0;
    for (const char *at = route->reference; *at != '\0';) {
        size_t literal = strcspn(at, "*");
        buf_append(out, at, literal);
        at += literal;
        if (*at != '*')
            break;
        buf_append(out, spans[stars].text, spans[stars].length);
        stars++;
        at++;
    }
    return !out->overflowed;
}

static bool filled_target(const struct route *route, const char *alias, struct target *target)
{
    struct buf reference;
    buf_init(&reference, REFERENCE_BYTES);
    bool is_read = fill_reference(route, alias, &reference) && target_parse(buf_text(&reference), target, NULL);
    buf_dispose(&reference);
    return is_read;
}

bool route_target(const struct route *route, const char *alias, struct target *target, struct error *err)
{
    bool is_read = strchr(route->reference, '*') == NULL ? target_parse(route->reference, target, NULL)
                                                         : filled_target(route, alias, target);
    if (is_read)
        return true;
    char quoted[256];
    error_quote(quoted, sizeof quoted, alias, strlen(alias), NULL);
    return error_set(err, ERROR_MODEL_NOT_FOUND, "model",
                     "The model `%s` does not exist here. Name a model of Replicate as owner/name or "
                     "owner/name:version.",
                     quoted);
}

const struct route *config_find_route(const struct config *config, const char *alias)
{
    return config_find_fallback(config, config->completion_model != NULL ? config->completion_model : alias);
}

static int compare_alias(const void *alias, const void *entry)
{
    const struct route *const *route = entry;
    return strcmp(alias, (*route)->alias);
}

const struct route *config_find_fallback(const struct config *config, const char *alias)
{
    if (config->exact_count > 0) {
        struct route **exact =
            bsearch(alias, config->routes, config->exact_count, sizeof *config->routes, compare_alias);
        if (exact != NULL)
            return *exact;
    }
    /* They are sorted, so the first that matches is the most specific. */
    for (size_t i = config->exact_count; i < config->route_count; i++)
        if (match(config->routes[i]->alias, alias, NULL, 0))
            return config->routes[i];
    return NULL;
}

struct route *route_new(void)
{
    struct route *route = xcalloc(1, sizeof *route);
    route->created_s = clock_wall_s();
    return route;
}

/* The table of keys copies what it knows; the rest has no row. */
struct route *route_copy(const struct route *from)
{
    struct route *route = route_new();
    schema_copy_route(route, from);
    route->alias = xstrdup(from->alias);
    route_copy_timeout_keys(route, from);
    return route;
}

void route_copy_timeout_keys(struct route *to, const struct route *from)
{
    free((char *)to->timeout_key);
    free((char *)to->stream_timeout_key);
    to->timeout_key = xstrdup(from->timeout_key);
    to->stream_timeout_key = xstrdup(from->stream_timeout_key);
}

void route_free(struct route *route)
{
    while (route != NULL) {
        struct route *next = route->next;
        schema_dispose_route(route);
        free(route->alias);
        free((char *)route->timeout_key);
        free((char *)route->stream_timeout_key);
        free(route);
        route = next;
    }
}

const char *route_problem(const struct route *route)
{
    size_t stars = count_stars(route->alias), reference_stars = count_stars(route->reference);
    if (route->alias[0] == '\0')
        return "a model needs a name that clients can send";
    if (stars > MAXIMUM_STARS)
        return "a name may hold 8 wildcards (*) at most";
    if (reference_stars > stars)
        return "the model has more wildcards (*) than the name that stands for it; write as many in both";
    if (reference_stars > 0)
        return strlen(route->reference) < REFERENCE_BYTES ? NULL : "the model's name is too long";
    struct target target;
    if (!target_parse(route->reference, &target, NULL))
        return "the model must be owner/name, owner/name:VERSION, VERSION (64 hex digits) or deployments/owner/name";
    target_dispose(&target);
    return NULL;
}

/* The literal text decides, as in LiteLLM; between equals the one with more wildcards says more about the shape. */
int route_compare(const void *a, const void *b)
{
    const char *left = (*(struct route *const *)a)->alias, *right = (*(struct route *const *)b)->alias;
    size_t left_stars = count_stars(left), right_stars = count_stars(right);
    if ((left_stars == 0) != (right_stars == 0))
        return left_stars == 0 ? -1 : 1;
    if (left_stars == 0)
        return strcmp(left, right);
    size_t left_literal = strlen(left) - left_stars, right_literal = strlen(right) - right_stars;
    if (left_literal != right_literal)
        return left_literal > right_literal ? -1 : 1;
    if (left_stars != right_stars)
        return left_stars > right_stars ? -1 : 1;
    return strcmp(left, right);
}
