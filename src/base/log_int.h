/* What log.c and log_gather.c share. Any thread. */
#ifndef BASE_LOG_INT_H
#define BASE_LOG_INT_H

#include <stdbool.h>
#include <stddef.h>

/* Writes whole lines to the log's target. */
void log_put(const char *lines, size_t length);

/* Keeps a line for later where this thread gathers its lines (`is_urgent`: writes them and it now); else false. */
bool log_gather_line(const char *line, size_t length, bool is_urgent);

#endif
