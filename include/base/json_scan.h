/* Reads JSON where it lies: a cursor that checks every byte it passes and copies none.
 *
 * This is what valid JSON is here, whether trees are built of it (json_parse) or a few members are looked for in an
 * answer: strict JSON in UTF-8, nesting up to JSON_SCAN_DEPTH, no lone surrogates, no `\u0000`, no number beyond a
 * double. What is passed over is checked no less, so text is valid once the cursor has come to its end.
 *
 *     struct json_scan scan;
 *     struct json_scanned value;
 *     json_scan_init(&scan, bytes, length);
 *     if (json_scan_value(&scan, &value) && value.kind == JSON_SCAN_OBJECT) {
 *         struct json_scanned key;
 *         while (json_scan_member(&scan, &key))
 *             json_scan_skip(&scan);
 *     }
 *     bool is_valid = json_scan_end(&scan);
 *
 * The first fault stays: everything after it returns false, so a walk may be checked once, at its end. The bytes belong
 * to the caller and have to outlive the cursor and its values. Any thread; a cursor belongs to one at a time. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_SCAN_DEPTH = 512 };

enum json_scan_kind {
    JSON_SCAN_NULL,
    JSON_SCAN_FALSE,
    JSON_SCAN_TRUE,
    JSON_SCAN_INTEGER,
    JSON_SCAN_REAL, /* also an integer beyond 64 bits */
    JSON_SCAN_STRING,
    JSON_SCAN_ARRAY,
    JSON_SCAN_OBJECT,
};

enum json_scan_fault {
    JSON_SCAN_FINE,
    JSON_SCAN_BAD_TOKEN,
    JSON_SCAN_BAD_UTF8,
    JSON_SCAN_BAD_ESCAPE,
    JSON_SCAN_SURROGATE, /* an escape that is half of a pair */
    JSON_SCAN_CONTROL,   /* a control character in a string */
    JSON_SCAN_NUL,       /* \u0000 */
    JSON_SCAN_OVERFLOW,  /* a number beyond a double */
    JSON_SCAN_EMPTY,     /* no value at all */
    JSON_SCAN_TOO_EARLY, /* the text ends within the value */
    JSON_SCAN_TOO_LATE,  /* more text after the value */
    JSON_SCAN_TOO_DEEP,
};

struct json_scan {
    const char *begin, *at, *end;
    enum json_scan_fault fault; /* then `at` is where it was noticed */
    int depth;
    bool is_opened; /* an array or object was entered just now: no comma comes before what follows */
};

struct json_scanned {
    enum json_scan_kind kind;
    bool has_escapes;
    const char *text; /* of a string: between its quotes, escaped as it was sent; no NUL follows */
    size_t length;
    union {
        int64_t integer;
        double real;
    };
};

void json_scan_init(struct json_scan *scan, const char *bytes, size_t length);

/* Reads the next value: a scalar whole, of an array or object only that it begins. Its items or members are to be
 * walked then, to their end. */
bool json_scan_value(struct json_scan *scan, struct json_scanned *value);

/* In an array: is there another item? It is to be read or skipped before the next call. */
bool json_scan_item(struct json_scan *scan);

/* In an object: is there another member? Its value is to be read or skipped before the next call. A key may come more
 * than once: then the last one counts. */
bool json_scan_member(struct json_scan *scan, struct json_scanned *key);

/* Reads the next value and is behind it then: of an array or object, which is passed over, only that it is one. */
bool json_scan_whole(struct json_scan *scan, struct json_scanned *value);

/* Is the next value an object? Then its members are to be walked; anything else is passed over. */
bool json_scan_enter(struct json_scan *scan);

/* Passes over the next value, whatever it is. */
bool json_scan_skip(struct json_scan *scan);

/* True where nothing but blanks is left, and there was no fault. */
bool json_scan_end(struct json_scan *scan);

/* Writes the characters of a string or key; `out` has room for `value->length` bytes. Returns how many they are. No NUL
 * is written. */
size_t json_scan_unescape(const struct json_scanned *value, char *out);

/* Are these the characters of the string or key? */
bool json_scan_is(const struct json_scanned *value, const char *text);

/* Its integer where it is one, or an integral real within ±2^53; else false. */
bool json_scan_whole_number(const struct json_scanned *value, int64_t *out);

/* How many bytes at the start of `text` may stand in a JSON string as they are: valid UTF-8 without quotes, backslashes
 * and characters below U+0020. */
size_t json_plain_length(const char *text, size_t length);

#endif
