/* Token counts, wherever a model reports them: in the prediction's metrics under two spellings, or as lines in its
 * logs. */
#include "replicate/api.h"

#include <string.h>
#include <strings.h>

#include "base/json_scan.h"
#include "api_int.h"

/* No real prediction has more tokens; a larger number is noise, and sums of such counts stay far from overflow. */
#define COUNT_MAX INT64_C(1000000000000)

/* -1 where the next value is no count. */
static int64_t next_count(struct json_scan *scan)
{
    struct json_scanned value;
    int64_t number = 0;
    bool is_count = json_scan_whole(scan, &value) && json_scan_whole_number(&value, &number);
    return is_count && number >= 0 && number <= COUNT_MAX ? number : -1;
}

/* One of the two spellings is enough, the first one counts if both are there. False where there is none. */
static bool choose(const int64_t spellings[2], int64_t *count)
{
    int64_t found = spellings[0] >= 0 ? spellings[0] : spellings[1];
    *count = found >= 0 ? found : 0;
    return found >= 0;
}

/* Input or output alone still counts: some models report only what they wrote. */
void api_usage_from_metrics(struct json_scan *scan, struct usage *usage)
{
    static const char *const names[] = {"input_token_count", "token_input_count", "output_token_count",
                                        "token_output_count"};
    enum { NAME_COUNT = sizeof names / sizeof names[0] };
    int64_t counts[NAME_COUNT] = {-1, -1, -1, -1};
    struct json_scanned key;
    *usage = (struct usage){0};
    if (!json_scan_enter(scan))
        return;
    while (json_scan_member(scan, &key)) {
        size_t i = 0;
        while (i < NAME_COUNT && !json_scan_is(&key, names[i]))
            i++;
        if (i < NAME_COUNT)
            counts[i] = next_count(scan);
        else
            json_scan_skip(scan);
    }
    bool has_input = choose(counts, &usage->input_tokens), has_output = choose(counts + 2, &usage->output_tokens);
    usage->reported = has_input || has_output;
}

enum line { LINE_INPUT, LINE_INPUT_TEXT, LINE_INPUT_IMAGE, LINE_OUTPUT, LINE_OUTPUT_TEXT, LINE_REASONING, LINE_COUNT };

static const char *const line_words[LINE_COUNT] = {
    [LINE_INPUT] = "Input token count:",
    [LINE_INPUT_TEXT] = "Input text token count:",
    [LINE_INPUT_IMAGE] = "Input image token count:",
    [LINE_OUTPUT] = "Output token count:",
    [LINE_OUTPUT_TEXT] = "Output text token count:",
    [LINE_REASONING] = "Reasoning tokens:",
};

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Reads the digits at `at`; -1 when there are none or the number is absurd. */
static int64_t read_count(const char *at, const char *end)
{
    int64_t count = -1;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        count = (count < 0 ? 0 : count) * 10 + (*at - '0');
        if (count > COUNT_MAX)
            return -1;
    }
    return count;
}

/* Some models write their counts as a list, with a dash before each. */
static void read_line(const char *at, const char *end, int64_t counts[LINE_COUNT])
{
    at = skip_blanks(at, end);
    if (at < end && *at == '-')
        at = skip_blanks(at + 1, end);
    for (int i = 0; i < LINE_COUNT; i++) {
        size_t length = strlen(line_words[i]);
        if ((size_t)(end - at) < length || strncasecmp(at, line_words[i], length) != 0)
            continue;
        int64_t count = read_count(skip_blanks(at + length, end), end);
        if (count >= 0)
            counts[i] = count;
        return;
    }
}

/* The whole count, else the sum of the parts that are known; false when none is. */
static bool total(int64_t whole, int64_t first_part, int64_t second_part, int64_t *out)
{
    if (whole < 0 && first_part < 0 && second_part < 0)
        return false;
    if (whole < 0)
        whole = (first_part < 0 ? 0 : first_part) + (second_part < 0 ? 0 : second_part);
    *out = whole;
    return true;
}

/* Logs are free text that a model prints, and a later line corrects an earlier one. */
void api_usage_from_logs(const char *logs, struct usage *usage)
{
    *usage = (struct usage){0};
    if (logs == NULL)
        return;
    int64_t counts[LINE_COUNT];
    for (int i = 0; i < LINE_COUNT; i++)
        counts[i] = -1;
    for (const char *at = logs; *at != '\0';) {
        const char *end = strpbrk(at, "\r\n");
        if (end == NULL)
            end = at + strlen(at);
        read_line(at, end, counts);
        at = *end == '\0' ? end : end + 1;
    }
    bool has_input = total(counts[LINE_INPUT], counts[LINE_INPUT_TEXT], counts[LINE_INPUT_IMAGE], &usage->input_tokens);
    bool has_output = total(counts[LINE_OUTPUT], counts[LINE_OUTPUT_TEXT], -1, &usage->output_tokens);
    if (counts[LINE_REASONING] >= 0)
        usage->reasoning_tokens = counts[LINE_REASONING];
    usage->reported = has_input || has_output;
}
