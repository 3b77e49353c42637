/* SHA-256 (FIPS 180-4): keys of clients are compared by it, so that the secrets themselves need not be kept.
 *
 * Own code, because it is the only thing that would be wanted of a library of cryptography, and an algorithm that never
 * changes. Its time depends on the length alone. Pure; any thread. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 2 * SHA256_BYTES + 1 };

void sha256(const void *bytes, size_t length, unsigned char out[SHA256_BYTES]);

/* The same as 64 hexadecimal digits in lower case and a NUL. */
void sha256_hex(const void *bytes, size_t length, char out[SHA256_HEX_BYTES]);

#endif
