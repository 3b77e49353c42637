/* Timestamps of Replicate's. Only differences of them mean anything here: its clock and ours may disagree. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "api_int.h"

/* In ms; false where it is no timestamp in UTC. */
static bool read_time(const char *text, int64_t *time_ms)
{
    struct tm parts = {0};
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end == NULL)
        return false;
    int64_t thousandths = 0, weight = 100;
    if (*end == '.')
        for (end++; isdigit((unsigned char)*end); end++, weight /= 10)
            thousandths += (*end - '0') * weight;
    *time_ms = (int64_t)timegm(&parts) * 1000 + thousandths;
    return strcmp(end, "Z") == 0 || strcmp(end, "+00:00") == 0;
}

int64_t api_ms_between(const char *from, const char *to)
{
    int64_t from_ms = 0, to_ms = 0;
    if (!read_time(from, &from_ms) || !read_time(to, &to_ms) || to_ms < from_ms)
        return -1;
    return to_ms - from_ms;
}
