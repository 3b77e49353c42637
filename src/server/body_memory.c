/* The memory that request bodies take: one count, that is never raised above its limit. */
#include "server/body_memory.h"

#include "base/ensure.h"

enum { RETRY_SOON_MS = 1000 };

static bool fail_too_large(int64_t limit_bytes, struct error *err)
{
    return error_set(err, ERROR_REQUEST_TOO_LARGE, NULL,
                     "The request takes more memory than this server has for all of them (%lld bytes, "
                     "`max_body_memory`). Send less, or fewer values in its JSON.",
                     (long long)limit_bytes);
}

bool body_memory_take(struct body_memory *memory, int64_t limit_bytes, int64_t held_bytes, int64_t bytes,
                      struct error *err)
{
    int_least64_t used = atomic_load(&memory->used_bytes);
    if (bytes > limit_bytes - held_bytes)
        return fail_too_large(limit_bytes, err);
    while (bytes <= limit_bytes - used)
        if (atomic_compare_exchange_weak(&memory->used_bytes, &used, used + bytes))
            return true;
    error_set(err, ERROR_OVERLOADED, NULL,
              "The requests that this server works on are as large together as they may be (%lld bytes, "
              "`max_body_memory`). Try again in a moment.",
              (long long)limit_bytes);
    err->retry_after_ms = RETRY_SOON_MS;
    return false;
}

void body_memory_give(struct body_memory *memory, int64_t bytes)
{
    ensure(atomic_fetch_sub(&memory->used_bytes, bytes) >= bytes);
}
