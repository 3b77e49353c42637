/* Who may come in: requests in flight over all, requests per minute and in parallel of aliases and keys.
 *
 * Shared by all workers. Counts are kept by name, so they outlive a reload. What has no limit takes no lock. */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

struct admission;
struct admission_scope;

/* What a request that was let in has to give back. */
struct admission_ticket {
    bool is_counted;
    bool is_alias_full;                /* it was refused by the alias's own limits, so another alias may take it */
    struct admission_scope *scopes[3]; /* those that have limits, of the daemon, the alias, the key; then NULL */
};

struct admission *admission_new(void);
void admission_free(struct admission *admission);

/* False with ERROR_OVERLOADED or ERROR_RATE_LIMITED, both with retry_after_ms. `key` may be NULL. */
bool admission_enter(struct admission *admission, const struct config *config, const struct route *route,
                     const struct key *key, struct admission_ticket *ticket, struct error *err);

/* A request that is in goes on under another alias: it leaves the limits of its alias and passes those of `route`.
 * False with ERROR_RATE_LIMITED, and nothing changed, where those have no room for it. */
bool admission_move(struct admission *admission, const struct route *route, struct admission_ticket *ticket,
                    struct error *err);

/* Harmless when the ticket was given back already, or never filled. */
void admission_leave(struct admission *admission, struct admission_ticket *ticket);

#endif
