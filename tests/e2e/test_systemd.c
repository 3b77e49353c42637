/* What systemd hears of the running program, and its health from outside. */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"

static struct bridge bridge;
static int receiver = -1;
static char name[64];

static void setup(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(name, sizeof name, "@test-systemd-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ck_assert_int_eq(bind(receiver, (const struct sockaddr *)&address, length), 0);
}

static void teardown(void)
{
    bridge_stop(&bridge);
    close(receiver);
}

static void expect_heard(const char *expected)
{
    char text[64];
    struct pollfd readable = {.fd = receiver, .events = POLLIN};
    ck_assert_msg(poll(&readable, 1, daemon_patience_ms()) == 1, "%s was not heard", expected);
    ssize_t length = recv(receiver, text, sizeof text - 1, 0);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    ck_assert_str_eq(text, expected);
}

static void start_with(const char *watchdog)
{
    char *config = NULL, *notify = xasprintf("NOTIFY_SOCKET=%s", name);
    bridge_start_sim(&bridge);
    config = bridge_config(&bridge, "");
    bridge.daemon = daemon_start(
        &(struct daemon_options){.config = config, .environment = (const char *[]){notify, watchdog, NULL}});
    ck_assert_ptr_nonnull(bridge.daemon);
    free(config);
    free(notify);
}

START_TEST(an_idle_program_gives_signs_of_life_after_it_is_ready)
{
    start_with("WATCHDOG_USEC=100000");
    expect_heard("READY=1");
    for (int i = 0; i < 5; i++)
        expect_heard("WATCHDOG=1");
}
END_TEST

START_TEST(without_a_watchdog_it_tells_of_reloads_and_of_its_end)
{
    start_with(NULL);
    expect_heard("READY=1");
    ck_assert(daemon_signal(bridge.daemon, SIGHUP));
    expect_heard("RELOADING=1");
    expect_heard("READY=1");
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    expect_heard("STOPPING=1");
}
END_TEST

/* As the health check of a container, which knows neither the file nor the token. */
START_TEST(its_health_can_be_asked_without_a_token)
{
    char port[32];
    start_with(NULL);
    snprintf(port, sizeof port, "PORT=%d", daemon_port(bridge.daemon));
    struct daemon *asking = daemon_spawn(&(struct daemon_options){
        .bare = true, .arguments = (const char *[]){"--health", NULL}, .environment = (const char *[]){port, NULL}});
    ck_assert_int_eq(daemon_wait_exit(asking, daemon_patience_ms()), 0);
    ck_assert(daemon_log_contains(asking, "ready"));
    daemon_kill(&asking);
}
END_TEST

static Suite *systemd_suite(void)
{
    Suite *suite = suite_create("systemd");
    TCase *tcase = tcase_create("systemd");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_idle_program_gives_signs_of_life_after_it_is_ready);
    tcase_add_test(tcase, without_a_watchdog_it_tells_of_reloads_and_of_its_end);
    tcase_add_test(tcase, its_health_can_be_asked_without_a_token);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(systemd_suite());
}
