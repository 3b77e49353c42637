/* One table row per key of the native dialect: type, range, default, does a change need a restart, meaning.
 *
 * Parsing, defaults, suggestions for misspelt keys, copies, comparisons and config.yaml.example (checked by a test) all
 * follow from the rows. A new key is one row here and one field in config.h or route.h. Constant; any thread. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/yaml_tree.h"

enum schema_section {
    SCHEMA_ROOT,
    SCHEMA_REPLICATE, /* replicate: */
    SCHEMA_LOG,       /* log: */
    SCHEMA_MODEL,     /* under a name in models: */
    SCHEMA_KEY,       /* an element of keys: */
    SCHEMA_SECTION_COUNT
};

enum schema_type {
    SCHEMA_TEXT,      /* char * */
    SCHEMA_FILE,      /* char *: a file that can be read */
    SCHEMA_PROXY,     /* char *: a proxy's address */
    SCHEMA_TOKEN,     /* char *: Replicate's token or `passthrough`; visible ASCII, never shown */
    SCHEMA_DIGEST,    /* char *: the SHA-256 of a client's key, in hexadecimal digits */
    SCHEMA_TIME,      /* int64_t, Unix seconds; a date means its end */
    SCHEMA_NETWORKS,  /* struct network *, size_t */
    SCHEMA_URL,       /* char *: http or https, no trailing slash */
    SCHEMA_REFERENCE, /* char *: a model, `replicate/` stripped */
    SCHEMA_LISTEN,    /* char *host, int port */
    SCHEMA_INTEGER,   /* int */
    SCHEMA_COUNT,     /* int64_t */
    SCHEMA_BOOLEAN,   /* bool */
    SCHEMA_DURATION,  /* int64_t, milliseconds */
    SCHEMA_SIZE,      /* int64_t, bytes */
    SCHEMA_WORD,      /* an enum whose values are the row's words, counted from 0 */
    SCHEMA_LIST,      /* char **, size_t */
    SCHEMA_NAMES,     /* char **, size_t: names of parameters */
    SCHEMA_ALIASES,   /* char **, size_t: names of models to fall back to; may be empty */
    SCHEMA_ORIGINS,   /* char **, size_t: what an Origin header may be */
    SCHEMA_HEADERS,   /* struct header *, size_t */
    SCHEMA_OBJECT,    /* json_t *, any object */
    SCHEMA_MAP,       /* json_t *: canonical name → input name or null */
    SCHEMA_PARAMS,    /* json_t *: parameters of OpenAI's API */
    SCHEMA_NESTED,    /* not a value: a section of its own, or the lists of models and keys */
};

/* Which struct of `struct schema_objects` holds the field. */
enum schema_owner { SCHEMA_OF_NONE, SCHEMA_OF_CONFIG, SCHEMA_OF_ROUTE, SCHEMA_OF_KEY };

struct schema_row {
    enum schema_section section;
    const char *name;
    enum schema_type type;
    int64_t minimum, maximum;
    const char *words;    /* of SCHEMA_WORD: "grace|cancel|keep" */
    const char *fallback; /* the default as it would be written, NULL = not set */
    bool needs_restart;
    bool of_name; /* of a model: counts for its name, not for one of several deployments under it */
    enum schema_owner owner;
    size_t offset, second_offset; /* the second: of the count, or of the port */
    const char *meaning;          /* a sentence, as the example file has it */
};

struct schema_objects {
    struct config *config;
    struct route *route;
    struct key *key;
};

struct loader;
struct path;

const struct schema_row *schema_rows(size_t *count);
const struct schema_row *schema_find(enum schema_section section, const char *name); /* NULL: no such key */

/* Gives every field of config and route its default. */
void schema_defaults(struct loader *loader, const struct schema_objects *objects);

/* Reads one value, already interpolated, into the row's field. A null leaves the field as it is. */
bool schema_set(struct loader *loader, const struct schema_row *row, const struct schema_objects *objects,
                const struct node *node, const struct path *path);

/* Reads a whole map. Rows of SCHEMA_NESTED are only known by name here, except the sections `replicate` and `log`. */
bool schema_set_section(struct loader *loader, enum schema_section section, const struct schema_objects *objects,
                        const struct node *map, const struct path *path);

void schema_copy_route(struct route *to, const struct route *from);

/* Only what counts for the name, see `of_name`. */
void schema_copy_name(struct route *to, const struct route *from);

void schema_dispose_route(struct route *route);
void schema_dispose_config(struct config *config);
void schema_dispose_key(struct key *key);

/* Is the row's field equal in both? Only for rows of the configuration. */
bool schema_equal(const struct schema_row *row, const struct config *a, const struct config *b);

/* Is `name` a parameter of OpenAI's API that may have a default? */
bool schema_is_parameter(const char *name);

#endif
