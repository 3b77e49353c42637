/* Writes the manual page of the configuration, replibridge.yaml(5), from the table of keys: part of the build, no part
 * of the daemon. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/schema.h"

static const struct {
    enum schema_section section;
    const char *heading, *text;
} sections[] = {
    {SCHEMA_ROOT, "KEYS AT THE TOP", "These stand at the beginning of a line."},
    {SCHEMA_REPLICATE, "KEYS UNDER replicate", "How Replicate is reached."},
    {SCHEMA_LOG, "KEYS UNDER log", "What is logged, and where."},
    {SCHEMA_MODEL, "KEYS OF A MODEL",
     "A name under models has either a model as its value, or a map of these keys, or a list of such."},
    {SCHEMA_KEY, "KEYS OF A CLIENT'S KEY", "Each element of the list keys is the key itself, or a map of these keys."},
};

static const char *const kinds[] = {
    [SCHEMA_TEXT] = "text",
    [SCHEMA_FILE] = "file",
    [SCHEMA_PROXY] = "address of a proxy",
    [SCHEMA_TOKEN] = "secret",
    [SCHEMA_DIGEST] = "secret, or sha256: and its hash",
    [SCHEMA_TIME] = "date or time",
    [SCHEMA_NETWORKS] = "list of addresses and ranges",
    [SCHEMA_URL] = "address",
    [SCHEMA_REFERENCE] = "model",
    [SCHEMA_LISTEN] = "host:port",
    [SCHEMA_INTEGER] = "number",
    [SCHEMA_COUNT] = "number",
    [SCHEMA_BOOLEAN] = "true or false",
    [SCHEMA_DURATION] = "duration",
    [SCHEMA_SIZE] = "size",
    [SCHEMA_LIST] = "list",
    [SCHEMA_NAMES] = "list of parameters",
    [SCHEMA_ORIGINS] = "list of origins",
    [SCHEMA_HEADERS] = "map of headers",
    [SCHEMA_OBJECT] = "map",
    [SCHEMA_MAP] = "map of parameters to inputs",
    [SCHEMA_PARAMS] = "map of parameters",
    [SCHEMA_NESTED] = "map or list",
};

/* A line that begins with a dot or an apostrophe, and every backslash, would be read as an instruction. */
static void print_text(const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        fputs("\\&", stdout);
    for (const char *at = text; *at != '\0'; at++)
        *at == '\\' ? fputs("\\e", stdout) : putchar(*at);
}

static void print_kind(const struct schema_row *row)
{
    if (row->type != SCHEMA_WORD) {
        size_t type = (size_t)row->type;
        fputs(type < sizeof kinds / sizeof kinds[0] && kinds[type] != NULL ? kinds[type] : "value", stdout);
        return;
    }
    for (const char *at = row->words; *at != '\0'; at++)
        *at == '|' ? fputs(" or ", stdout) : putchar(*at);
}

static void print_row(const struct schema_row *row)
{
    printf(".TP\n.B %s\n(", row->name);
    print_kind(row);
    if ((row->type == SCHEMA_INTEGER || row->type == SCHEMA_COUNT) && row->maximum > row->minimum)
        printf(", %" PRId64 " to %" PRId64, row->minimum, row->maximum);
    if (row->fallback != NULL)
        printf("; default %s", row->fallback);
    fputs(row->needs_restart ? "; a change needs a restart)\n" : ")\n", stdout);
    print_text(row->meaning);
    putchar('\n');
}

int main(void)
{
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    puts(".TH REPLIBRIDGE.YAML 5 2026-11-21\n"
         ".SH NAME\n"
         "replibridge.yaml \\- configuration of replibridge\n"
         ".SH DESCRIPTION\n"
         "A file in YAML. Durations are written 500ms, 60s, 10m or 1h, a plain number means seconds; sizes 64KiB or 10MiB, a\n"
         "plain number means bytes. ${NAME} is replaced by an environment variable, ${NAME:-default} has a default, $$ is a\n"
         "dollar sign. A key that does not exist is a mistake, which is told with its line; so is a variable that is not set.\n"
         ".PP\n"
         "A file of LiteLLM's proxy, with model_list, is read as it is: of each of its keys,\n"
         ".B replibridge \\-\\-check\n"
         "tells whether it has no effect here. This page is about the form that follows.\n"
         ".PP\n"
         ".EX\n"
         "models:\n"
         "  kimi-k2: moonshotai/kimi-k2-thinking\n"
         "  llama:\n"
         "    model: meta/meta-llama-3-70b-instruct\n"
         "    timeout: 5m\n"
         ".EE");
    for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++) {
        printf(".SH %s\n%s\n", sections[s].heading, sections[s].text);
        for (size_t i = 0; i < count; i++)
            if (rows[i].section == sections[s].section)
                print_row(&rows[i]);
    }
    puts(".SH SEE ALSO\n.BR replibridge (1)");
    return 0;
}
