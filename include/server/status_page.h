/* The page at `/`: what this daemon serves and does now, as HTML, with a form to try it.
 *
 * Rendered whole for each request, so that it works without JavaScript; with it, the page fetches itself anew. It needs
 * nothing from elsewhere. Any thread. */
#ifndef SERVER_STATUS_PAGE_H
#define SERVER_STATUS_PAGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "server/board.h"

struct status_view {
    const struct config *config;
    struct board *board;
    const struct key *key; /* whoever looks is shown what it may use; NULL = all */
    bool is_draining;
    const char *nonce; /* letters and digits that nobody can guess: only what carries them is run by the browser */
};

/* Appends the page. All that did not grow here is escaped. */
void status_page_write(const struct status_view *view, struct buf *out);

/* The Content-Security-Policy that belongs to it. */
void status_page_policy(const char *nonce, char *out, size_t size);

#endif
