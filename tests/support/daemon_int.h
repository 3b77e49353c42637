/* What daemon.c (running the child) and daemon_end.c (looking at it, and judging it at its end) share. */
#ifndef SUPPORT_DAEMON_INT_H
#define SUPPORT_DAEMON_INT_H

#include <pthread.h>

#include "base/buf.h"
#include "daemon.h"

enum { MAX_ALLOWED = 16 };

struct daemon {
    pid_t pid;
    int log_fd;
    pthread_t drain;
    char directory[64], config_path[96];
    char *allowed[MAX_ALLOWED];
    size_t allowed_count;
    bool exit_was_seen; /* the test asked for the exit code and got it */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the log grew, or the child ended */
    struct buf log;
    int port;
    char host[256];
    bool ended;
    int wait_status;
};

#endif
