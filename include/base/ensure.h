/* Always-on assertions, and allocation that cannot fail.
 *
 * A broken `ensure` is a bug of ours: it prints file, line and the condition to
 * standard error and aborts. What the world can do wrong is a `struct error`.
 * The x-functions never return NULL: out of memory aborts with a message. What is
 * allocated by them is small, or bounded together with all else that clients make
 * large (server/body_memory.h): when even that cannot be had, nothing could be
 * answered either, and every prediction under way still ends by its Cancel-After.
 * Any thread. */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#include <stddef.h>

#define ensure(condition) \
    ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

_Noreturn void ensure_failed(const char *condition, const char *file, int line);

/* Called once, by the thread that is about to abort, for whatever must not be lost. One function; the same one may be
 * set by several threads. */
typedef void (*ensure_abort_fn)(void);
void ensure_before_abort(ensure_abort_fn fn);

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *pointer, size_t size);

/* xstrdup of NULL is NULL. The caller frees. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);

/* A new formatted string; the caller frees. */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
