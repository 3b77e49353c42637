/* Those of one worker that wait: how they line up, how they are told, and how they give up. */
#include "admission_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"

/* ---- the clock of those who wait for a place of the minute ---- */

static void touch_all(struct admission *admission)
{
    for (struct list_link *link = list_first(&admission->scopes); link != NULL;
         link = list_next(&admission->scopes, link))
        admission_touch(admission, list_entry(link, struct admission_scope, link));
}

/* Every worker with somebody who waits looks at the next refill, whoever it is for: then none is forgotten. */
static void arm_refill(struct admission_room *room)
{
    int64_t due_ms = room->count == 0 ? INT64_MAX : admission_next_refill_ms(room->admission);
    if (due_ms == INT64_MAX)
        loop_timer_clear(room->loop, &room->refill);
    else
        loop_timer_set(room->loop, &room->refill, due_ms);
}

static void on_refill(void *arg)
{
    struct admission_room *room = arg;
    admission_lock(room->admission);
    touch_all(room->admission);
    admission_settle(room->admission);
    arm_refill(room);
    admission_unlock(room->admission);
}

/* ---- the room ---- */

struct admission_room *admission_room_new(struct admission *admission, struct loop *loop)
{
    struct admission_room *room = xcalloc(1, sizeof *room);
    room->admission = admission;
    room->loop = loop;
    atomic_init(&room->has_news, false);
    list_init(&room->let_in);
    loop_timer_init(&room->refill, on_refill, room);
    return room;
}

void admission_room_free(struct admission_room *room)
{
    if (room == NULL)
        return;
    ensure(room->count == 0);
    loop_timer_clear(room->loop, &room->refill);
    free(room);
}

/* It is nobody's business any more but its owner's. */
static void set_idle(struct admission_wait *wait)
{
    struct admission_room *room = wait->room;
    loop_timer_clear(room->loop, &wait->timer);
    wait->room = NULL;
    if (--room->count == 0)
        loop_timer_clear(room->loop, &room->refill);
}

static struct admission_wait *next_let_in(struct admission_room *room)
{
    admission_lock(room->admission);
    struct list_link *link = list_shift(&room->let_in);
    if (link == NULL)
        arm_refill(room);
    admission_unlock(room->admission);
    return link == NULL ? NULL : list_entry(link, struct admission_wait, link);
}

/* One at a time: what one does may make another leave. */
void admission_room_turn(struct admission_room *room)
{
    struct admission_wait *wait;
    if (!atomic_load(&room->has_news))
        return;
    atomic_store(&room->has_news, false);
    while ((wait = next_let_in(room)) != NULL) {
        set_idle(wait);
        wait->on_turn(wait->arg, NULL);
    }
}

/* ---- lining up ---- */

static void take_out(struct admission_wait *wait)
{
    struct admission *admission = wait->room->admission;
    if (wait->is_in) {
        list_remove(&wait->link);
        admission_untake(wait->gates, wait->gate_count, wait->ticket);
        for (size_t i = 0; i < wait->gate_count; i++)
            admission_touch(admission, wait->gates[i].scope);
    } else {
        admission_leave_line(admission, wait);
    }
    admission_settle(admission);
}

/* Whoever was let in at the last moment stays in, and is told in this turn. */
static void on_time_over(void *arg)
{
    struct admission_wait *wait = arg;
    struct admission *admission = wait->room->admission;
    struct error error = {0};
    admission_lock(admission);
    bool is_in = admission_try(admission, wait, &error);
    if (!is_in) {
        wait->ticket->is_alias_full = admission_is_of_alias(wait->gates[wait->at].scope);
        take_out(wait);
    }
    admission_unlock(admission);
    if (is_in)
        return;
    set_idle(wait);
    wait->on_turn(wait->arg, &error);
}

void admission_forget(struct admission_wait *wait)
{
    if (wait->room == NULL)
        return;
    struct admission *admission = wait->room->admission;
    admission_lock(admission);
    take_out(wait);
    admission_unlock(admission);
    set_idle(wait);
}

void admission_begin_waiting(struct admission_room *room, struct admission_wait *wait, size_t at)
{
    wait->room = room;
    wait->number = room->admission->arrivals++;
    wait->lost_turns = 0;
    wait->is_in = false;
    loop_timer_init(&wait->timer, on_time_over, wait);
    loop_timer_set(room->loop, &wait->timer, wait->until_ms);
    room->count++;
    admission_join_line(wait, at);
    arm_refill(room);
}
