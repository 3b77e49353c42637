/* What http_client.c and http_load.c share. */
#ifndef SUPPORT_HTTP_CLIENT_INT_H
#define SUPPORT_HTTP_CLIENT_INT_H

#include <stdint.h>

#include "http_client.h"

int64_t http_now_ms(void); /* monotonic */
int http_descriptor(const struct http_connection *connection);

#endif
