/* What the files of the module `api` share. */
#ifndef API_INT_H
#define API_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "base/json_scan.h"

/* Longest piece of Replicate's own text in a message of ours. */
enum { API_QUOTE_BYTES = 500 };

/* Longest name or version in an answer that is used any further. */
enum { API_NAME_BYTES = 256 };

/* An id or version that may stand in a URL or a log line: 1 to size - 1 letters, digits, '-' and '_'. */
bool api_copy_token(char *out, size_t size, const char *text);

/* A member of an answer as it may be shown: a string as it is, another value as JSON, nothing as "". */
void api_quote_value(char *out, size_t size, const json_t *value, const char *secret);

/* Token counts from a prediction's `metrics`, the next value, in both spellings. */
void api_usage_from_metrics(struct json_scan *scan, struct usage *usage);

/* When a timestamp was ("2026-03-01T10:20:30.123456Z", always in UTC), in ms since some day; -1 where it is none. */
int64_t api_time_ms(const char *text);

#endif
