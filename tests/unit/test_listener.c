/* The listening socket, and the probe that asks a daemon whether it is ready. */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "script_server.h"

static int port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    ck_assert_ptr_nonnull(colon);
    return (int)strtol(colon + 1, NULL, 10);
}

static bool connects(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    bool ok = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

START_TEST(the_kernel_picks_a_port_and_the_url_names_it)
{
    char url[LISTENER_URL_BYTES], expected[64];
    struct error err = {0};
    int fd = listener_open("127.0.0.1", 0, url, &err);
    ck_assert_msg(fd >= 0, "%s", err.message);
    int port = port_of(url);
    snprintf(expected, sizeof expected, "http://127.0.0.1:%d", port);
    ck_assert_str_eq(url, expected);
    ck_assert_int_gt(port, 0);
    ck_assert(connects(port));
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    ck_assert(!connects(port));
}
END_TEST

START_TEST(a_port_in_use_is_refused_with_a_way_out)
{
    char url[LISTENER_URL_BYTES], other_url[LISTENER_URL_BYTES] = "untouched", port[16];
    struct error err = {0};
    int fd = listener_open("127.0.0.1", 0, url, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(listener_open("127.0.0.1", port_of(url), other_url, &err), -1);
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    snprintf(port, sizeof port, ":%d ", port_of(url));
    ck_assert_ptr_nonnull(strstr(err.message, port));
    ck_assert_ptr_nonnull(strstr(err.message, strerror(EADDRINUSE)));
    ck_assert_ptr_nonnull(strstr(err.message, "--port"));
    ck_assert_str_eq(other_url, "untouched");
    close(fd);
    /* and is free again at once */
    fd = listener_open("127.0.0.1", port_of(url), other_url, &err);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(an_address_that_is_not_ours_is_refused)
{
    char url[LISTENER_URL_BYTES];
    struct error err = {0};
    ck_assert_int_eq(listener_open("192.0.2.1", 0, url, &err), -1);
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "192.0.2.1"));
}
END_TEST

START_TEST(a_name_that_cannot_be_is_refused)
{
    /* A label of more than 63 characters: no resolver is asked for it. */
    char host[80], url[LISTENER_URL_BYTES];
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    struct error err = {0};
    ck_assert_int_eq(listener_open(host, 0, url, &err), -1);
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, host));
    ck_assert(!listener_probe(host, 1, &err));
}
END_TEST

START_TEST(an_ipv6_address_stands_in_brackets)
{
    char url[LISTENER_URL_BYTES] = "";
    struct error err = {0};
    int fd = listener_open("::1", 0, url, &err);
    if (fd < 0) {
        /* A machine without IPv6 says so, and how to go on. */
        ck_assert_ptr_nonnull(strstr(err.message, "--host"));
        return;
    }
    ck_assert_mem_eq(url, "http://[::1]:", 13);
    ck_assert_int_gt(port_of(url), 0);
    close(fd);
}
END_TEST

/* ---- the probe ---- */

static struct script_server *server;

static void setup(void)
{
    server = script_server_start();
    ck_assert_ptr_nonnull(server);
}

static void teardown(void)
{
    script_server_stop(server);
}

#define READY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

static const struct {
    struct script_answer answer;
    bool is_ready;
} probes[] = {
    {{READY, SCRIPT_KEEP, 0, 0}, true},
    {{READY, SCRIPT_CLOSE, 1, 0}, true},
    {{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", SCRIPT_KEEP, 0, 0}, false},
    {{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, 0, 0}, false},
    {{"SSH-2.0-OpenSSH_9.2\r\n", SCRIPT_CLOSE, 0, 0}, false},
    {{"HTTP/1.1 2", SCRIPT_CLOSE, 0, 0}, false},
    {{NULL, SCRIPT_CLOSE, 0, 0}, false},
    {{NULL, SCRIPT_RESET, 0, 0}, false},
};

START_TEST(only_a_200_means_ready)
{
    struct error err = {0};
    script_server_play(server, &probes[_i].answer, 1);
    ck_assert_int_eq(listener_probe("127.0.0.1", script_server_port(server), &err), probes[_i].is_ready);
    ck_assert_int_eq(err.kind, probes[_i].is_ready ? ERROR_NONE : ERROR_INTERNAL);
    ck_assert_uint_eq(script_server_requests(server), 1);
    ck_assert_mem_eq(script_server_request(server, 0), "GET /health/readiness HTTP/1.1\r\n", 32);
}
END_TEST

START_TEST(where_nobody_listens_nothing_is_ready)
{
    char url[LISTENER_URL_BYTES];
    struct error err = {0};
    int fd = listener_open("127.0.0.1", 0, url, &err);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(!listener_probe("127.0.0.1", port_of(url), &err));
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "is not ready"));
}
END_TEST

static Suite *listener_suite(void)
{
    Suite *suite = suite_create("listener");
    TCase *sockets = tcase_create("sockets"), *probe = tcase_create("probe");
    tcase_add_test(sockets, the_kernel_picks_a_port_and_the_url_names_it);
    tcase_add_test(sockets, a_port_in_use_is_refused_with_a_way_out);
    tcase_add_test(sockets, an_address_that_is_not_ours_is_refused);
    tcase_add_test(sockets, a_name_that_cannot_be_is_refused);
    tcase_add_test(sockets, an_ipv6_address_stands_in_brackets);
    tcase_add_test(sockets, where_nobody_listens_nothing_is_ready);
    suite_add_tcase(suite, sockets);
    tcase_add_checked_fixture(probe, setup, teardown);
    tcase_add_loop_test(probe, only_a_200_means_ready, 0, sizeof probes / sizeof probes[0]);
    suite_add_tcase(suite, probe);
    return suite;
}

int main(void)
{
    return suite_run(listener_suite());
}
