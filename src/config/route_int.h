/* Making routes, for the files that load a configuration. Main thread. */
#ifndef CONFIG_ROUTE_INT_H
#define CONFIG_ROUTE_INT_H

#include "config/route.h"

struct route *route_new(void);
struct route *route_copy(const struct route *from); /* deep, but this deployment alone */
void route_copy_timeout_keys(struct route *to, const struct route *from);
void route_free(struct route *route); /* with those behind it; NULL is fine */

/* A sentence about what is wrong with the alias or the reference, or NULL. */
const char *route_problem(const struct route *route);

/* For qsort over `struct route *`: exact names first, then the longest literal text, then more wildcards. */
int route_compare(const void *a, const void *b);

#endif
