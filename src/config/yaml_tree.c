/* libyaml's events to a bounded tree of nodes. The only file that knows libyaml. */
#include "config/yaml_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/ensure.h"

/* A finished node that an alias may name. The node stays where it is until the whole tree stands. */
struct anchor {
    char *name;
    const struct node *node;
    struct anchor *next;
};

struct builder {
    yaml_parser_t parser;
    const char *file;
    struct anchor *anchors;
    size_t nodes;
    struct error *err;
};

static struct node *build(struct builder *builder, const yaml_event_t *event, int depth);

static void node_free(struct node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++) {
        free(node->members[i].key);
        node_free(node->members[i].value);
    }
    free(node->members);
    free(node->text);
    free(node);
}

static int mark_line(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

/* Messages of the tree have no key: where a document is malformed, there may be none yet. */
static bool fail(struct builder *builder, int line, const char *sentence)
{
    return error_set(builder->err, ERROR_INVALID_VALUE, NULL, "%s:%d: %s", builder->file, line, sentence);
}

/* Every node of the tree, copies too, comes from here: so the bounds hold for aliases as well. */
static struct node *node_new(struct builder *builder, enum node_type type, int line, int column)
{
    if (builder->nodes >= YAML_TREE_NODES) {
        fail(builder, line, "the document has more than 100000 nodes (aliases count as often as they are used)");
        return NULL;
    }
    builder->nodes++;
    struct node *node = xcalloc(1, sizeof *node);
    node->type = type;
    node->file = builder->file;
    node->line = line;
    node->column = column;
    return node;
}

/* The array doubles whenever its length is a power of two, so no capacity needs to be kept. */
static struct member *member_add(struct node *node)
{
    if ((node->count & (node->count - 1)) == 0)
        node->members = xrealloc(node->members, (node->count == 0 ? 1 : node->count * 2) * sizeof *node->members);
    struct member *member = &node->members[node->count++];
    memset(member, 0, sizeof *member);
    return member;
}

/* Recursion is bounded by the depth, work by the number of nodes. */
static struct node *node_copy(struct builder *builder, const struct node *from, int depth)
{
    if (depth > YAML_TREE_DEPTH) {
        fail(builder, from->line, "values are nested more than 32 levels deep");
        return NULL;
    }
    struct node *node = node_new(builder, from->type, from->line, from->column);
    if (node == NULL)
        return NULL;
    node->quoted = from->quoted;
    node->text = xstrdup(from->text);
    for (size_t i = 0; i < from->count; i++) {
        struct node *value = node_copy(builder, from->members[i].value, depth + 1);
        if (value == NULL) {
            node_free(node);
            return NULL;
        }
        struct member *member = member_add(node);
        *member = from->members[i];
        member->key = xstrdup(from->members[i].key);
        member->value = value;
    }
    return node;
}

static bool next_event(struct builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return true;
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "it cannot be read";
    /* Faults of the byte stream have no mark: the position of the reader stands in. */
    int line = mark_line(parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark);
    return error_set(builder->err, ERROR_INVALID_VALUE, NULL, "%s:%d: this is not valid YAML: %s", builder->file, line,
                     problem);
}

/* Standard tags are either what we assume anyway or, for `!!str`, the same as quotes. */
static bool check_tag(struct builder *builder, const yaml_char_t *tag, int line, bool *is_text)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    *is_text = false;
    if (text == NULL || strncmp(text, prefix, sizeof prefix - 1) == 0) {
        *is_text = text != NULL && strcmp(text + sizeof prefix - 1, "str") == 0;
        return true;
    }
    if (strcmp(text, "!") == 0) {
        *is_text = true;
        return true;
    }
    return fail(builder, line, "tags of your own (such as !name) are not supported; write the value itself");
}

static struct node *build_scalar(struct builder *builder, const yaml_event_t *event)
{
    int line = mark_line(event->start_mark);
    bool is_text;
    if (!check_tag(builder, event->data.scalar.tag, line, &is_text))
        return NULL;
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length) != NULL) {
        fail(builder, line, "a value must not hold a NUL character");
        return NULL;
    }
    struct node *node = node_new(builder, NODE_SCALAR, line, (int)event->start_mark.column + 1);
    if (node == NULL)
        return NULL;
    node->quoted = is_text || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = xstrndup(text, length);
    return node;
}

static struct node *build_alias(struct builder *builder, const yaml_event_t *event, int depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (const struct anchor *anchor = builder->anchors; anchor != NULL; anchor = anchor->next)
        if (strcmp(anchor->name, name) == 0)
            return node_copy(builder, anchor->node, depth);
    fail(builder, mark_line(event->start_mark), "an alias (*name) needs an anchor (&name) that ends before it");
    return NULL;
}

/* Reads one node that begins with the next event, unless that is `end`: then *value is NULL. */
static bool build_next(struct builder *builder, yaml_event_type_t end, int depth, struct node **value)
{
    yaml_event_t event;
    *value = NULL;
    if (!next_event(builder, &event))
        return false;
    bool ok = true;
    if (event.type != end) {
        *value = build(builder, &event, depth);
        ok = *value != NULL;
    }
    yaml_event_delete(&event);
    return ok;
}

static bool build_elements(struct builder *builder, struct node *list, int depth)
{
    for (;;) {
        struct node *value;
        if (!build_next(builder, YAML_SEQUENCE_END_EVENT, depth + 1, &value))
            return false;
        if (value == NULL)
            return true;
        struct member *member = member_add(list);
        member->line = value->line;
        member->column = value->column;
        member->value = value;
    }
}

/* A key in the wrong place may be a secret itself, and may hold what a terminal would act on. */
static bool fail_twice(struct builder *builder, const struct node *key, int first_line)
{
    char quoted[121];
    error_quote(quoted, sizeof quoted, key->text, strlen(key->text), NULL);
    return error_set(builder->err, ERROR_INVALID_VALUE, NULL,
                     "%s:%d: the key \"%s\" is given twice, first on line %d; remove one of them", builder->file,
                     key->line, quoted, first_line);
}

/* Gives the map a new key; the key's text moves out of its node. */
static bool add_key(struct builder *builder, struct node *map, struct node *key)
{
    if (key->type != NODE_SCALAR)
        return fail(builder, key->line, "a key must be plain text");
    bool is_merge = !key->quoted && strcmp(key->text, "<<") == 0;
    for (size_t i = 0; i < map->count && !is_merge; i++)
        if (strcmp(map->members[i].key, key->text) == 0)
            return fail_twice(builder, key, map->members[i].line);
    if (map->count >= YAML_TREE_MAP_KEYS)
        return fail(builder, key->line, "a map may have 10000 keys at most");
    struct member *member = member_add(map);
    member->key = key->text;
    member->line = key->line;
    member->column = key->column;
    member->is_merge = is_merge;
    key->text = NULL;
    return true;
}

/* A key's node does not stay, so nothing may refer to it: whatever its anchor names is unknown. */
static void free_key(struct builder *builder, struct node *key)
{
    struct anchor *newest = builder->anchors;
    if (newest != NULL && newest->node == key) {
        builder->anchors = newest->next;
        free(newest->name);
        free(newest);
    }
    node_free(key);
}

/* Keys and values alternate in the stream of events; libyaml sees to it that each key has its value. */
static bool build_members(struct builder *builder, struct node *map, int depth)
{
    for (;;) {
        struct node *key, *value;
        if (!build_next(builder, YAML_MAPPING_END_EVENT, depth + 1, &key))
            return false;
        if (key == NULL)
            return true;
        bool added = add_key(builder, map, key);
        free_key(builder, key);
        if (!added || !build_next(builder, YAML_NO_EVENT, depth + 1, &value))
            return false;
        map->members[map->count - 1].value = value;
    }
}

static struct node *build_collection(struct builder *builder, const yaml_event_t *event, int depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    int line = mark_line(event->start_mark);
    const yaml_char_t *tag = is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    bool is_text;
    if (!check_tag(builder, tag, line, &is_text))
        return NULL;
    struct node *node = node_new(builder, is_map ? NODE_MAP : NODE_LIST, line, (int)event->start_mark.column + 1);
    if (node == NULL)
        return NULL;
    if (is_map ? build_members(builder, node, depth) : build_elements(builder, node, depth))
        return node;
    node_free(node);
    return NULL;
}

static const char *event_anchor(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static struct node *build(struct builder *builder, const yaml_event_t *event, int depth)
{
    if (depth > YAML_TREE_DEPTH) {
        fail(builder, mark_line(event->start_mark), "values are nested more than 32 levels deep");
        return NULL;
    }
    struct node *node;
    if (event->type == YAML_ALIAS_EVENT)
        return build_alias(builder, event, depth);
    if (event->type == YAML_SCALAR_EVENT)
        node = build_scalar(builder, event);
    else
        node = build_collection(builder, event, depth);
    /* Only a node that is complete gets its anchor, so none can contain itself. The newest of a name wins. */
    if (node != NULL && event_anchor(event) != NULL) {
        struct anchor *anchor = xcalloc(1, sizeof *anchor);
        anchor->name = xstrdup(event_anchor(event));
        anchor->node = node;
        anchor->next = builder->anchors;
        builder->anchors = anchor;
    }
    return node;
}

/* Moves what `from` has and `map` lacks into `map`. */
static void merge_map(struct node *map, struct node *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct member *taken = &from->members[i];
        if (taken->is_merge || node_get(map, taken->key) != NULL)
            continue;
        struct member *member = member_add(map);
        *member = *taken;
        taken->key = NULL;
        taken->value = NULL;
    }
}

static bool merge_source(struct builder *builder, struct node *map, struct node *source)
{
    if (source->type == NODE_MAP) {
        merge_map(map, source);
        return true;
    }
    for (size_t i = 0; i < source->count; i++) {
        if (source->members[i].value->type != NODE_MAP)
            return fail(builder, source->line, "the merge key << takes a map or a list of maps");
        merge_map(map, source->members[i].value);
    }
    return source->type == NODE_LIST || fail(builder, source->line, "the merge key << takes a map or a list of maps");
}

/* Merge keys wait until the whole tree stands, because anchors point into what they take apart. */
static bool resolve_merges(struct builder *builder, struct node *node)
{
    size_t own = node->count;
    for (size_t i = 0; i < own; i++)
        if (!resolve_merges(builder, node->members[i].value))
            return false;
    for (size_t i = 0; i < own; i++)
        if (node->members[i].is_merge && !merge_source(builder, node, node->members[i].value))
            return false;
    size_t kept = 0;
    for (size_t i = 0; i < node->count; i++) {
        struct member member = node->members[i];
        if (member.is_merge) {
            free(member.key);
            node_free(member.value);
        } else {
            node->members[kept++] = member;
        }
    }
    node->count = kept;
    return true;
}

/* Skips to the first event of the document's content; *event is that or the end of the stream. */
static bool open_document(struct builder *builder, yaml_event_t *event)
{
    for (;;) {
        if (!next_event(builder, event))
            return false;
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT)
            return true;
        yaml_event_delete(event);
    }
}

static bool close_document(struct builder *builder)
{
    yaml_event_t event;
    do {
        if (!next_event(builder, &event))
            return false;
        yaml_event_type_t type = event.type;
        int line = mark_line(event.start_mark);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return true;
        if (type != YAML_DOCUMENT_END_EVENT)
            return fail(builder, line, "the file holds more than one document; keep one");
    } while (true);
}

static struct node *build_document(struct builder *builder)
{
    yaml_event_t event;
    if (!open_document(builder, &event))
        return NULL;
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        return node_new(builder, NODE_MAP, 1, 1);
    }
    struct node *root = build(builder, &event, 1);
    yaml_event_delete(&event);
    if (root != NULL && close_document(builder) && resolve_merges(builder, root))
        return root;
    node_free(root);
    return NULL;
}

bool yaml_tree_parse(struct yaml_tree *tree, const char *file, const char *bytes, size_t length, struct error *err)
{
    *tree = (struct yaml_tree){0};
    if (length > YAML_TREE_BYTES)
        return error_set(err, ERROR_INVALID_VALUE, NULL, "%s: the file is larger than 1 MiB", file);
    tree->file = xstrdup(file);
    struct builder builder = {.file = tree->file, .err = err};
    ensure(yaml_parser_initialize(&builder.parser));
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)bytes, length);
    tree->root = build_document(&builder);
    yaml_parser_delete(&builder.parser);
    while (builder.anchors != NULL) {
        struct anchor *next = builder.anchors->next;
        free(builder.anchors->name);
        free(builder.anchors);
        builder.anchors = next;
    }
    if (tree->root == NULL)
        yaml_tree_dispose(tree);
    return tree->root != NULL;
}

/* One byte more than allowed is read, so that a file of any size costs no more than the limit. Not into a block of that
 * limit: once malloc has seen one of a megabyte freed, it no longer asks the kernel for other large blocks by
 * themselves, and then those that are cleared, the tables of the daemon, would be in memory whole from the start. */
static bool read_stream(FILE *stream, struct buf *bytes)
{
    char block[8192];
    size_t length = 0;
    buf_init(bytes, YAML_TREE_BYTES + 1);
    do {
        size_t room = bytes->maximum - bytes->length;
        length = fread(block, 1, room < sizeof block ? room : sizeof block, stream);
        buf_append(bytes, block, length);
    } while (length > 0);
    return !ferror(stream);
}

bool yaml_tree_read(struct yaml_tree *tree, const char *file, struct error *err)
{
    *tree = (struct yaml_tree){0};
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return error_set(err, ERROR_INVALID_VALUE, NULL, "%s: the file cannot be opened: %s", file, strerror(errno));
    struct buf bytes;
    int fault = read_stream(stream, &bytes) ? 0 : errno;
    fclose(stream);
    bool ok = fault == 0
                  ? yaml_tree_parse(tree, file, buf_text(&bytes), bytes.length, err)
                  : error_set(err, ERROR_INVALID_VALUE, NULL, "%s: the file cannot be read: %s", file, strerror(fault));
    buf_dispose(&bytes);
    return ok;
}

void yaml_tree_dispose(struct yaml_tree *tree)
{
    node_free(tree->root);
    free(tree->file);
    *tree = (struct yaml_tree){0};
}

struct node *node_get(const struct node *map, const char *key)
{
    if (map == NULL || map->type != NODE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (!map->members[i].is_merge && map->members[i].key != NULL && strcmp(map->members[i].key, key) == 0)
            return map->members[i].value;
    return NULL;
}

bool node_is_null(const struct node *node)
{
    if (node->type != NODE_SCALAR || node->quoted)
        return false;
    return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0;
}
