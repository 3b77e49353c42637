/* The end of the line for broken assumptions and for exhausted memory. */
#include "base/ensure.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(ensure_abort_fn) before_abort;

void ensure_before_abort(ensure_abort_fn fn)
{
    atomic_store(&before_abort, fn);
}

/* Taken before it is called: what it calls may fail, too. */
static _Noreturn void end(void)
{
    ensure_abort_fn fn = atomic_exchange(&before_abort, NULL);
    if (fn != NULL)
        fn();
    abort();
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this must hold but does not: %s\n", file, line, condition);
    end();
}

/* A daemon that cannot allocate cannot answer either: a restart by its supervisor is the cleanest way on. */
static void *or_abort(void *pointer)
{
    if (!pointer) {
        fputs("replibridge: out of memory\n", stderr);
        end();
    }
    return pointer;
}

void *xmalloc(size_t size)
{
    return or_abort(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    /* calloc, unlike a product of ours, notices when count times size does not fit. */
    return count && size ? or_abort(calloc(count, size)) : xmalloc(1);
}

void *xrealloc(void *pointer, size_t size)
{
    return or_abort(realloc(pointer, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return text ? or_abort(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
    return or_abort(strndup(text, length));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return or_abort(length < 0 ? NULL : text);
}
