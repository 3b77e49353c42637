/* Scalars of a configuration as values. Written by hand where the C library would follow the locale or accept more than
 * a configuration should ("0x10", "inf", leading blanks). */
#include "value_int.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAXIMUM_DIGITS = 15 };

struct unit {
    const char *name;
    int64_t factor;
};

/* Is `text` this word in lower case, upper case or capitalised? YAML 1.1 knows no other mixture. */
static bool is_word(const char *text, const char *word)
{
    if (strcasecmp(text, word) != 0)
        return false;
    bool second_is_lower = islower((unsigned char)text[1]) != 0;
    for (const char *at = text + 1; *at != '\0'; at++)
        if ((islower((unsigned char)*at) != 0) != second_is_lower)
            return false;
    return isupper((unsigned char)text[0]) || second_is_lower;
}

static bool boolean_word(const char *text, bool *value)
{
    static const char *const words[][2] = {{"true", "false"}, {"yes", "no"}, {"on", "off"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is_word(text, words[i][0]) || is_word(text, words[i][1])) {
            *value = is_word(text, words[i][0]);
            return true;
        }
    }
    return false;
}

bool value_boolean(const struct node *node, bool *value)
{
    return node->type == NODE_SCALAR && !node->quoted && boolean_word(node->text, value);
}

bool value_boolean_text(const char *text, bool *value)
{
    if (strcmp(text, "1") == 0 || strcmp(text, "0") == 0) {
        *value = text[0] == '1';
        return true;
    }
    return boolean_word(text, value);
}

/* 15 digits are more than any key needs, and cannot overflow. */
bool value_integer(const char *text, int64_t *value)
{
    bool negative = text[0] == '-';
    const char *at = text + (text[0] == '-' || text[0] == '+');
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > MAXIMUM_DIGITS || at[digits] != '\0')
        return false;
    int64_t number = 0;
    for (; *at != '\0'; at++)
        number = number * 10 + (*at - '0');
    *value = negative ? -number : number;
    return true;
}

/* DIGITS[.DIGITS][blanks]UNIT in the units' base. Bounded so that nothing overflows: 12 digits times a factor below
 * 2^41 would, so the product is checked as well. */
static bool scaled(const char *text, const struct unit *units, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    int64_t whole = 0, fraction = 0, divisor = 1;
    if (digits == 0 || digits > MAXIMUM_DIGITS)
        return false;
    for (size_t i = 0; i < digits; i++)
        whole = whole * 10 + (text[i] - '0');
    const char *at = text + digits;
    if (*at == '.') {
        size_t places = strspn(++at, "0123456789");
        for (size_t i = 0; i < places && i < 6; i++) {
            fraction = fraction * 10 + (at[i] - '0');
            divisor *= 10;
        }
        at += places;
    }
    at += strspn(at, " ");
    while (units->name != NULL && strcasecmp(units->name, at) != 0)
        units++;
    if (units->name == NULL || whole > INT64_MAX / 4 / units->factor)
        return false;
    *value = whole * units->factor + fraction * units->factor / divisor;
    return true;
}

bool value_duration(const char *text, int64_t *ms)
{
    static const struct unit units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    return scaled(text, units, ms);
}

bool value_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {{"", 1},           {"b", 1},           {"k", 1000},      {"kb", 1000},
                                        {"kib", 1 << 10},  {"m", 1000000},     {"mb", 1000000},  {"mib", 1 << 20},
                                        {"g", 1000000000}, {"gb", 1000000000}, {"gib", 1 << 30}, {NULL, 0}};
    return scaled(text, units, bytes);
}

/* [sign] digits [. digits] [e [sign] digits], with a digit on one side of the point. */
static bool is_number(const char *text, bool *is_real)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t before = strspn(at, "0123456789"), after = 0;
    at += before;
    *is_real = *at == '.';
    if (*at == '.') {
        after = strspn(++at, "0123456789");
        at += after;
    }
    if (before + after == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        *is_real = true;
        at += 1 + (at[1] == '-' || at[1] == '+');
        size_t exponent = strspn(at, "0123456789");
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return *at == '\0';
}

/* What a reader of YAML expects of a plain scalar; what no JSON number can hold stays a text. */
static json_t *scalar_json(const struct node *node, bool yaml11)
{
    const char *text = node->text;
    bool flag, is_real;
    if (node->quoted)
        return json_string(text);
    if (node_is_null(node))
        return json_null();
    if (boolean_word(text, &flag) && (yaml11 || is_word(text, "true") || is_word(text, "false")))
        return json_boolean(flag);
    if (!is_number(text, &is_real))
        return json_string(text);
    errno = 0;
    long long whole = is_real ? 0 : strtoll(text, NULL, 10);
    if (!is_real && errno == 0)
        return json_integer(whole);
    double real = strtod(text, NULL);
    return isfinite(real) ? json_real(real) : json_string(text);
}

json_t *value_json(const struct node *node, bool yaml11)
{
    if (node->type == NODE_SCALAR)
        return scalar_json(node, yaml11);
    json_t *collection = node->type == NODE_LIST ? json_array() : json_object();
    for (size_t i = 0; i < node->count; i++) {
        json_t *value = value_json(node->members[i].value, yaml11);
        int failed = node->type == NODE_LIST ? json_array_append_new(collection, value)
                                             : json_object_set_new(collection, node->members[i].key, value);
        if (failed) {
            json_decref(collection);
            return NULL;
        }
    }
    return collection;
}

/* ---- times ---- */

static bool take_number(const char **at, int digits, int *number)
{
    *number = 0;
    for (; digits > 0; digits--, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

static bool take_one_of(const char **at, const char *characters)
{
    if (**at == '\0' || strchr(characters, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

/* `Z`, or how far the clock is ahead of UTC. */
static bool take_offset(const char **at, int *offset_s)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;
    *offset_s = 0;
    if (take_one_of(at, "Zz"))
        return true;
    if (!take_one_of(at, "+-") || !take_number(at, 2, &hours) || !take_one_of(at, ":") ||
        !take_number(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = sign * (hours * 60 + minutes) * 60;
    return true;
}

/* Fractions of a second are read and left out. */
static bool take_clock(const char **at, struct tm *parts, int *offset_s)
{
    if (!take_one_of(at, "Tt ") || !take_number(at, 2, &parts->tm_hour) || !take_one_of(at, ":") ||
        !take_number(at, 2, &parts->tm_min) || !take_one_of(at, ":") || !take_number(at, 2, &parts->tm_sec) ||
        parts->tm_hour > 23 || parts->tm_min > 59 || parts->tm_sec > 59)
        return false;
    if (take_one_of(at, ".")) {
        size_t digits = strspn(*at, "0123456789");
        if (digits == 0)
            return false;
        *at += digits;
    }
    return take_offset(at, offset_s);
}

bool value_time(const char *text, int64_t *unix_s)
{
    enum { DAY_S = 24 * 60 * 60 };
    struct tm parts = {0};
    int offset_s = 0;
    if (!take_number(&text, 4, &parts.tm_year) || !take_one_of(&text, "-") || !take_number(&text, 2, &parts.tm_mon) ||
        !take_one_of(&text, "-") || !take_number(&text, 2, &parts.tm_mday))
        return false;
    bool is_date = *text == '\0';
    if (!is_date && (!take_clock(&text, &parts, &offset_s) || *text != '\0'))
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    struct tm settled = parts;
    int64_t time_s = timegm(&settled);
    /* The 31st of a month that has 30 days would else be the first of the next. */
    if (settled.tm_mon != parts.tm_mon || settled.tm_mday != parts.tm_mday)
        return false;
    *unix_s = time_s - offset_s + (is_date ? DAY_S : 0);
    return true;
}
