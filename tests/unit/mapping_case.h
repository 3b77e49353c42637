/* One chat request mapped to a model, for the tests of messages: all three written with single quotes for double ones.
 */
#ifndef UNIT_MAPPING_CASE_H
#define UNIT_MAPPING_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/model_schema.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/mapping.h"

struct mapped {
    struct call call;
    struct route route;
    struct model_schema *schema;
    json_t *input; /* NULL: refused, and err says why */
    struct error err;
};

/* The caller frees. */
static inline char *case_quoted(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

/* The name of a document in tests/models, or "{…}", what stands under `Input` in one; "" for no schema. */
static inline struct model_schema *case_model(const char *model)
{
    struct error err = {0};
    if (model[0] == '\0')
        return NULL;
    if (model[0] != '{')
        return help_model(model);
    char *input = case_quoted(model);
    struct buf document;
    buf_init(&document, 1 << 16);
    buf_printf(
        &document,
        "{\"owner\":\"made\",\"name\":\"up\",\"latest_version\":{\"id\":\"v\",\"openapi_schema\":{\"components\":"
        "{\"schemas\":{\"Input\":%s,\"Output\":{\"type\":\"string\"}}}}}}",
        input);
    struct model_schema *schema = model_schema_parse(buf_text(&document), document.length, &err);
    ck_assert_msg(schema != NULL, "%s: %s", model, err.message);
    buf_dispose(&document);
    free(input);
    return schema;
}

/* `messages` are the items of the list, `extra` further members of the request: ",'top_k':5". */
static inline void case_map(struct mapped *mapped, const char *model, const char *route, const char *messages,
                            const char *extra)
{
    struct buf body;
    memset(mapped, 0, sizeof *mapped);
    buf_init(&body, 1 << 24);
    buf_printf(&body, "{'model':'kimi','messages':[%s]%s}", messages, extra);
    char *route_json = case_quoted(route), *body_json = case_quoted(buf_text(&body));
    help_route(&mapped->route, route_json);
    mapped->schema = case_model(model);
    if (help_decode(&mapped->call, body_json, &mapped->err))
        mapped->input = mapping_input(&mapped->call, &mapped->route, mapped->schema, &mapped->err);
    free(route_json);
    free(body_json);
    buf_dispose(&body);
}

static inline void case_dispose(struct mapped *mapped)
{
    json_decref(mapped->input);
    call_dispose(&mapped->call);
    model_schema_unref(mapped->schema);
    help_route_dispose(&mapped->route);
}

/* The input has to be this, whatever the order of its members. */
static inline void case_expect_input(const struct mapped *mapped, const char *expected)
{
    ck_assert_msg(mapped->input != NULL, "%s", mapped->err.message);
    char *text = case_quoted(expected), *got = help_dump(mapped->input);
    json_t *value = help_json(text);
    ck_assert_msg(json_equal(value, mapped->input), "%s\nis not the expected\n%s", got, text);
    json_decref(value);
    free(text);
    free(got);
}

static inline void case_expect_ignored(const struct mapped *mapped, const char *expected)
{
    struct buf ignored;
    buf_init(&ignored, 256);
    ck_assert(call_ignored_text(&mapped->call, &ignored));
    ck_assert_str_eq(buf_text(&ignored), expected);
    buf_dispose(&ignored);
}

static inline void case_expect_refused(const struct mapped *mapped, enum error_kind kind, const char *param,
                                       const char *words)
{
    ck_assert_msg(mapped->input == NULL, "it was not refused");
    ck_assert_msg(mapped->err.kind == kind, "kind %d: %s", (int)mapped->err.kind, mapped->err.message);
    ck_assert_str_eq(mapped->err.param, param);
    ck_assert_msg(strstr(mapped->err.message, words) != NULL, "%s", mapped->err.message);
}

#endif
