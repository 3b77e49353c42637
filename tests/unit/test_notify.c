/* What systemd hears, and that nothing happens where there is no systemd. */
#include "server/notify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check_main.h"

static char folder[64], name[108];
static int receiver;

/* A datagram socket in a folder of its own, or, without a name in the file system, in the abstract namespace. */
static void listen_as_systemd(bool is_abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(name, sizeof name, "%s%s/notify", is_abstract ? "@" : "", folder);
    memcpy(address.sun_path, name, strlen(name));
    if (is_abstract)
        address.sun_path[0] = '\0';
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(receiver, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ck_assert_int_eq(bind(receiver, (const struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/test-notify-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    receiver = -1;
}

static void teardown(void)
{
    char path[128];
    if (receiver >= 0)
        close(receiver);
    snprintf(path, sizeof path, "%s/notify", folder);
    unlink(path);
    rmdir(folder);
    unsetenv("NOTIFY_SOCKET");
}

/* Sending a datagram over a local socket is done when the call returns: nothing has to be waited for. */
static void expect_heard(const char *expected)
{
    char text[64];
    ssize_t length = recv(receiver, text, sizeof text - 1, 0);
    ck_assert_msg(length >= 0, "nothing was heard");
    text[length] = '\0';
    ck_assert_str_eq(text, expected);
}

START_TEST(systemd_hears_each_state)
{
    listen_as_systemd(_i == 1);
    notify_systemd("READY=1");
    notify_systemd("STOPPING=1");
    expect_heard("READY=1");
    expect_heard("STOPPING=1");
    char more;
    ck_assert_int_eq(recv(receiver, &more, 1, 0), -1);
}
END_TEST

static int lowest_free_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

START_TEST(where_nobody_listens_nothing_happens_and_nothing_leaks)
{
    char too_long[200];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    const char *const sockets[] = {NULL, "", "/", "@", "relative/path", "/nobody/listens/here", "@nobody", too_long};
    int before = lowest_free_descriptor();
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        if (sockets[i] == NULL)
            unsetenv("NOTIFY_SOCKET");
        else
            setenv("NOTIFY_SOCKET", sockets[i], 1);
        notify_systemd("READY=1");
        ck_assert_int_eq(lowest_free_descriptor(), before);
    }
}
END_TEST

START_TEST(a_systemd_that_does_not_listen_any_more_holds_nobody_up)
{
    listen_as_systemd(false);
    close(receiver);
    receiver = -1;
    int before = lowest_free_descriptor();
    notify_systemd("READY=1");
    ck_assert_int_eq(lowest_free_descriptor(), before);
}
END_TEST

static Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("datagrams");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, systemd_hears_each_state, 0, 2);
    tcase_add_test(tcase, where_nobody_listens_nothing_happens_and_nothing_leaks);
    tcase_add_test(tcase, a_systemd_that_does_not_listen_any_more_holds_nobody_up);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(notify_suite());
}
