/* Fills in src/server/status.html: each comment of the form <!--name--> is replaced by what the table below says. */
#include "server/status_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/version.h"
#include "openai/endpoint.h"

/* The page is part of the program. */
extern const char status_html[];
extern const char status_html_end[];
__asm__(".section .rodata\n"
        ".global status_html\n"
        ".global status_html_end\n"
        "status_html: .incbin \"src/server/status.html\"\n"
        "status_html_end: .byte 0\n"
        ".previous\n");

enum { SHOWN_RUNS = 100, SHOWN_MODELS = 500 };

static void append_escaped(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *entity = *at == '&'    ? "&amp;"
                             : *at == '<'  ? "&lt;"
                             : *at == '>'  ? "&gt;"
                             : *at == '"'  ? "&quot;"
                             : *at == '\'' ? "&#39;"
                                           : NULL;
        if (entity != NULL)
            buf_append_text(out, entity);
        else
            buf_append(out, at, 1);
    }
}

/* A cell of a table; an empty one gets a dash, which screen readers say. */
static void append_cell(struct buf *out, const char *text)
{
    buf_append_text(out, "<td>");
    append_escaped(out, text[0] == '\0' ? "–" : text);
    buf_append_text(out, "</td>");
}

static void append_code(struct buf *out, const char *text)
{
    buf_append_text(out, "<td><code>");
    append_escaped(out, text[0] == '\0' ? "–" : text);
    buf_append_text(out, "</code></td>");
}

static void append_nothing(struct buf *out, int columns, const char *sentence)
{
    buf_printf(out, "<tr><td class=\"soft\" colspan=\"%d\">%s</td></tr>\n", columns, sentence);
}

/* "12 s", "3 min", "2 h": nobody reads an age to the millisecond. */
static void append_age(struct buf *out, int64_t seconds)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        buf_printf(out, "%" PRId64 " s", seconds);
    else if (seconds < 7200)
        buf_printf(out, "%" PRId64 " min", seconds / 60);
    else
        buf_printf(out, "%" PRId64 " h", seconds / 3600);
}

/* ---- what the comments stand for ---- */

static void write_nonce(const struct status_view *view, struct buf *out)
{
    append_escaped(out, view->nonce);
}

static void write_version(const struct status_view *view, struct buf *out)
{
    (void)view;
    append_escaped(out, REPLIBRIDGE_VERSION);
}

static void write_state(const struct status_view *view, struct buf *out)
{
    buf_append_text(out, view->is_draining
                             ? "<span class=\"warm\">Shutting down: running requests are finished, new ones "
                               "are refused.</span>"
                             : "<span class=\"good\">Ready.</span>");
}

static void write_minute(const struct status_view *view, struct buf *out)
{
    buf_printf(out, "%" PRId64, board_last_minute(view->board));
}

static void write_running(const struct status_view *view, struct buf *out)
{
    size_t total;
    (void)board_runs(view->board, NULL, 0, &total);
    buf_printf(out, "%zu", total);
}

static void write_requests(const struct status_view *view, struct buf *out)
{
    buf_printf(out, "%" PRId64, board_total(view->board));
}

static void write_created(const struct status_view *view, struct buf *out)
{
    (void)view;
    buf_printf(out, "%" PRId64, metrics_sum(METRIC_predictions_created_total));
}

static void write_cancels(const struct status_view *view, struct buf *out)
{
    (void)view;
    buf_printf(out, "%" PRId64, metrics_sum(METRIC_cancels_total));
}

static void write_joined(const struct status_view *view, struct buf *out)
{
    (void)view;
    buf_printf(out, "%" PRId64, metrics_sum(METRIC_retries_joined_total));
}

static void write_health(const struct board_health *health, struct buf *out)
{
    int64_t now_s = clock_wall_s();
    if (health->answered_s == 0 && health->failed_s == 0) {
        buf_append_text(out, "<span class=\"soft\">not used yet</span>");
    } else if (health->failed_s > health->answered_s) {
        buf_append_text(out, "<span class=\"bad\">failed ");
        append_age(out, now_s - health->failed_s);
        buf_printf(out, " ago: %s</span>", error_row(health->kind)->name);
    } else {
        buf_append_text(out, "<span class=\"good\">answered ");
        append_age(out, now_s - health->answered_s);
        buf_append_text(out, " ago</span>");
    }
}

static void write_models(const struct status_view *view, struct buf *out)
{
    const struct config *config = view->config;
    for (size_t i = 0; i < config->route_count && i < SHOWN_MODELS; i++) {
        const struct route *route = config->routes[i];
        if (!endpoint_key_allows(view->key, route->alias))
            continue;
        struct board_health health = board_health(view->board, route->metrics_index);
        buf_append_text(out, "<tr><th scope=\"row\"><code>");
        append_escaped(out, route->alias);
        buf_append_text(out, "</code></th><td><code>");
        for (const struct route *each = route; each != NULL; each = each->next) {
            append_escaped(out, each->reference);
            buf_append_text(out, each->next == NULL ? "" : "<br>");
        }
        buf_append_text(out, "</code></td><td>");
        write_health(&health, out);
        buf_append_text(out, "</td></tr>\n");
    }
    if (config->route_count > SHOWN_MODELS)
        append_nothing(out, 3, "There are more; GET /v1/models lists all.");
}

static void write_names(const struct status_view *view, struct buf *out)
{
    const struct config *config = view->config;
    for (size_t i = 0; i < config->route_count && i < SHOWN_MODELS; i++) {
        const char *alias = config->routes[i]->alias;
        if (strchr(alias, '*') != NULL || !endpoint_key_allows(view->key, alias))
            continue;
        buf_append_text(out, "<option value=\"");
        append_escaped(out, alias);
        buf_append_text(out, "\">");
    }
}

static void write_runs(const struct status_view *view, struct buf *out)
{
    struct board_run runs[SHOWN_RUNS];
    size_t total, shown = 0, count = board_runs(view->board, runs, SHOWN_RUNS, &total);
    for (size_t i = 0; i < count; i++) {
        if (!endpoint_key_allows(view->key, runs[i].alias))
            continue;
        shown++;
        buf_append_text(out, "<tr>");
        append_code(out, runs[i].alias);
        append_cell(out, runs[i].state);
        buf_append_text(out, "<td class=\"number\">");
        append_age(out, (clock_now_ms() - runs[i].since_ms) / 1000);
        buf_append_text(out, "</td>");
        append_code(out, runs[i].id);
        buf_append_text(out, "</tr>\n");
    }
    if (shown == 0)
        append_nothing(out, 4, "Nothing runs now.");
    else if (total > count)
        append_nothing(out, 4, "There are more.");
}

static void write_errors(const struct status_view *view, struct buf *out)
{
    struct board_error errors[BOARD_ERRORS];
    size_t shown = 0, count = board_errors(view->board, errors);
    for (size_t i = 0; i < count; i++) {
        if (!endpoint_key_allows(view->key, errors[i].alias))
            continue;
        shown++;
        struct tm utc;
        char when[32];
        time_t at = (time_t)errors[i].at_s;
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", gmtime_r(&at, &utc));
        buf_append_text(out, "<tr>");
        append_cell(out, when);
        append_code(out, errors[i].alias);
        buf_printf(out, "<td>%d %s</td>", error_row(errors[i].kind)->http_status, error_row(errors[i].kind)->name);
        append_code(out, errors[i].request_id);
        append_code(out, errors[i].prediction_id);
        buf_append_text(out, "</tr>\n");
    }
    if (shown == 0)
        append_nothing(out, 5, "None since the start.");
}

static const struct {
    const char *name;
    void (*write)(const struct status_view *view, struct buf *out);
} parts[] = {
    {"nonce", write_nonce},     {"version", write_version},   {"state", write_state},     {"minute", write_minute},
    {"running", write_running}, {"requests", write_requests}, {"created", write_created}, {"cancels", write_cancels},
    {"joined", write_joined},   {"models", write_models},     {"runs", write_runs},       {"errors", write_errors},
    {"names", write_names},
};

static const size_t part_count = sizeof parts / sizeof parts[0];

/* The part whose comment begins at `at`, and the comment's end; `part_count` where it is none of ours. */
static size_t part_at(const char *at, const char **end)
{
    for (size_t i = 0; i < part_count; i++) {
        size_t length = strlen(parts[i].name);
        if (strncmp(at + 4, parts[i].name, length) == 0 && strncmp(at + 4 + length, "-->", 3) == 0) {
            *end = at + 4 + length + 3;
            return i;
        }
    }
    return part_count;
}

void status_page_write(const struct status_view *view, struct buf *out)
{
    const char *from = status_html, *end = NULL;
    for (const char *at = from; (at = strstr(at, "<!--")) != NULL;) {
        size_t part = part_at(at, &end);
        if (part == part_count) {
            at += 4;
            continue;
        }
        buf_append(out, from, (size_t)(at - from));
        parts[part].write(view, out);
        from = at = end;
    }
    buf_append_text(out, from);
}

void status_page_policy(const char *nonce, char *out, size_t size)
{
    snprintf(out, size,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
}
