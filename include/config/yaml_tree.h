/* YAML as a tree of nodes that know their file and line.
 *
 * Bounded in bytes, depth, nodes and keys of one map; aliases are copied and merge keys (`<<`) resolved within these
 * bounds, so no document can grow without limit. One thread at a time. */
#ifndef CONFIG_YAML_TREE_H
#define CONFIG_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
    YAML_TREE_BYTES = 1 << 20,
    YAML_TREE_DEPTH = 32,
    YAML_TREE_NODES = 100000,
    YAML_TREE_MAP_KEYS = 10000,
};

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    const char *file; /* owned by the tree */
    int line, column; /* counted from 1 */
    bool quoted;      /* a scalar in quotes, or a block of text: never a number, a boolean or null */
    bool filled;      /* a scalar that a variable of the environment has a part in */
    char *text;       /* of a scalar; else NULL */
    struct member *members;
    size_t count; /* of members */
};

/* A key with its value; the elements of a list have no key. */
struct member {
    char *key;
    int line, column;
    bool is_merge; /* a plain `<<`, only while the tree is built */
    struct node *value;
};

struct yaml_tree {
    char *file;
    struct node *root; /* an empty document gives an empty map */
};

/* False with `err` ("FILE:LINE: sentence") and nothing allocated. */
bool yaml_tree_read(struct yaml_tree *tree, const char *file, struct error *err);
bool yaml_tree_parse(struct yaml_tree *tree, const char *file, const char *bytes, size_t length, struct error *err);
void yaml_tree_dispose(struct yaml_tree *tree);

/* The member's value, or NULL; `map` may be NULL or of another type. */
struct node *node_get(const struct node *map, const char *key);

/* A plain scalar that is empty, `~` or `null`. */
bool node_is_null(const struct node *node);

#endif
