/* A real nginx in front of a server: one process without a master, all of its files in a folder of its own. */
#include "nginx.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ensure.h"

struct nginx {
    pid_t pid;
    int port, reserved;
    char folder[64];
};

static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx",
                                     "/usr/local/bin/nginx"};

static const char *find_nginx(void)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool nginx_is_there(void)
{
    const char *ci = getenv("CI");
    if (find_nginx() != NULL)
        return true;
    ck_assert_msg(ci == NULL || ci[0] == '\0', "nginx is not installed, and CI needs it: install nginx-light");
    fprintf(stderr, "nginx is not installed, so nothing is tested behind it: install nginx-light.\n");
    return false;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* The kernel picks the port. This socket keeps it, and never listens; nginx may share it. */
static int reserve_port(int *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ensure(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0);
    ensure(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    ensure(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Nothing tells when it listens but that it does. */
static bool wait_until_it_listens(const struct nginx *nginx)
{
    enum { TRIES = 1000, PAUSE_MS = 10 };
    struct sockaddr_in address = loopback(nginx->port);
    for (int i = 0; i < TRIES && waitpid(nginx->pid, NULL, WNOHANG) == 0; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (listens)
            return true;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return false;
}

static void write_config(const struct nginx *nginx, int upstream_port, int read_timeout_s)
{
    char *path = xasprintf("%s/nginx.conf", nginx->folder);
    FILE *file = fopen(path, "we");
    ensure(file != NULL);
    fprintf(file,
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr error;\nevents {}\nhttp {\n"
            "  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n"
            "  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n"
            "  server {\n    listen 127.0.0.1:%d reuseport;\n    proxy_read_timeout %ds;\n"
            "    location /plain/ { proxy_pass http://127.0.0.1:%d/; }\n"
            "    location /kept/ { proxy_pass http://127.0.0.1:%d/; proxy_http_version 1.1;\n"
            "      proxy_set_header Connection \"\"; }\n  }\n}\n",
            nginx->port, read_timeout_s, upstream_port, upstream_port);
    fclose(file);
    free(path);
}

/* In the child, which was forked from a process with threads: only calls that are safe after that. */
static _Noreturn void become_nginx(pid_t parent, char **argv)
{
    char *environment[] = {NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        execve(argv[0], argv, environment);
    _exit(127);
}

struct nginx *nginx_start(int port, int read_timeout_s)
{
    struct nginx *nginx = xcalloc(1, sizeof *nginx);
    snprintf(nginx->folder, sizeof nginx->folder, "/tmp/replibridge-nginx-XXXXXX");
    ensure(mkdtemp(nginx->folder) != NULL);
    nginx->reserved = reserve_port(&nginx->port);
    write_config(nginx, port, read_timeout_s);
    char *arguments[] = {xstrdup(find_nginx()),
                         xstrdup("-p"),
                         xasprintf("%s/", nginx->folder),
                         xstrdup("-c"),
                         xasprintf("%s/nginx.conf", nginx->folder),
                         NULL};
    pid_t parent = getpid();
    nginx->pid = fork();
    ensure(nginx->pid >= 0);
    if (nginx->pid == 0)
        become_nginx(parent, arguments);
    for (size_t i = 0; arguments[i] != NULL; i++)
        free(arguments[i]);
    ck_assert_msg(wait_until_it_listens(nginx), "nginx does not start");
    return nginx;
}

int nginx_port(const struct nginx *nginx)
{
    return nginx->port;
}

static void remove_folder(const char *folder)
{
    static const char *const entries[] = {"nginx.conf", "nginx.pid"};
    static const char *const folders[] = {"body", "proxy", "fastcgi", "uwsgi", "scgi", "."};
    char path[128];
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]);
        unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        rmdir(folders[i][0] == '.' ? folder : path);
    }
}

void nginx_stop(struct nginx **pointer)
{
    struct nginx *nginx = *pointer;
    if (nginx == NULL)
        return;
    kill(nginx->pid, SIGTERM);
    while (waitpid(nginx->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(nginx->reserved);
    remove_folder(nginx->folder);
    free(nginx);
    *pointer = NULL;
}
