/* Loading configurations from texts, with an environment of the test's own. One thread. */
#ifndef SUPPORT_CONFIG_CASE_H
#define SUPPORT_CONFIG_CASE_H

#include <stdbool.h>

#include "config/config.h"

/* Forgets all variables and files; to be called before and after each test. */
void config_case_setup(void);
void config_case_teardown(void);

/* Sets a variable for the loads that follow. */
void config_case_variable(const char *name, const char *value);

/* Writes a file into the test's own folder; its path, valid until teardown. */
const char *config_case_file(const char *name, const char *text);

/* Options that say nothing, with the test's environment. */
struct config_options config_case_options(void);

/* Loads; NULL on failure, then config_case_message has the sentence. config_case_load writes `text` to config.yaml. */
struct config *config_case_load(const char *text);
struct config *config_case_load_options(const struct config_options *options);

/* Like config_case_load, but fails the test with the message where it does not load. */
struct config *config_case_must_load(const char *text);

/* The message of the last load that failed. */
const char *config_case_message(void);

/* Fails the test unless `text` does not load and the message has `part`. */
void config_case_refuses(const char *text, const char *part);

/* Does any warning hold `part`? */
bool config_case_warns(const struct config *config, const char *part);

#endif
