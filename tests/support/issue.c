/* The report that this program exists for: its configuration, its environment, and its request sent by the real curl.
 */
#include "issue.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"

enum { OUTPUT_MAX_BYTES = 1024 * 1024 };

char *issue_config(void)
{
    struct buf text;
    char piece[4096];
    buf_init(&text, OUTPUT_MAX_BYTES);
    FILE *file = fopen("config/litellm-issue-16801.yaml", "re");
    ck_assert_msg(file != NULL, "config/litellm-issue-16801.yaml is not there: %s", strerror(errno));
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(&text, piece, got);
    fclose(file);
    return buf_take(&text, NULL);
}

char *issue_config_with_timeout(int seconds)
{
    static const char line[] = "      timeout: 60\n";
    char *config = issue_config();
    char *at = strstr(config, line);
    ck_assert_msg(at != NULL, "the file has no timeout of 60 s under its model");
    char *changed = xasprintf("%.*s      timeout: %d\n%s", (int)(at - config), config, seconds, at + strlen(line));
    free(config);
    return changed;
}

struct daemon *issue_start(const struct replicate_sim *sim, const char *config)
{
    char *base = xasprintf("REPLICATE_API_BASE=%s", replicate_sim_base_url(sim));
    const char *const environment[] = {"REPLICATE_API_KEY=test-token",
                                       "LITELLM_REQUEST_TIMEOUT=60",
                                       "LITELLM_REPLICATE_POLL_TIMEOUT=60",
                                       "LITELLM_LOG=DEBUG",
                                       base,
                                       NULL};
    struct daemon *daemon = daemon_start(&(struct daemon_options){.config = config, .environment = environment});
    free(base);
    ck_assert_msg(daemon != NULL, "the program did not become ready");
    return daemon;
}

/* ---- curl ---- */

struct curl_run {
    pid_t pid;
    int output;
    int64_t began_ms;
};

struct curl_run *curl_begin(const struct daemon *daemon)
{
    static char body[] =
        "{\"model\": \"kimi-k2\", \"messages\": [{\"role\": \"user\", \"content\": \"" ISSUE_PROMPT "\"}]}";
    char *url = xasprintf("http://127.0.0.1:%d/v1/chat/completions", daemon_port(daemon));
    /* Whatever proxy the machine has is none of this test's business. */
    const char *const arguments[] = {"curl", "-sS",
                                     "-i",   "--noproxy",
                                     "*",    "-X",
                                     "POST", url,
                                     "-H",   "Content-Type: application/json",
                                     "-H",   "Authorization: Bearer sk-1234",
                                     "-d",   body,
                                     NULL};
    char *copies[sizeof arguments / sizeof *arguments] = {0};
    for (size_t i = 0; arguments[i] != NULL; i++)
        copies[i] = xstrdup(arguments[i]);
    int ends[2];
    ensure(pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    struct curl_run *run = xcalloc(1, sizeof *run);
    run->began_ms = clock_now_ms();
    int code = posix_spawnp(&run->pid, "curl", &actions, NULL, copies, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    for (size_t i = 0; copies[i] != NULL; i++)
        free(copies[i]);
    free(url);
    run->output = ends[0];
    ck_assert_msg(code == 0, "curl cannot be run: %s", strerror(code));
    return run;
}

void curl_interrupt(const struct curl_run *run)
{
    ck_assert_int_eq(kill(run->pid, SIGINT), 0);
}

static char *read_all(int fd)
{
    struct buf text;
    char piece[4096];
    ssize_t got;
    buf_init(&text, OUTPUT_MAX_BYTES);
    while ((got = read(fd, piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            buf_append(&text, piece, (size_t)got);
    return buf_take(&text, NULL);
}

void curl_finish(struct curl_run **pointer, struct curl_answer *answer)
{
    struct curl_run *run = *pointer;
    int status = 0;
    *pointer = NULL;
    answer->text = read_all(run->output);
    close(run->output);
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    answer->took_ms = clock_now_ms() - run->began_ms;
    answer->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    answer->status = 0;
    if (strncmp(answer->text, "HTTP/1.1 ", 9) == 0)
        answer->status = (int)strtol(answer->text + 9, NULL, 10);
    const char *end = strstr(answer->text, "\r\n\r\n");
    answer->body = end != NULL ? end + 4 : "";
    free(run);
}
