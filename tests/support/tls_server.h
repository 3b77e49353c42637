/* A TLS server on loopback whose certificate no authority has signed: the openssl command, where it is installed. */
#ifndef SUPPORT_TLS_SERVER_H
#define SUPPORT_TLS_SERVER_H

#include <stdbool.h>

struct tls_server;

/* Says on standard error what is left out where it is not. */
bool tls_server_is_possible(void);

/* For "127.0.0.1", made anew. It understands no HTTP but GET. The test fails when it does not start. */
struct tls_server *tls_server_start(void);
int tls_server_port(const struct tls_server *server);
const char *tls_server_certificate(const struct tls_server *server); /* the path of its certificate, to be trusted */
void tls_server_stop(struct tls_server **server);

#endif
