/* SipHash-2-4 with an output of 128 bits, fed piece by piece. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static uint64_t read_word(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

static void write_word(unsigned char *bytes, uint64_t word)
{
    word = htole64(word);
    memcpy(bytes, &word, sizeof word);
}

static void mix(uint64_t v[4], int rounds)
{
    uint64_t a = v[0], b = v[1], c = v[2], d = v[3];
    for (int i = 0; i < rounds; i++) {
        a += b;
        b = rotate(b, 13) ^ a;
        a = rotate(a, 32);
        c += d;
        d = rotate(d, 16) ^ c;
        a += d;
        d = rotate(d, 21) ^ a;
        c += b;
        b = rotate(b, 17) ^ c;
        c = rotate(c, 32);
    }
    v[0] = a;
    v[1] = b;
    v[2] = c;
    v[3] = d;
}

static void add_word(struct hash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    mix(hash->v, 2);
    hash->v[0] ^= word;
}

void hash_init(struct hash *hash, const unsigned char key[HASH_KEY_BYTES])
{
    uint64_t low = read_word(key), high = read_word(key + 8);
    memset(hash, 0, sizeof *hash);
    hash->v[0] = low ^ UINT64_C(0x736f6d6570736575);
    hash->v[1] = high ^ UINT64_C(0x646f72616e646f6d) ^ 0xee; /* 0xee: of the longer output */
    hash->v[2] = low ^ UINT64_C(0x6c7967656e657261);
    hash->v[3] = high ^ UINT64_C(0x7465646279746573);
}

void hash_add(struct hash *hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes, *end = at + length;
    size_t held = hash->length % 8;
    hash->length += length;
    for (; held > 0 && held < 8 && at < end; at++)
        hash->rest[held++] = *at;
    if (held == 8)
        add_word(hash, read_word(hash->rest));
    else if (held > 0)
        return;
    for (; end - at >= 8; at += 8)
        add_word(hash, read_word(at));
    if (at < end)
        memcpy(hash->rest, at, (size_t)(end - at));
}

void hash_add_text(struct hash *hash, const char *text)
{
    unsigned char length[8];
    write_word(length, text == NULL ? UINT64_MAX : strlen(text));
    hash_add(hash, length, sizeof length);
    if (text != NULL)
        hash_add(hash, text, strlen(text));
}

void hash_end(struct hash *hash, unsigned char out[HASH_BYTES])
{
    size_t held = hash->length % 8;
    memset(hash->rest + held, 0, 8 - held);
    add_word(hash, read_word(hash->rest) | (uint64_t)hash->length << 56);
    hash->v[2] ^= 0xee;
    mix(hash->v, 4);
    write_word(out, hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3]);
    hash->v[1] ^= 0xdd;
    mix(hash->v, 4);
    write_word(out + 8, hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3]);
}
