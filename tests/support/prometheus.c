/* Reads an exposition line by line; what does not keep to the format fails the test. */
#include "prometheus.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { NAME_BYTES = 128, SERIES_BYTES = 4096, LABELS_MAX = 8, FAMILIES_MAX = 256 };

/* How far the reading is. */
struct reading {
    char families[FAMILIES_MAX][NAME_BYTES];
    size_t family_count;
    char family[NAME_BYTES], type[16]; /* the present one; type "" = only its HELP was read */
    size_t samples;

    /* of the present histogram series */
    char labels[SERIES_BYTES + 1];
    double bound, count, sum;
    bool has_sum, is_closed; /* closed: its +Inf was read */
};

struct sample {
    char name[NAME_BYTES];
    char series[SERIES_BYTES]; /* as it is written */
    char labels[SERIES_BYTES]; /* without `le` */
    bool has_le;
    double le, value;
};

#define REQUIRE(condition, line) ck_assert_msg(condition, "not so: " #condition ", in the line `%s`", line)

/* The number of characters of a name at `at`. */
static size_t name_length(const char *at, bool may_have_colon)
{
    size_t length = 0;
    while (isalpha((unsigned char)at[length]) || at[length] == '_' || (may_have_colon && at[length] == ':') ||
           (length > 0 && isdigit((unsigned char)at[length])))
        length++;
    return length;
}

static double number(const char *at, const char **end, const char *line)
{
    char *stop;
    ck_assert_msg(*at == '+' || *at == '-' || isdigit((unsigned char)*at), "no number in the line `%s`", line);
    double value = strtod(at, &stop);
    ck_assert_msg(stop > at && !isnan(value), "no number in the line `%s`", line);
    *end = stop;
    return value;
}

/* A quoted value at `at`; the position behind it. */
static const char *skip_value(const char *at, const char *line)
{
    REQUIRE(*at == '"', line);
    for (at++; *at != '"'; at++) {
        REQUIRE(*at != '\0', line);
        if (*at == '\\') {
            at++;
            REQUIRE(*at == '\\' || *at == '"' || *at == 'n', line);
        }
    }
    return at + 1;
}

/* From behind the opening brace to behind the closing one. */
static const char *read_labels(const char *at, struct sample *sample, const char *line)
{
    while (*at != '}') {
        const char *begin = at;
        size_t length = name_length(at, false);
        REQUIRE(length > 0 && at[length] == '=', line);
        const char *value = at + length + 1;
        at = skip_value(value, line);
        REQUIRE(*at == ',' || *at == '}', line);
        if (length == 2 && strncmp(begin, "le", 2) == 0) {
            const char *end;
            sample->has_le = true;
            sample->le = number(value + 1, &end, line);
            REQUIRE(end == at - 1, line);
        } else {
            char *labels = sample->labels + strlen(sample->labels);
            snprintf(labels, sizeof sample->labels - (size_t)(labels - sample->labels), "%.*s,", (int)(at - begin),
                     begin);
        }
        at += *at == ',';
    }
    return at + 1;
}

static void read_sample(const char *line, struct sample *sample)
{
    size_t length = name_length(line, true);
    *sample = (struct sample){0};
    REQUIRE(length > 0 && length < NAME_BYTES, line);
    snprintf(sample->name, sizeof sample->name, "%.*s", (int)length, line);
    const char *at = line + length;
    if (*at == '{')
        at = read_labels(at + 1, sample, line);
    snprintf(sample->series, sizeof sample->series, "%.*s", (int)(at - line), line);
    REQUIRE(*at == ' ', line);
    const char *end;
    sample->value = number(at + 1, &end, line);
    REQUIRE(*end == '\0', line);
}

/* ---- a metric's head ---- */

static void finish_histogram(struct reading *reading, const char *line)
{
    if (reading->labels[0] != '\0')
        REQUIRE(reading->is_closed && reading->has_sum && reading->count < 0, line);
    reading->labels[0] = '\0';
}

static void read_help(struct reading *reading, const char *line)
{
    const char *name = line + strlen("# HELP ");
    size_t length = name_length(name, true);
    REQUIRE(length > 0 && length < NAME_BYTES && name[length] == ' ' && name[length + 1] != '\0', line);
    REQUIRE(reading->family_count == 0 || reading->type[0] != '\0', line);
    finish_histogram(reading, line);
    snprintf(reading->family, sizeof reading->family, "%.*s", (int)length, name);
    for (size_t i = 0; i < reading->family_count; i++)
        ck_assert_msg(strcmp(reading->families[i], reading->family) != 0, "%s comes twice", reading->family);
    ck_assert_uint_lt(reading->family_count, FAMILIES_MAX);
    memcpy(reading->families[reading->family_count++], reading->family, NAME_BYTES);
    reading->type[0] = '\0';
    reading->samples = 0;
}

static void read_type(struct reading *reading, const char *line)
{
    const char *name = line + strlen("# TYPE ");
    size_t length = strlen(reading->family);
    REQUIRE(strncmp(name, reading->family, length) == 0 && name[length] == ' ' && reading->samples == 0, line);
    REQUIRE(reading->type[0] == '\0', line);
    snprintf(reading->type, sizeof reading->type, "%s", name + length + 1);
    bool is_counter = strcmp(reading->type, "counter") == 0;
    REQUIRE(is_counter || strcmp(reading->type, "gauge") == 0 || strcmp(reading->type, "histogram") == 0, line);
    bool is_total = length > 6 && strcmp(reading->family + length - 6, "_total") == 0;
    REQUIRE(is_counter == is_total, line);
}

/* ---- samples ---- */

/* The order is the one in which they are written: buckets from the lowest to +Inf, the sum, the count. */
static void read_histogram(struct reading *reading, const struct sample *sample, const char *line)
{
    const char *suffix = sample->name + strlen(reading->family);
    char labels[SERIES_BYTES + 1];
    snprintf(labels, sizeof labels, ",%s", sample->labels);
    if (strcmp(reading->labels, labels) != 0) {
        finish_histogram(reading, line);
        snprintf(reading->labels, sizeof reading->labels, "%s", labels);
        reading->bound = -1;
        reading->count = 0;
        reading->has_sum = reading->is_closed = false;
    }
    REQUIRE(sample->has_le == (strcmp(suffix, "_bucket") == 0), line);
    if (sample->has_le) {
        REQUIRE(!reading->is_closed && sample->le > reading->bound && sample->value >= reading->count, line);
        reading->bound = sample->le;
        reading->count = sample->value;
        reading->is_closed = isinf(sample->le) != 0;
    } else if (strcmp(suffix, "_sum") == 0) {
        REQUIRE(reading->is_closed && !reading->has_sum, line);
        reading->has_sum = true;
    } else {
        REQUIRE(strcmp(suffix, "_count") == 0 && reading->has_sum && sample->value == reading->count, line);
        reading->count = -1; /* complete */
    }
}

static void check_sample(struct reading *reading, const char *line)
{
    struct sample sample;
    read_sample(line, &sample);
    REQUIRE(reading->type[0] != '\0', line);
    REQUIRE(strncmp(sample.name, reading->family, strlen(reading->family)) == 0, line);
    reading->samples++;
    if (strcmp(reading->type, "histogram") == 0) {
        read_histogram(reading, &sample, line);
        return;
    }
    REQUIRE(strcmp(sample.name, reading->family) == 0 && !sample.has_le, line);
    REQUIRE(strcmp(reading->type, "gauge") == 0 || sample.value >= 0, line);
}

/* No series twice: of each line what is before the value must not begin another line. */
static void check_unique(const char *text)
{
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char series[SERIES_BYTES + 2];
        const char *end = strchr(line, '\n');
        if (*line == '#')
            continue;
        while (*end != ' ')
            end--;
        snprintf(series, sizeof series, "\n%.*s ", (int)(end - line), line);
        ck_assert_msg(strstr(end, series) == NULL, "twice: %s", series + 1);
    }
}

void prometheus_check(const char *text, size_t length)
{
    struct reading *reading = calloc(1, sizeof *reading);
    ck_assert_ptr_nonnull(reading);
    ck_assert_uint_eq(strlen(text), length);
    ck_assert(length > 0 && text[length - 1] == '\n');
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        char *line = strndup(at, strcspn(at, "\n"));
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(reading, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(reading, line);
        else
            check_sample(reading, line);
        free(line);
    }
    finish_histogram(reading, "the end");
    check_unique(text);
    free(reading);
}

double prometheus_value(const char *text, const char *series)
{
    double sum = -1;
    size_t length = strlen(series);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, series, length) != 0 || (line[length] != ' ' && line[length] != '{'))
            continue;
        const char *value = strchr(line, '\n');
        while (*value != ' ')
            value--;
        sum = (sum < 0 ? 0 : sum) + strtod(value, NULL);
    }
    return sum;
}

bool prometheus_promtool_agrees(const char *text, size_t length)
{
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        return true;
    FILE *pipe = popen("promtool check metrics >&2", "w");
    ck_assert_ptr_nonnull(pipe);
    size_t written = fwrite(text, 1, length, pipe);
    int status = pclose(pipe);
    return written == length && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
