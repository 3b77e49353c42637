/* The few header lines of an answer that matter: those to pacing (Retry-After and Replicate's ratelimit-* headers), and
 * whether the body is the stream that was asked for. */
#include "transfer_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"

enum { MAX_HEADER_BYTES = 256 * 1024, MAX_VALUE_BYTES = 128 };

/* Longer waits than some 30 years are not distinguished, so that sums with a clock cannot overflow. */
static const int64_t MAX_SECONDS = 1000000000;

void transfer_headers_init(struct transfer_headers *headers, const char *accept)
{
    *headers = (struct transfer_headers){
        .accept = accept,
        .retry_after_ms = -1,
        .ratelimit_remaining = -1,
        .ratelimit_reset_ms = -1,
    };
}

/* Reads `12`, `0.25` or `3.` as milliseconds, rounded up, since waiting too briefly is worse than a moment longer. */
static int64_t parse_seconds(const char *text)
{
    int64_t seconds = 0, thousandths = 0, weight = 1000;
    bool more = false;
    if (!isdigit((unsigned char)*text))
        return -1;
    for (; isdigit((unsigned char)*text); text++)
        seconds = seconds < MAX_SECONDS ? seconds * 10 + (*text - '0') : seconds;
    if (*text == '.') {
        for (text++; isdigit((unsigned char)*text); text++) {
            weight /= 10;
            thousandths += (*text - '0') * weight;
            more = more || (weight == 0 && *text != '0');
        }
    }
    if (*text != '\0')
        return -1;
    return (seconds < MAX_SECONDS ? seconds : MAX_SECONDS) * 1000 + thousandths + (more ? 1 : 0);
}

/* Only digits, else -1; a count beyond all sense stays a large one. */
static int64_t parse_count(const char *text)
{
    int64_t count = 0;
    const char *end = text;
    for (; isdigit((unsigned char)*end); end++)
        count = count < INT64_MAX / 100 ? count * 10 + (*end - '0') : count;
    return end == text || *end != '\0' ? -1 : count;
}

/* The three forms of a date that HTTP knows; the time from now until then, 0 when it is past. */
static int64_t parse_date_wait(const char *text)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (!end || *end != '\0')
            continue;
        int64_t wait_s = (int64_t)timegm(&parts) - clock_wall_s();
        if (wait_s > MAX_SECONDS)
            wait_s = MAX_SECONDS;
        return wait_s > 0 ? wait_s * 1000 : 0;
    }
    return -1;
}

/* HTTP allows whole seconds or a date; fractions are seen in the wild. */
static int64_t parse_retry_after(const char *text)
{
    int64_t wait_ms = parse_seconds(text);
    return wait_ms >= 0 ? wait_ms : parse_date_wait(text);
}

/* Where the value of a line `name: value` begins; 0 when it has another name. */
static size_t value_start(const char *line, size_t length, const char *name)
{
    size_t start = strlen(name);
    if (length <= start || strncasecmp(line, name, start) != 0 || line[start] != ':')
        return 0;
    start++;
    while (start < length && isspace((unsigned char)line[start]))
        start++;
    return start;
}

/* Copies the value of a line `name: value` when it has that name; false when it has another or does not fit. */
static bool value_of(const char *line, size_t length, const char *name, char value[MAX_VALUE_BYTES])
{
    size_t start = value_start(line, length, name);
    if (start == 0)
        return false;
    while (length > start && isspace((unsigned char)line[length - 1]))
        length--;
    if (length - start >= MAX_VALUE_BYTES)
        return false;
    memcpy(value, line + start, length - start);
    value[length - start] = '\0';
    return true;
}

/* Interim answers (1xx) have lines of their own before the final ones; nothing of them may remain. */
static void begin_answer(struct transfer_headers *headers, const char *line, size_t length)
{
    size_t bytes = headers->bytes;
    transfer_headers_init(headers, headers->accept);
    headers->bytes = bytes;
    /* "HTTP/1.1 103 …": the first digit of the status decides. */
    const char *space = memchr(line, ' ', length);
    char digit = space && space + 1 < line + length ? space[1] : '\0';
    headers->interim = digit == '1';
    headers->success = digit == '2';
}

/* Only the beginning counts: parameters such as a charset may follow. */
static bool begins_with(const char *line, size_t length, size_t start, const char *prefix)
{
    size_t prefix_length = strlen(prefix);
    return length - start >= prefix_length && strncasecmp(line + start, prefix, prefix_length) == 0;
}

bool transfer_headers_line(struct transfer_headers *headers, const char *line, size_t length)
{
    char value[MAX_VALUE_BYTES];
    size_t start;
    /* Curl itself bounds a single line, but not every version bounds their sum. */
    headers->bytes += length;
    if (headers->bytes > MAX_HEADER_BYTES)
        return false;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        begin_answer(headers, line, length);
    else if (length > 0 && length <= 2 && (line[0] == '\r' || line[0] == '\n'))
        headers->complete = !headers->interim;
    else if (value_of(line, length, "retry-after", value))
        headers->retry_after_ms = parse_retry_after(value);
    else if (value_of(line, length, "ratelimit-remaining", value))
        headers->ratelimit_remaining = parse_count(value);
    else if (value_of(line, length, "ratelimit-reset", value))
        headers->ratelimit_reset_ms = parse_seconds(value);
    else if (headers->accept && (start = value_start(line, length, "content-type")) > 0)
        headers->accepted = begins_with(line, length, start, headers->accept);
    return true;
}
