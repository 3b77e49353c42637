/* A TLS server on loopback: a key and a certificate in a folder of its own, and openssl's s_server. */
#include "tls_server.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ensure.h"

struct tls_server {
    pid_t pid;
    int port;
    FILE *output; /* kept open, so that it can go on writing */
    char folder[64], key[96], certificate[96];
};

static const char *const places[] = {"/usr/bin/openssl", "/usr/local/bin/openssl"};

static const char *find_openssl(void)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool tls_server_is_possible(void)
{
    if (find_openssl() != NULL)
        return true;
    fprintf(stderr, "left out: an untrusted certificate, because the openssl command is not installed\n");
    return false;
}

/* Its standard output goes to `output`, unless that is negative. */
static pid_t run(const char *const *arguments, int output)
{
    pid_t parent = getpid(), child = fork();
    ensure(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (output >= 0)
        dup2(output, STDOUT_FILENO);
    close(STDERR_FILENO);
    execv(arguments[0], (char *const *)(void *)(size_t)arguments);
    _exit(127);
}

static void make_certificate(const struct tls_server *server)
{
    const char *arguments[] = {find_openssl(),
                               "req",
                               "-x509",
                               "-newkey",
                               "rsa:2048",
                               "-nodes",
                               "-batch",
                               "-subj",
                               "/CN=localhost",
                               "-addext",
                               "subjectAltName=IP:127.0.0.1",
                               "-days",
                               "2",
                               "-keyout",
                               server->key,
                               "-out",
                               server->certificate,
                               NULL};
    int status = -1;
    ck_assert_int_gt(waitpid(run(arguments, -1), &status, 0), 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "openssl makes no certificate");
}

/* The kernel picks the port, and openssl says which: "ACCEPT 127.0.0.1:39221". */
static void serve(struct tls_server *server)
{
    char line[256];
    int ends[2];
    const char *arguments[] = {find_openssl(), "s_server",  "-accept", "127.0.0.1:0",       "-www",
                               "-key",         server->key, "-cert",   server->certificate, NULL};
    ensure(pipe(ends) == 0);
    server->pid = run(arguments, ends[1]);
    close(ends[1]);
    server->output = fdopen(ends[0], "r");
    ensure(server->output != NULL);
    while (server->port == 0 && fgets(line, sizeof line, server->output) != NULL) {
        const char *colon = strrchr(line, ':');
        if (strncmp(line, "ACCEPT", 6) == 0 && colon != NULL)
            server->port = (int)strtol(colon + 1, NULL, 10);
    }
    ck_assert_msg(server->port > 0, "openssl does not say where it listens");
}

struct tls_server *tls_server_start(void)
{
    struct tls_server *server = xcalloc(1, sizeof *server);
    snprintf(server->folder, sizeof server->folder, "/tmp/replibridge-tls-XXXXXX");
    ensure(mkdtemp(server->folder) != NULL);
    snprintf(server->key, sizeof server->key, "%s/key.pem", server->folder);
    snprintf(server->certificate, sizeof server->certificate, "%s/certificate.pem", server->folder);
    make_certificate(server);
    serve(server);
    return server;
}

int tls_server_port(const struct tls_server *server)
{
    return server->port;
}

const char *tls_server_certificate(const struct tls_server *server)
{
    return server->certificate;
}

void tls_server_stop(struct tls_server **pointer)
{
    struct tls_server *server = *pointer;
    *pointer = NULL;
    if (server == NULL)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    fclose(server->output);
    unlink(server->key);
    unlink(server->certificate);
    rmdir(server->folder);
    free(server);
}
