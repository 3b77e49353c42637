/* HTTP exchanges with Replicate: who may begin and who waits, and the life of each from its start to its `done`.
 *
 * No user's callback ever runs while curl is on the stack: bytes and completions are noted, and told after curl has
 * returned, so a callback may start and cancel transfers, which calls curl again. */
#include "replicate/transfer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "transfer_int.h"

enum { DEFAULT_MAX_ACTIVE = 256, MAX_STREAMS = 10000, MAX_UPLOADS = 4 };

/* The bundle is named to curl wherever it can be found: with its own defaults curl reads the bundle anew for every
 * connection. NULL where no usual place has it: then curl's default must do. */
static const char *system_ca_file(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/cert.pem",                  /* Alpine without its bundle package */
        "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

static void lane_init(struct transfer_lane *lane, size_t max_active)
{
    list_init(&lane->queued);
    list_init(&lane->active);
    lane->max_active = max_active;
}

struct transfers *transfers_new(struct loop *loop, const struct transfers_options *options)
{
    struct transfers *transfers = xcalloc(1, sizeof(*transfers));
    transfers->loop = loop;
    transfers->metrics = options->metrics;
    struct transfers_options chosen = *options;
    if (chosen.max_active == 0)
        chosen.max_active = DEFAULT_MAX_ACTIVE;
    if (!chosen.ca_file)
        chosen.ca_file = system_ca_file();
    for (int kind = 0; kind < TRANSFER_KIND_COUNT; kind++)
        lane_init(&transfers->kinds[kind], chosen.max_active);
    /* More of them would only share one line, each the slower for it, while all their bodies are in memory. */
    if (chosen.max_active > MAX_UPLOADS)
        transfers->kinds[TRANSFER_UPLOAD].max_active = MAX_UPLOADS;
    lane_init(&transfers->streams, MAX_STREAMS);
    list_init(&transfers->ready);
    transfers->curl = transfer_curl_new(transfers, &chosen);
    return transfers;
}

void transfers_free(struct transfers *transfers)
{
    if (!transfers)
        return;
    ensure(transfers_count(transfers) == 0);
    transfer_curl_free(transfers->curl);
    free(transfers);
}

size_t transfers_count(const struct transfers *transfers)
{
    size_t count = transfers->streams.queued.length + transfers->streams.active.length;
    for (int kind = 0; kind < TRANSFER_KIND_COUNT; kind++)
        count += transfers->kinds[kind].queued.length + transfers->kinds[kind].active.length;
    return count;
}

void transfers_turn(struct transfers *transfers)
{
    transfer_curl_begin(transfers->curl);
}

static void give_queued_to_curl(struct transfer_lane *lane)
{
    while (lane->active.length < lane->max_active && !list_is_empty(&lane->queued)) {
        struct transfer *transfer = list_entry(list_shift(&lane->queued), struct transfer, link);
        list_append(&lane->active, &transfer->link);
        transfer->given_ms = clock_now_ms();
        transfer_curl_give(transfer->transfers->curl, transfer);
        transfer_stream_begin(transfer);
    }
}

static void transfer_free(struct transfer *transfer)
{
    transfer_stream_dispose(transfer);
    buf_dispose(&transfer->answer);
    transfer_wire_dispose(&transfer->wire);
    free(transfer);
}

struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
                                transfer_done_fn on_done, void *arg)
{
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    transfer->transfers = transfers;
    transfer->call = request->call;
    transfer->on_done = on_done;
    transfer->arg = arg;
    transfer_wire_init(&transfer->wire, request);
    transfer_headers_init(&transfer->headers, transfer->wire.accept);
    buf_init(&transfer->answer, request->max_answer_bytes);
    transfer_stream_init(transfer, request);
    transfer->lane = transfer->stream.on_data ? &transfers->streams : &transfers->kinds[request->kind];
    list_append(&transfer->lane->queued, &transfer->link);
    give_queued_to_curl(transfer->lane);
    return transfer;
}

bool transfer_is_queued(const struct transfer *transfer)
{
    return transfer->link.list == &transfer->lane->queued;
}

void transfer_time(struct transfer *transfer)
{
    if (transfer->given_ms >= 0)
        metrics_observe(transfer->transfers->metrics, METRIC_upstream_duration_seconds, transfer->call,
                        clock_now_ms() - transfer->given_ms);
    transfer->given_ms = -1;
}

void transfer_finish(struct transfer *transfer)
{
    const struct transfer_end *end = &transfer->end;
    bool answered = end->result == TRANSFER_ANSWERED;
    struct transfer_answer answer = {
        .result = end->result,
        .status = end->status,
        .body = answered ? buf_text(&transfer->answer) : "",
        .body_length = answered ? transfer->answer.length : 0,
        .retry_after_ms = transfer->headers.retry_after_ms,
        .ratelimit_remaining = transfer->headers.ratelimit_remaining,
        .ratelimit_reset_ms = transfer->headers.ratelimit_reset_ms,
        .detail = end->detail,
    };
    if (answered)
        transfer_time(transfer);
    list_remove(&transfer->link);
    /* Those who wait go before those whom `done` starts. */
    give_queued_to_curl(transfer->lane);
    transfer->on_done(transfer->arg, &answer);
    transfer_free(transfer);
}

void transfer_ended(struct transfer *transfer, const struct transfer_end *end)
{
    transfer->end = *end;
    transfer->has_ended = true;
    if (transfer->stream.pending.length == 0)
        transfer_finish(transfer);
}

void transfer_cancel(struct transfer **transfer_pointer)
{
    struct transfer *transfer = *transfer_pointer;
    *transfer_pointer = NULL;
    /* In no list: its own `done` is running, which frees it. */
    if (!transfer || !transfer->link.list)
        return;
    struct transfers *transfers = transfer->transfers;
    struct transfer_lane *lane = transfer->lane;
    if (transfers->delivering == transfer)
        transfers->delivering = NULL;
    if (transfer->handle)
        transfer_curl_take(transfer);
    list_remove(&transfer->link);
    transfer_free(transfer);
    give_queued_to_curl(lane);
}
