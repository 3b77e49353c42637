/* The daemon as a whole: one listening socket, the workers, signals, reload, drain. The main thread. */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "config/config.h"

enum { EXIT_STOPPED = 0, EXIT_BAD_CONFIG = 1, EXIT_BAD_USAGE = 2, EXIT_NOT_BOUND = 3 };

/* config_load, and what only the rooms above the configuration can tell: whether the parameters that models are given
 * can be sent. NULL and a sentence in `message` (of `size` bytes) otherwise. */
struct config *daemon_load_config(const struct config_options *options, char *message, size_t size);

/* Serves until a signal ends it; the exit code. Takes over the caller's reference to `config`. `options` is used again
 * for every reload and must stay as it is. */
int daemon_run(struct config *config, const struct config_options *options);

#endif
