/* Strict JSON, read into trees and written. `json_t` is common vocabulary; jansson's own parser and writer are not
 * used: they take many times as long, and a picture in a request would hold up everybody else's answers.
 *
 * Reading (base/json_scan.h tells what is valid) is stricter than jansson where security asks for it and wider where
 * OpenAI's clients need it (integers beyond int64 become reals). Any thread; a json_t belongs to one thread at a
 * time. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json_scan.h"

/* Parses exactly one JSON value. NULL and `err` (ERROR_BAD_REQUEST, with what is wrong and at which
 * byte) on: invalid JSON or UTF-8, lone surrogates, NUL in a string, text after the value,
 * nesting over 512 levels. The caller owns the value. */
json_t *json_parse(const char *bytes, size_t length, struct error *err);

/* How many values the text has at most, the keys of objects included: by its punctuation, without parsing. What a text
 * becomes in memory depends on it. */
size_t json_count_values(const char *bytes, size_t length);

/* For answers of others, which cannot be sent again: what json_parse refuses for the sake of `\u0000`, halves of
 * surrogate pairs or bytes that are not UTF-8 alone is read with U+FFFD in their place. NULL for anything else. */
json_t *json_parse_lenient(const char *bytes, size_t length);

/* The same for those who read without a tree: writes the text with U+FFFD in place of what is none to `mended`, which is
 * initialised here and the caller's to dispose of. True where anything was replaced, so that another try is worthwhile.
 */
bool json_mend(const char *bytes, size_t length, struct buf *mended);

/* Reads the next value as a tree. New reference; NULL on a fault of the scanner. */
json_t *json_build(struct json_scan *scan);

/* Appends compact JSON, UTF-8 unescaped, reals with up to 15 significant digits (0.1 stays 0.1). False, and nothing is
 * appended, where it does not fit, or where a string of the tree is not UTF-8. */
bool json_append(struct buf *out, const json_t *value);

/* Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD. */
bool json_append_string(struct buf *out, const char *text, size_t length);

/* A JSON string as json_stringn makes it, but faster where the text is long. NULL where it is not UTF-8. New
 * reference. */
json_t *json_string_of(const char *text, size_t length);

/* A JSON string of bytes that may hold invalid UTF-8 (each bad byte becomes U+FFFD). New reference. */
json_t *json_string_lossy(const char *text, size_t length);

/* The member's text when it is a string, else NULL. */
const char *json_text(const json_t *object, const char *key);

/* The member as an integer when it is one, or an integral real within ±2^53; else false. */
bool json_whole_number(const json_t *value, int64_t *out);

/* "a string", "an object", "null" … for messages. */
const char *json_type_name(const json_t *value);

#endif
