/* An intrusive list as a ring through a sentinel, so that no operation has a special case at the ends. */
#include "base/list.h"

#include "base/ensure.h"

void list_init(struct list *list)
{
    list->ends.previous = list->ends.next = &list->ends;
    list->ends.list = NULL;
    list->length = 0;
}

static void insert_before(struct list *list, struct list_link *next, struct list_link *link)
{
    /* A link that is already listed would tear the other list apart. */
    ensure(link->list == NULL);
    link->list = list;
    link->next = next;
    link->previous = next->previous;
    link->previous->next = link;
    next->previous = link;
    list->length++;
}

void list_append(struct list *list, struct list_link *link)
{
    insert_before(list, &list->ends, link);
}

void list_prepend(struct list *list, struct list_link *link)
{
    insert_before(list, list->ends.next, link);
}

void list_insert_before(struct list_link *next, struct list_link *link)
{
    ensure(next->list != NULL);
    insert_before(next->list, next, link);
}

void list_remove(struct list_link *link)
{
    if (!link->list)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->list->length--;
    *link = (struct list_link){NULL, NULL, NULL};
}

struct list_link *list_first(const struct list *list)
{
    return list->length ? list->ends.next : NULL;
}

struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    /* Who removed the link while walking has lost the way; better to stop here than to follow a stale pointer. */
    ensure(link->list == list);
    return link->next == &list->ends ? NULL : link->next;
}

struct list_link *list_shift(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link)
        list_remove(link);
    return link;
}
