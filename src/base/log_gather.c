/* The lines of a worker's turn, gathered so that one write takes several of them. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/list.h"
#include "base/log.h"
#include "log_int.h"

/* A thread's lines. No more than a pipe takes in one piece, or lines of others could come in between. */
struct gathering {
    struct list_link link;
    pthread_mutex_t mutex; /* guards the two below: of a process that aborts, another thread writes them */
    size_t length;
    char lines[PIPE_BUF];
};

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct list gatherings = {.ends = {.previous = &gatherings.ends, .next = &gatherings.ends}};

static _Thread_local struct gathering *own;

static void write_gathered(struct gathering *gathering)
{
    if (gathering->length > 0)
        log_put(gathering->lines, gathering->length);
    gathering->length = 0;
}

/* Of a process that is about to abort: who holds the mutex may be the thread that aborts, or one that waits for a full
 * pipe, so it is not waited for without end. */
static bool lock_somehow(pthread_mutex_t *mutex)
{
    enum { TRIES = 1000 };
    for (int i = 0; i < TRIES; i++) {
        if (pthread_mutex_trylock(mutex) == 0)
            return true;
        (void)sched_yield();
    }
    return false;
}

/* Nothing is unlocked: what the other threads log from here on would come after the end. */
static void write_all(void)
{
    if (!lock_somehow(&list_mutex))
        return;
    for (struct list_link *link = list_first(&gatherings); link != NULL; link = list_next(&gatherings, link)) {
        struct gathering *gathering = list_entry(link, struct gathering, link);
        if (lock_somehow(&gathering->mutex))
            write_gathered(gathering);
    }
}

void log_gather(void)
{
    ensure(own == NULL);
    own = xcalloc(1, sizeof *own);
    ensure(pthread_mutex_init(&own->mutex, NULL) == 0);
    ensure(pthread_mutex_lock(&list_mutex) == 0);
    list_append(&gatherings, &own->link);
    ensure(pthread_mutex_unlock(&list_mutex) == 0);
    ensure_before_abort(write_all);
}

void log_gather_end(void)
{
    log_flush();
    ensure(pthread_mutex_lock(&list_mutex) == 0);
    list_remove(&own->link);
    ensure(pthread_mutex_unlock(&list_mutex) == 0);
    pthread_mutex_destroy(&own->mutex);
    free(own);
    own = NULL;
}

void log_flush(void)
{
    if (own == NULL || own->length == 0) /* only this thread adds to it */
        return;
    ensure(pthread_mutex_lock(&own->mutex) == 0);
    write_gathered(own);
    ensure(pthread_mutex_unlock(&own->mutex) == 0);
}

bool log_gather_line(const char *line, size_t length, bool is_urgent)
{
    if (own == NULL)
        return false;
    ensure(pthread_mutex_lock(&own->mutex) == 0);
    if (length > sizeof own->lines - own->length)
        write_gathered(own);
    memcpy(own->lines + own->length, line, length);
    own->length += length;
    if (is_urgent)
        write_gathered(own);
    ensure(pthread_mutex_unlock(&own->mutex) == 0);
    return true;
}
