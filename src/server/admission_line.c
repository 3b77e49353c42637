/* Who is next: the lines of the gates, and the rule of include/server/admission.h by which they move. */
#include "admission_int.h"

#include "base/clock.h"
#include "base/ensure.h"

static struct admission_wait *first_in_line(const struct admission_scope *scope)
{
    struct list_link *link = list_first(&scope->line);
    return link == NULL ? NULL : list_entry(link, struct admission_wait, link);
}

/* ---- may one pass? ---- */

static bool needs(const struct admission_wait *wait, const struct admission_scope *scope)
{
    for (size_t i = 0; i < wait->gate_count; i++)
        if (wait->gates[i].scope == scope)
            return true;
    return false;
}

static bool is_kept_from(const struct admission *admission, const struct admission_scope *scope, uint64_t number)
{
    if (scope->keepers == 0)
        return false;
    for (struct list_link *link = list_first(&admission->keepers); link != NULL;
         link = list_next(&admission->keepers, link)) {
        const struct admission_wait *keeper = list_entry(link, struct admission_wait, keeper);
        if (keeper->number >= number)
            return false;
        if (needs(keeper, scope))
            return true;
    }
    return false;
}

static bool is_behind(const struct admission_scope *scope, uint64_t number)
{
    const struct admission_wait *first = first_in_line(scope);
    return first != NULL && first->number < number;
}

size_t admission_first_closed(struct admission *admission, const struct admission_gate *gates, size_t count,
                              uint64_t number, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct admission_scope *scope = gates[i].scope;
        if (!admission_gate_has_room(&gates[i], err))
            return i;
        if (!is_behind(scope, number) && !is_kept_from(admission, scope, number))
            continue;
        error_set(err, ERROR_RATE_LIMITED, NULL,
                  "Requests that came earlier wait for their turn (%s). Try again in a moment.", scope->name);
        if (err != NULL)
            err->retry_after_ms = 1000;
        return i;
    }
    return count;
}

/* ---- moving in the lines ---- */

void admission_touch(struct admission *admission, struct admission_scope *scope)
{
    if (!list_is_empty(&scope->line) && scope->dirty.list == NULL)
        list_append(&admission->dirty, &scope->dirty);
}

/* By its arrival: most often that is the end. */
void admission_join_line(struct admission_wait *wait, size_t at)
{
    struct list *line = &wait->gates[at].scope->line;
    struct list_link *behind = NULL;
    wait->at = at;
    for (struct list_link *link = line->ends.previous; link != &line->ends; link = link->previous) {
        if (list_entry(link, struct admission_wait, link)->number < wait->number)
            break;
        behind = link;
    }
    if (behind == NULL)
        list_append(line, &wait->link);
    else
        list_insert_before(behind, &wait->link);
}

static void keep_turn(struct admission *admission, struct admission_wait *wait)
{
    struct list_link *behind = list_first(&admission->keepers);
    while (behind != NULL && list_entry(behind, struct admission_wait, keeper)->number < wait->number)
        behind = list_next(&admission->keepers, behind);
    if (behind == NULL)
        list_append(&admission->keepers, &wait->keeper);
    else
        list_insert_before(behind, &wait->keeper);
    for (size_t i = 0; i < wait->gate_count; i++)
        wait->gates[i].scope->keepers++;
}

void admission_leave_line(struct admission *admission, struct admission_wait *wait)
{
    list_remove(&wait->link);
    admission_touch(admission, wait->gates[wait->at].scope);
    if (wait->keeper.list == NULL)
        return;
    list_remove(&wait->keeper);
    for (size_t i = 0; i < wait->gate_count; i++) {
        wait->gates[i].scope->keepers--;
        admission_touch(admission, wait->gates[i].scope);
    }
}

/* Woken with the mutex held: no loop leaves while one of its worker waits. */
void admission_announce(struct admission_room *room)
{
    atomic_store(&room->has_news, true);
    loop_wake(room->loop);
}

static void let_in(struct admission *admission, struct admission_wait *wait)
{
    admission_leave_line(admission, wait);
    admission_take(wait->gates, wait->gate_count, wait->ticket);
    wait->is_in = true;
    list_append(&wait->room->let_in, &wait->link);
    admission_announce(wait->room);
}

/* Its gate is open and the gate `next` is not. Where only others before it in that line keep it from there, they will
 * be looked at, and it has not lost anything. */
static void change_lines(struct admission *admission, struct admission_wait *wait, size_t next)
{
    struct admission_scope *scope = wait->gates[next].scope;
    list_remove(&wait->link);
    admission_join_line(wait, next);
    if (admission_gate_has_room(&wait->gates[next], NULL) && !is_kept_from(admission, scope, wait->number))
        admission_touch(admission, scope);
    else if (++wait->lost_turns == ADMISSION_TURNS_TO_LOSE)
        keep_turn(admission, wait);
    admission_announce(wait->room); /* it may wait for a place of the minute now: its worker must set its clock */
}

/* A place of the minute is all that it waits for, so only time opens the gate; `why` says how much of it. */
static bool waits_for_minute(const struct admission_gate *gate, struct error *why)
{
    bool is_full = gate->limits.max_parallel > 0 && gate->scope->in_flight >= gate->limits.max_parallel;
    return !is_full && !admission_gate_has_room(gate, why);
}

/* Whoever is behind one that may not pass may not either. Where the gate was full before and waits for the minute now,
 * nobody has set a clock for that yet. */
static void settle_scope(struct admission *admission, struct admission_scope *scope)
{
    struct admission_wait *wait;
    while ((wait = first_in_line(scope)) != NULL) {
        if (admission_first_closed(admission, &wait->gates[wait->at], 1, wait->number, NULL) == 0) {
            if (waits_for_minute(&wait->gates[wait->at], NULL))
                admission_announce(wait->room);
            return;
        }
        size_t next = admission_first_closed(admission, wait->gates, wait->gate_count, wait->number, NULL);
        if (next == wait->gate_count)
            let_in(admission, wait);
        else
            change_lines(admission, wait, next);
    }
}

void admission_settle(struct admission *admission)
{
    for (struct list_link *link; (link = list_shift(&admission->dirty)) != NULL;)
        if (!admission->is_closed)
            settle_scope(admission, list_entry(link, struct admission_scope, dirty));
}

bool admission_try(struct admission *admission, struct admission_wait *wait, struct error *err)
{
    if (wait->is_in)
        return true;
    if (admission->is_closed)
        return error_set(err, ERROR_SHUTTING_DOWN, NULL, "This server is shutting down. Try again in a moment.");
    if (admission_first_closed(admission, wait->gates, wait->gate_count, wait->number, err) < wait->gate_count)
        return false;
    let_in(admission, wait);
    return true;
}

/* ---- time ---- */

int64_t admission_next_refill_ms(const struct admission *admission)
{
    int64_t next_ms = INT64_MAX, now_ms = clock_now_ms();
    for (struct list_link *link = list_first(&admission->scopes); link != NULL;
         link = list_next(&admission->scopes, link)) {
        const struct admission_wait *wait = first_in_line(list_entry(link, struct admission_scope, link));
        if (wait == NULL)
            continue;
        const struct admission_gate *gate = &wait->gates[wait->at];
        struct error why = {0};
        if (waits_for_minute(gate, &why) && now_ms + why.retry_after_ms < next_ms)
            next_ms = now_ms + why.retry_after_ms;
    }
    return next_ms;
}
