/* The door from inside: what http.c, http_shards.c and reply.c share. The worker's thread. */
#ifndef SERVER_HTTP_INT_H
#define SERVER_HTTP_INT_H

#include "base/list.h"
#include "server/http.h"

struct MHD_Daemon;

/* A resume makes libmicrohttpd walk all suspended connections of its daemon: so none has many. More daemons than needed
 * cost as well, since what becomes ready at once is then spread over several runs. */
enum { HTTP_SHARD_CONNECTIONS = 256 };

/* How many connections are accepted in one turn, before those that are there have theirs. */
enum { HTTP_ACCEPTS_A_TURN = 16 };

/* One of a worker's libmicrohttpd daemons. It lives as long as the door. */
struct http_shard {
    struct http *http;
    size_t index;
    size_t connections;
    struct MHD_Daemon *daemon;
    struct loop_watch watch;   /* of its epoll */
    struct loop_timer silence; /* when a client may have been silent for too long */
    struct list_link busy;     /* in a list while it has something to do */
};

struct http {
    struct http_options options;
    struct reply_queue replies;
    struct http_shard **shards; /* the oldest first */
    size_t shard_count;
    size_t first_with_room; /* none before it has */
    size_t connections;
    struct list busy; /* shards that are to run in this turn */
    struct loop_watch listener;
    struct loop_timer retry; /* set while accepting has failed */
    bool is_closing;
};

/* Of http.c: libmicrohttpd for this shard, or NULL with errno set. */
struct MHD_Daemon *http_start_daemon(struct http_shard *shard);

/* Starts the first shard and begins to accept. False with errno set where that cannot be; http_shards_close then too.
 */
bool http_shards_open(struct http *http);
/* Closes every connection. */
void http_shards_close(struct http *http);

/* Lets the shards that have something to do run once. */
void http_shards_run(struct http *http);

/* Libmicrohttpd says that a connection of this shard is there, or gone. */
void http_shard_joined(struct http_shard *shard);
void http_shard_left(struct http_shard *shard);

/* The shard has something to do: it runs in this turn, or in the next if that is over. */
void http_shard_wake(struct http_shard *shard);

#endif
