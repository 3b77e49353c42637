/* Scalars of a configuration as values: booleans, numbers, durations, sizes, JSON. Pure; any thread. */
#ifndef CONFIG_VALUE_INT_H
#define CONFIG_VALUE_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/yaml_tree.h"

/* `true`, `yes`, `on` and their opposites in lower case, upper case or capitalised; never in quotes. */
bool value_boolean(const struct node *node, bool *value);

/* The same words, from an environment variable: also `1` and `0`. */
bool value_boolean_text(const char *text, bool *value);

/* A decimal integer, quoted or not. */
bool value_integer(const char *text, int64_t *value);

/* `500ms`, `60s`, `10m`, `1h`, `1d` or a plain number of seconds; fractions too. In milliseconds. */
bool value_duration(const char *text, int64_t *ms);

/* `2030-12-31` (the end of that day in UTC) or a date and time of RFC 3339. In Unix seconds. */
bool value_time(const char *text, int64_t *unix_s);

/* `64MiB`, `10MB`, `1k` or a plain number of bytes; fractions too. */
bool value_size(const char *text, int64_t *bytes);

/* Any node as JSON, or NULL where a text is no UTF-8. Plain scalars are null, booleans and numbers where they look so;
 * `yaml11` takes `yes`, `no`, `on` and `off` as booleans too. New reference. */
json_t *value_json(const struct node *node, bool yaml11);

#endif
