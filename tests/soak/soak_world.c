/* The models of a soak and its faults, as tables from which chance picks. */
#include "soak_world.h"

#include <stdio.h>
#include <string.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static const char *const short_pieces[] = {SIM_PROMPT, " \xe2\x82\xac", " and\n", "so on: ", ""};
enum { SHORT_REPEATS = 6, LARGE_REPEATS = 1500, LARGE_FILLING_BYTES = 240 };

/* Long enough that a client who does not read fills all buffers on the way. */
static char large_filling[LARGE_FILLING_BYTES + 1];
static const char *large_pieces[] = {SIM_PROMPT, " ", large_filling, "\n"};

static const char image_schema[] = "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"image\":{\"type\":\"string\","
                                   "\"format\":\"uri\"}}}";

#define STREAMED .piece_ms = 15, .stream.offered = true

static const struct entry {
    struct soak_model model;
    struct sim_plan plan;
} entries[] = {
    {{.name = "quick"}, {.official = true}},
    {{.name = "community"}, {.boot_ms = 30, .run_ms = 20}},
    {{.name = "slow"}, {.official = true, .boot_ms = 700, .run_ms = 200}},
    {{.name = "told"}, {.official = true, STREAMED}},
    {{.name = "told-late"}, {.official = true, .boot_ms = 400, STREAMED}},
    {{.name = "cut"}, {.official = true, STREAMED, .stream.fault = SIM_STREAM_CUT, .stream.fault_after = 7}},
    {{.name = "reset"},
     {.official = true, STREAMED, .stream.fault = SIM_STREAM_RESET, .stream.fault_after = 3, .stream.no_ids = true}},
    {{.name = "ended"}, {.official = true, STREAMED, .stream.fault = SIM_STREAM_END, .stream.fault_after = 5}},
    {{.name = "stalled"},
     {.official = true,
      STREAMED,
      .stream.fault = SIM_STREAM_STALL,
      .stream.fault_after = 9,
      .stream.fault_count = SIM_FOREVER}},
    {{.name = "torn"}, {.official = true, STREAMED, .stream.half_characters = true, .stream.bytewise = true}},
    {{.name = "polled"}, {.official = true, .piece_ms = 15}},
    {{.name = "fails", .end = SOAK_FAILS},
     {.official = true, .boot_ms = 50, .end_status = "failed", .error_text = "it broke, as it is meant to"}},
    {{.name = "sees", .takes_images = true}, {.official = true, .boot_ms = 20, .input_schema_json = image_schema}},
    {{.name = "large", .is_large = true}, {.official = true, .piece_ms = 1, .stream.offered = true}},
};

size_t soak_model_count(void)
{
    return LENGTH(entries);
}

const struct soak_model *soak_model(size_t i)
{
    return &entries[i].model;
}

void soak_plan_models(struct replicate_sim *sim)
{
    memset(large_filling, 'x', LARGE_FILLING_BYTES);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        char name[64];
        struct sim_plan plan = entries[i].plan;
        bool is_large = entries[i].model.is_large;
        snprintf(name, sizeof name, "acme/%s", entries[i].model.name);
        plan.model = name;
        plan.pieces = is_large ? large_pieces : short_pieces;
        plan.piece_count = is_large ? LENGTH(large_pieces) : LENGTH(short_pieces);
        plan.repeat_pieces = is_large ? LARGE_REPEATS : SHORT_REPEATS;
        replicate_sim_plan(sim, &plan);
    }
}

void soak_model_text(const struct soak_model *model, const char *prompt, struct buf *out)
{
    const char *const *pieces = model->is_large ? large_pieces : short_pieces;
    size_t count = model->is_large ? LENGTH(large_pieces) : LENGTH(short_pieces);
    for (int repeat = 0; repeat < (model->is_large ? LARGE_REPEATS : SHORT_REPEATS); repeat++)
        for (size_t i = 0; i < count; i++)
            buf_append_text(out, strcmp(pieces[i], SIM_PROMPT) == 0 ? prompt : pieces[i]);
}

/* ---- faults ---- */

/* What may pass: whoever is struck by these has no reason to blame the request. */
static const struct sim_fault_spec specs[] = {
    {.fault = SIM_FAULT_CLOSE_BEFORE_HEADERS},
    {.fault = SIM_FAULT_READ_AND_CLOSE},
    {.fault = SIM_FAULT_CLOSE_IN_HEADERS},
    {.fault = SIM_FAULT_CUT_BODY},
    {.fault = SIM_FAULT_LENGTH_TOO_LONG},
    {.fault = SIM_FAULT_NO_LENGTH},
    {.fault = SIM_FAULT_CHUNKED},
    {.fault = SIM_FAULT_HTML, .status = 502},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .throttle = SIM_THROTTLE_SHORT},
    {.fault = SIM_FAULT_STATUS, .status = 500},
    {.fault = SIM_FAULT_STATUS, .status = 503},
    {.fault = SIM_FAULT_STATUS_AFTER, .status = 500},
    {.fault = SIM_FAULT_SLOW, .delay_ms = 400},
    {.fault = SIM_FAULT_BYTEWISE},
    {.fault = SIM_FAULT_RESET},
    {.fault = SIM_FAULT_RESET_AFTER},
    {.fault = SIM_FAULT_HUGE_BODY},
    {.fault = SIM_FAULT_SILENT}, /* the last one: see with_silence */
};

static const struct {
    enum sim_endpoint endpoint;
    int percent;
} places[] = {{SIM_CREATE, 25}, {SIM_GET, 40}, {SIM_STREAM, 40}, {SIM_CANCEL, 5}, {SIM_FILES, 5}};

enum { REFUSED_PERCENT = 2, REFUSED_MS = 150 };

/* Served, and perhaps never heard of. */
static bool may_lose(enum sim_fault fault)
{
    switch (fault) {
    case SIM_FAULT_READ_AND_CLOSE:
    case SIM_FAULT_CLOSE_IN_HEADERS:
    case SIM_FAULT_CUT_BODY:
    case SIM_FAULT_LENGTH_TOO_LONG:
    case SIM_FAULT_STATUS_AFTER:
    case SIM_FAULT_RESET_AFTER:
    case SIM_FAULT_HUGE_BODY:
    case SIM_FAULT_SILENT:
        return true;
    default:
        return false;
    }
}

void soak_strike(struct replicate_sim *sim, struct soak_faults *faults, struct soak_random *random)
{
    int kinds = (int)LENGTH(specs) - (faults->with_silence ? 0 : 1);
    replicate_sim_clear_faults(sim);
    for (size_t i = 0; i < LENGTH(places); i++) {
        const struct sim_fault_spec *spec = &specs[soak_random_below(random, kinds)];
        if (!soak_random_percent(random, places[i].percent))
            continue;
        replicate_sim_fault(sim, places[i].endpoint, spec);
        faults->struck++;
        faults->lost_creates += places[i].endpoint == SIM_CREATE && may_lose(spec->fault);
    }
    if (soak_random_percent(random, REFUSED_PERCENT))
        replicate_sim_fault(sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE, .delay_ms = REFUSED_MS});
}
