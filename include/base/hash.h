/* SipHash-2-4 with 128 bits (Aumasson and Bernstein): a hash under a key of our own, so that nobody outside can make
 * two texts collide. For finding equal requests, not for signatures. One thread at a time per state. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_KEY_BYTES = 16, HASH_BYTES = 16 };

struct hash {
    uint64_t v[4];
    unsigned char rest[8]; /* bytes that do not fill a word yet */
    size_t length;         /* of all */
};

void hash_init(struct hash *hash, const unsigned char key[HASH_KEY_BYTES]);
void hash_add(struct hash *hash, const void *bytes, size_t length);
/* A text with its length, so that "ab" + "c" is not "a" + "bc"; NULL differs from "". */
void hash_add_text(struct hash *hash, const char *text);
void hash_end(struct hash *hash, unsigned char out[HASH_BYTES]);

#endif
