/* The buckets of the hash tables of joins.c. */
#ifndef JOINS_INT_H
#define JOINS_INT_H

#include <stddef.h>

/* A place in a bucket, which is left without a walk through it: of one request there may be thousands. */
struct chain_link {
    struct chain_link *next, **place; /* place: what points to this one */
};

static inline void chain_add(struct chain_link **bucket, struct chain_link *link)
{
    link->next = *bucket;
    link->place = bucket;
    if (link->next != NULL)
        link->next->place = &link->next;
    *bucket = link;
}

static inline void chain_remove(struct chain_link *link)
{
    *link->place = link->next;
    if (link->next != NULL)
        link->next->place = link->place;
}

#endif
