/* The memory that request bodies take, over all workers: bodies are the only thing that clients can make large.
 *
 * What is counted is an estimate: the bytes of each body, from its Content-Length on (a chunked one as it grows), a
 * fixed amount for each value of its JSON, and once more for each further choice; until the request has its answer.
 * What is made of a body on its way (its JSON, the model's input, the bytes of the create) takes a few times as much,
 * one after the other: the limit (`max_body_memory`) is to be a fraction of the machine's memory. Any thread, no lock.
 */
#ifndef SERVER_BODY_MEMORY_H
#define SERVER_BODY_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A value of jansson 2.14 with its place in an array or object, as measured with glibc on 64 bits: rounded up. */
enum { BODY_MEMORY_VALUE_BYTES = 64 };

struct body_memory {
    atomic_int_least64_t used_bytes;
};

/* Adds `bytes` to what is used. False, and nothing added, with ERROR_OVERLOADED where that would be more than
 * `limit_bytes`; with ERROR_REQUEST_TOO_LARGE where it would be too much even alone (`held_bytes` of the same request
 * included). */
bool body_memory_take(struct body_memory *memory, int64_t limit_bytes, int64_t held_bytes, int64_t bytes,
                      struct error *err);
void body_memory_give(struct body_memory *memory, int64_t bytes);

#endif
