/* The report that this program exists for: BerriAI/litellm#16801. A model that boots slowly, LiteLLM's configuration of
 * it, and the curl command that failed at once. Here: that file unchanged, that environment, and the real curl. */
#ifndef SUPPORT_ISSUE_H
#define SUPPORT_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon.h"
#include "replicate_sim.h"

#define ISSUE_MODEL "moonshotai/kimi-k2-thinking"
#define ISSUE_PROMPT "Tell me of the slow start"

/* The file as it stands in config/; the caller frees. The test fails when it is not there. */
char *issue_config(void);

/* The same with this many seconds under the model's `timeout`, which the file has as 60. */
char *issue_config_with_timeout(int seconds);

/* The program with that configuration, in front of this simulator. The test fails when it does not become ready. */
struct daemon *issue_start(const struct replicate_sim *sim, const char *config);

struct curl_run;

struct curl_answer {
    int exit_code; /* curl's own */
    int status;    /* 0 = no answer arrived */
    char *text;    /* head and body, as curl printed them; the caller frees */
    const char *body;
    int64_t took_ms;
};

/* Starts curl with the report's request; it runs by itself until curl_finish. */
struct curl_run *curl_begin(const struct daemon *daemon);

/* Waits for its end. */
void curl_finish(struct curl_run **run, struct curl_answer *answer);

/* As Ctrl-C at the terminal would. */
void curl_interrupt(const struct curl_run *run);

#endif
