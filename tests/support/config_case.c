/* Loading configurations from texts, with an environment of the test's own. */
#include "config_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"

enum { MAXIMUM = 16 };

static struct {
    const char *name, *value;
} variables[MAXIMUM];
static size_t variable_count;
static char *files[MAXIMUM];
static size_t file_count;
static char folder[64];
static char message[2048];

static const char *case_getenv(const char *name)
{
    for (size_t i = variable_count; i > 0; i--)
        if (strcmp(variables[i - 1].name, name) == 0)
            return variables[i - 1].value;
    return NULL;
}

void config_case_setup(void)
{
    variable_count = 0;
    file_count = 0;
    message[0] = '\0';
    snprintf(folder, sizeof folder, "/tmp/config-case-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    config_case_variable("REPLICATE_API_KEY", "test-token");
}

void config_case_teardown(void)
{
    for (size_t i = 0; i < file_count; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    file_count = 0;
    rmdir(folder);
}

void config_case_variable(const char *name, const char *value)
{
    ck_assert_uint_lt(variable_count, MAXIMUM);
    variables[variable_count].name = name;
    variables[variable_count++].value = value;
}

const char *config_case_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_int_eq(chmod(path, 0600), 0); /* or a secret in it would be warned about */
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i], path) == 0) {
            free(path);
            return files[i];
        }
    }
    ck_assert_uint_lt(file_count, MAXIMUM);
    files[file_count] = path;
    return files[file_count++];
}

struct config_options config_case_options(void)
{
    return (struct config_options){.port = -1, .getenv = case_getenv};
}

struct config *config_case_load_options(const struct config_options *options)
{
    message[0] = '\0';
    struct config *config = config_load(options, message, sizeof message);
    ck_assert((config == NULL) == (message[0] != '\0'));
    return config;
}

struct config *config_case_load(const char *text)
{
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", text);
    return config_case_load_options(&options);
}

struct config *config_case_must_load(const char *text)
{
    struct config *config = config_case_load(text);
    ck_assert_msg(config != NULL, "%s", message);
    return config;
}

const char *config_case_message(void)
{
    return message;
}

void config_case_refuses(const char *text, const char *part)
{
    struct config *config = config_case_load(text);
    config_unref(config);
    ck_assert_msg(config == NULL, "this loads, and should not:\n%s", text);
    ck_assert_msg(strstr(message, part) != NULL, "\"%s\" is not in: %s", part, message);
}

bool config_case_warns(const struct config *config, const char *part)
{
    for (size_t i = 0; i < config->warning_count; i++)
        if (strstr(config->warnings[i], part) != NULL)
            return true;
    return false;
}
