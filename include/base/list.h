/* An intrusive doubly linked list that knows its length.
 *
 * The link is a member of the thing listed; a link is in one list at most, and
 * knows which. Nothing is allocated. One thread at a time. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list;

struct list_link {
    struct list_link *previous, *next;
    struct list *list; /* NULL while in no list */
};

struct list {
    struct list_link ends; /* ends.next is the first, ends.previous the last */
    size_t length;
};

void list_init(struct list *list);
void list_append(struct list *list, struct list_link *link);
void list_insert_before(struct list_link *next, struct list_link *link); /* `next` is in a list */
void list_prepend(struct list *list, struct list_link *link);
void list_remove(struct list_link *link); /* no effect on a link in no list */

/* The first link, or NULL; the one after `link`, or NULL. */
struct list_link *list_first(const struct list *list);
struct list_link *list_next(const struct list *list, const struct list_link *link);

/* Takes the first link out of the list; NULL when the list is empty. */
struct list_link *list_shift(struct list *list);

static inline bool list_is_empty(const struct list *list)
{
    return list->length == 0;
}

/* The struct that holds `link` as its `member`. */
#define list_entry(link, type, member) \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

#endif
