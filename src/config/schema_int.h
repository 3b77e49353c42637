/* How the values of single types are read; shared by the files of the schema. Main thread. */
#ifndef CONFIG_SCHEMA_INT_H
#define CONFIG_SCHEMA_INT_H

#include "config/schema.h"
#include "loader_int.h"

/* What a reader is given: the row, where the field is, and where the value came from. */
struct reading {
    struct loader *loader;
    const struct schema_row *row;
    void *field, *second;
    const struct node *node;
    const struct path *path;
};

typedef bool reader_fn(const struct reading *reading);

/* Of schema_text.c. */
reader_fn read_text, read_file, read_proxy, read_url, read_reference, read_listen;
/* Of schema_list.c. */
reader_fn read_list, read_names, read_aliases, read_origins, read_headers, read_object, read_map, read_params;

/* Of schema_access.c. */
reader_fn read_token, read_digest, read_time, read_networks;

/* Fails unless the node is a scalar with something in it. */
bool require_text(const struct reading *reading, const char *what);

/* Replaces the text in a `char *` field. */
void replace_text(void *field, const char *text);

void free_texts(char **texts, size_t count);
void free_headers(struct header *headers, size_t count);

#endif
