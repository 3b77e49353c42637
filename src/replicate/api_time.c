/* Timestamps of Replicate's. Only differences of them mean anything here: its clock and ours may disagree. */
#include <ctype.h>
#include <string.h>

#include "api_int.h"

enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, FIELD_COUNT };

/* How each is written: so many digits, from the least to the most, and what stands behind them. */
static const struct field {
    int digits, least, most;
    char end;
} fields[FIELD_COUNT] = {{4, 1970, 9999, '-'}, {2, 1, 12, '-'}, {2, 1, 31, 'T'},
                         {2, 0, 23, ':'},      {2, 0, 59, ':'}, {2, 0, 60, '\0'}};

/* Goes on behind the field where it is there. */
static bool read_field(const char **text, const struct field *field, int *value)
{
    *value = 0;
    for (int i = 0; i < field->digits; i++, ++*text) {
        if (!isdigit((unsigned char)**text))
            return false;
        *value = *value * 10 + (**text - '0');
    }
    if (field->end != '\0' && *(*text)++ != field->end)
        return false;
    return *value >= field->least && *value <= field->most;
}

/* Since some day long ago. Years begin with March here, so that a leap day is a year's last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t years = month > 2 ? year : year - 1, months = (month + 9) % 12;
    return years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day;
}

/* Each answer holds three: with strptime and timegm they would take as long as all else that is read of a small one. */
int64_t api_time_ms(const char *text)
{
    int values[FIELD_COUNT];
    for (int i = 0; i < FIELD_COUNT; i++)
        if (!read_field(&text, &fields[i], &values[i]))
            return -1;
    int64_t thousandths = 0, weight = 100;
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++, weight /= 10)
            thousandths += (*text - '0') * weight;
    if (strcmp(text, "Z") != 0 && strcmp(text, "+00:00") != 0)
        return -1;
    int64_t hours = days_of(values[YEAR], values[MONTH], values[DAY]) * 24 + values[HOUR];
    return ((hours * 60 + values[MINUTE]) * 60 + values[SECOND]) * 1000 + thousandths;
}
