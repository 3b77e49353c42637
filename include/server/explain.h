/* `--explain`: what an alias stands for, what becomes of OpenAI's parameters there, and what a request would become,
 * told instead of done. No prediction is created; of Replicate only the model's document is asked for. The main thread.
 */
#ifndef SERVER_EXPLAIN_H
#define SERVER_EXPLAIN_H

#include "config/config.h"

/* Prints to standard output. `request_file` (NULL = none, "-" = standard input) holds a chat completion's body; its
 * `model` may be missing or another one. The exit code: EXIT_STOPPED, or EXIT_BAD_CONFIG where there is no such alias
 * or the request would be refused (then the error that a client would get is printed). */
int explain_run(const struct config *config, const char *alias, const char *request_file);

#endif
