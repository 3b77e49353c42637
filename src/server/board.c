/* Pages of runs, a ring of errors, and atomics for what every request touches. */
#include "server/board.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"

enum { MINUTE_S = 60, RING_S = 64 };

/* Requests of one second; a second of another minute is overwritten. One writer. */
struct second {
    atomic_int_least64_t at_s, answered;
};

struct page {
    struct board_run runs[BOARD_RUNS]; /* guarded by the page's mutex, as are the next two */
    size_t count, total;
    struct second seconds[RING_S];
    atomic_int_least64_t answered;
};

struct health {
    atomic_int_least64_t answered_s, failed_s;
    atomic_int kind;
};

/* The mutexes stand apart, so that setting them up makes no page resident whose worker there is not. */
struct board {
    struct page pages[BOARD_WORKERS];
    pthread_mutex_t page_mutexes[BOARD_WORKERS];
    struct health healths[BOARD_ALIASES];
    pthread_mutex_t mutex; /* guards the errors */
    struct board_error errors[BOARD_ERRORS];
    size_t error_count; /* ever; the next goes to error_count % BOARD_ERRORS */
};

struct board *board_new(void)
{
    struct board *board = xcalloc(1, sizeof *board);
    for (size_t i = 0; i < BOARD_WORKERS; i++)
        ensure(pthread_mutex_init(&board->page_mutexes[i], NULL) == 0);
    ensure(pthread_mutex_init(&board->mutex, NULL) == 0);
    return board;
}

void board_free(struct board *board)
{
    for (size_t i = 0; i < BOARD_WORKERS; i++)
        pthread_mutex_destroy(&board->page_mutexes[i]);
    pthread_mutex_destroy(&board->mutex);
    free(board);
}

/* ---- writing ---- */

void board_publish(struct board *board, size_t worker, const struct board_run *runs, size_t count, size_t total)
{
    ensure(worker < BOARD_WORKERS && count <= BOARD_RUNS);
    struct page *page = &board->pages[worker];
    ensure(pthread_mutex_lock(&board->page_mutexes[worker]) == 0);
    if (count > 0) /* with none there may be no array either */
        memcpy(page->runs, runs, count * sizeof *runs);
    page->count = count;
    page->total = total;
    ensure(pthread_mutex_unlock(&board->page_mutexes[worker]) == 0);
}

static void count_second(struct page *page, int64_t now_s)
{
    struct second *second = &page->seconds[now_s % RING_S];
    if (atomic_load_explicit(&second->at_s, memory_order_relaxed) != now_s) {
        atomic_store_explicit(&second->answered, 0, memory_order_relaxed);
        atomic_store_explicit(&second->at_s, now_s, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&second->answered, 1, memory_order_relaxed);
}

void board_count(struct board *board, size_t worker)
{
    ensure(worker < BOARD_WORKERS);
    count_second(&board->pages[worker], clock_wall_s());
    atomic_fetch_add_explicit(&board->pages[worker].answered, 1, memory_order_relaxed);
}

void board_note(struct board *board, size_t alias, enum error_kind kind)
{
    struct health *health = &board->healths[alias < BOARD_ALIASES ? alias : 0];
    if (kind != ERROR_NONE)
        atomic_store_explicit(&health->kind, (int)kind, memory_order_relaxed);
    atomic_store_explicit(kind == ERROR_NONE ? &health->answered_s : &health->failed_s, clock_wall_s(),
                          memory_order_relaxed);
}

void board_failed(struct board *board, const struct board_error *error)
{
    ensure(pthread_mutex_lock(&board->mutex) == 0);
    board->errors[board->error_count++ % BOARD_ERRORS] = *error;
    ensure(pthread_mutex_unlock(&board->mutex) == 0);
}

/* ---- reading ---- */

static int by_age(const void *a, const void *b)
{
    const struct board_run *left = a, *right = b;
    return (left->since_ms > right->since_ms) - (left->since_ms < right->since_ms);
}

size_t board_runs(struct board *board, struct board_run *runs, size_t room, size_t *total)
{
    struct board_run *all = xcalloc((size_t)BOARD_WORKERS * BOARD_RUNS, sizeof *all);
    size_t count = 0;
    *total = 0;
    for (size_t i = 0; i < BOARD_WORKERS; i++) {
        struct page *page = &board->pages[i];
        ensure(pthread_mutex_lock(&board->page_mutexes[i]) == 0);
        memcpy(all + count, page->runs, page->count * sizeof *all);
        count += page->count;
        *total += page->total;
        ensure(pthread_mutex_unlock(&board->page_mutexes[i]) == 0);
    }
    qsort(all, count, sizeof *all, by_age);
    count = count < room ? count : room;
    if (count > 0)
        memcpy(runs, all, count * sizeof *all);
    free(all);
    return count;
}

size_t board_errors(struct board *board, struct board_error errors[BOARD_ERRORS])
{
    ensure(pthread_mutex_lock(&board->mutex) == 0);
    size_t count = board->error_count < BOARD_ERRORS ? board->error_count : BOARD_ERRORS;
    for (size_t i = 0; i < count; i++)
        errors[i] = board->errors[(board->error_count - 1 - i) % BOARD_ERRORS];
    ensure(pthread_mutex_unlock(&board->mutex) == 0);
    return count;
}

struct board_health board_health(const struct board *board, size_t alias)
{
    const struct health *health = &board->healths[alias < BOARD_ALIASES ? alias : 0];
    return (struct board_health){
        .answered_s = atomic_load_explicit(&health->answered_s, memory_order_relaxed),
        .failed_s = atomic_load_explicit(&health->failed_s, memory_order_relaxed),
        .kind = (enum error_kind)atomic_load_explicit(&health->kind, memory_order_relaxed),
    };
}

int64_t board_last_minute(const struct board *board)
{
    int64_t now_s = clock_wall_s(), answered = 0;
    for (size_t i = 0; i < BOARD_WORKERS; i++)
        for (size_t j = 0; j < RING_S; j++) {
            const struct second *second = &board->pages[i].seconds[j];
            int64_t at_s = atomic_load_explicit(&second->at_s, memory_order_relaxed);
            if (at_s > now_s - MINUTE_S && at_s <= now_s)
                answered += atomic_load_explicit(&second->answered, memory_order_relaxed);
        }
    return answered;
}

int64_t board_total(const struct board *board)
{
    int64_t answered = 0;
    for (size_t i = 0; i < BOARD_WORKERS; i++)
        answered += atomic_load_explicit(&board->pages[i].answered, memory_order_relaxed);
    return answered;
}
