/* Counting what was given of a text, and finding the place in a longer one where to go on. */
#include "replicate/pieces.h"

#include <stdbool.h>
#include <string.h>

#include "base/output.h"

static const uint64_t fnv_basis = UINT64_C(14695981039346656037);
static const uint64_t fnv_prime = UINT64_C(1099511628211);

/* A text being compared, string by string. */
struct walk {
    const struct pieces *pieces;
    struct buf *rest;
    uint64_t hash; /* of the bytes up to those given */
    size_t seen_bytes;
    size_t open_returns; /* still to be passed over before the rest begins */
};

static uint64_t hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * fnv_prime;
}

void pieces_init(struct pieces *pieces)
{
    *pieces = (struct pieces){.hash = fnv_basis};
}

void pieces_count(struct pieces *pieces, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r') {
            pieces->open_returns++;
            continue;
        }
        pieces->open_returns = 0;
        pieces->given_bytes++;
        pieces->hash = hash_byte(pieces->hash, bytes[i]);
    }
}

static size_t count_bytes(const char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] != '\r';
    return count;
}

static void walk_string(struct walk *walk, const json_t *string)
{
    const char *at = json_string_value(string);
    const char *end = at + json_string_length(string);
    for (; at < end && walk->seen_bytes < walk->pieces->given_bytes; at++) {
        if (*at == '\r')
            continue;
        walk->hash = hash_byte(walk->hash, *at);
        walk->seen_bytes++;
    }
    /* A poll may have shown a carriage return whose line feed came only later. */
    for (; at < end && walk->open_returns > 0 && *at == '\r'; at++)
        walk->open_returns--;
    if (at == end)
        return;
    walk->open_returns = 0;
    buf_append(walk->rest, at, (size_t)(end - at));
    walk->seen_bytes += count_bytes(at, (size_t)(end - at));
}

static bool walk_output(struct walk *walk, const json_t *output)
{
    if (output == NULL)
        return true;
    if (json_is_string(output)) {
        walk_string(walk, output);
        return true;
    }
    size_t index = 0;
    json_t *item = NULL;
    if (!json_is_array(output))
        return false;
    json_array_foreach(output, index, item)
    {
        if (!json_is_string(item))
            return false;
        walk_string(walk, item);
    }
    return true;
}

/* What was given as text already cannot become something else, whatever has come to it since. */
static bool may_be_text(const struct pieces *pieces, const json_t *output)
{
    bool is_begun = pieces->given_bytes > 0 || pieces->open_returns > 0;
    return output == NULL || is_begun || output_is_plain_text(output);
}

enum pieces_match pieces_compare(const struct pieces *pieces, const json_t *output, struct buf *rest,
                                 size_t *text_bytes)
{
    struct walk walk = {
        .pieces = pieces,
        .rest = rest,
        .hash = fnv_basis,
        .open_returns = pieces->open_returns,
    };
    bool is_text = may_be_text(pieces, output) && walk_output(&walk, output);
    *text_bytes = walk.seen_bytes;
    if (!is_text)
        return PIECES_NO_TEXT;
    if (walk.seen_bytes < pieces->given_bytes)
        return PIECES_BEHIND;
    return walk.hash == pieces->hash ? PIECES_MATCH : PIECES_DIFFER;
}
