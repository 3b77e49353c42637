/* One event loop per worker thread: descriptors (epoll), timers (a heap), and a way to wake it from elsewhere
 * (an eventfd). It knows no library.
 *
 * All functions: the loop's own thread, but loop_wake: any thread. Watches and timers are embedded in their
 * owners' structs; the loop owns none of them. A callback may add, change and remove any watch or timer; time stands
 * still for it (base/clock.h). */
#ifndef REPLICATE_LOOP_H
#define REPLICATE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* `events`: the EPOLL* bits that occurred. */
typedef void (*loop_event_fn)(void *arg, uint32_t events);
typedef void (*loop_timer_fn)(void *arg);

struct loop_watch {
    int fd; /* -1 while not watched */
    loop_event_fn on_event;
    void *arg;
};

struct loop_timer {
    size_t place; /* in the heap, from 1; 0 = not set */
    loop_timer_fn on_due;
    void *arg;
};

struct loop *loop_new(void);       /* NULL with errno set when the kernel has no descriptor left */
void loop_free(struct loop *loop); /* no watch or timer of an owner may remain */

void loop_watch_init(struct loop_watch *watch, loop_event_fn on_event, void *arg);
/* Begins to watch, or changes the events of a watched descriptor. False with errno set when epoll refuses. */
bool loop_watch_set(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
/* No event of this watch is delivered after this, also not from the batch being delivered. Harmless when not watched.
 */
void loop_watch_clear(struct loop *loop, struct loop_watch *watch);

void loop_timer_init(struct loop_timer *timer, loop_timer_fn on_due, void *arg);
/* `due_ms`: in clock_now_ms(). Set again, it moves. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);
/* Is it set, and its time over? */
bool loop_timer_is_due(const struct loop *loop, const struct loop_timer *timer);

/* Waits for events, at most until the next timer and at most `max_wait_ms` (-1 = no bound of its own), delivers the
 * events, then the timers that are due. Returns at once after a loop_wake. */
void loop_turn(struct loop *loop, int64_t max_wait_ms);

/* How late the most overdue timer of the last turn was, in ms; -1 where none was due. */
int64_t loop_lag_ms(const struct loop *loop);

/* Makes the running or the next loop_turn return soon. */
void loop_wake(struct loop *loop);

#endif
