/* Many requests of the same shape at once, on one thread: every answer must hold its own request's nonce. */
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "http_client_int.h"

enum { EVENTS_A_TURN = 256, MAX_BODY_BYTES = 1 << 20, SPARE_DESCRIPTORS = 64 };

static const char nonce_mark[] = "@NONCE@";

/* One of the connections; it carries one request at a time. */
struct lane {
    struct http_connection *connection;
    struct http_response response;
    char nonce[32];
    int64_t sent_at_ms;
    bool busy;
};

struct run {
    const struct http_load *load;
    struct http_load_result *result;
    struct lane *lanes;
    size_t lane_count, sent, busy;
    int64_t *latencies_ms;
    int epoll;
};

static bool raise_descriptor_limit(size_t needed)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return true;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed;
}

static void fill_body(struct buf *out, const char *template, const char *nonce)
{
    for (const char *mark; (mark = strstr(template, nonce_mark)) != NULL; template = mark + strlen(nonce_mark)) {
        buf_append(out, template, (size_t)(mark - template));
        buf_append_text(out, nonce);
    }
    buf_append_text(out, template);
}

static bool open_lane(struct run *run, struct lane *lane)
{
    if (lane->connection != NULL)
        return true;
    lane->connection = http_connect(run->load->port);
    if (lane->connection == NULL)
        return false;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = lane};
    ensure(epoll_ctl(run->epoll, EPOLL_CTL_ADD, http_descriptor(lane->connection), &event) == 0);
    return true;
}

/* Puts the next request on the lane, if one is left. A request that cannot be sent counts as broken. */
static void send_next(struct run *run, struct lane *lane)
{
    if (run->sent == run->load->count)
        return;
    snprintf(lane->nonce, sizeof lane->nonce, "nonce-%06zu-end", run->sent++);
    lane->sent_at_ms = http_now_ms();
    struct buf body;
    buf_init(&body, MAX_BODY_BYTES);
    fill_body(&body, run->load->body, lane->nonce);
    struct http_request request = {.path = run->load->path, .headers = run->load->headers, .body = buf_text(&body)};
    lane->busy = open_lane(run, lane) && http_send_request(lane->connection, &request);
    buf_dispose(&body);
    if (lane->busy)
        run->busy++;
    else
        run->result->broken++;
}

static void note_answer(struct run *run, struct lane *lane)
{
    struct http_load_result *result = run->result;
    const struct http_response *response = &lane->response;
    run->latencies_ms[result->answered++] = http_now_ms() - lane->sent_at_ms;
    bool own = strstr(response->body, lane->nonce) != NULL;
    bool was_good = result->other_status == 0 && result->wrong_nonce == 0;
    if (response->status == 200 && own)
        result->ok++;
    else if (response->status == 200)
        result->wrong_nonce++;
    else if (result->other_status++ == 0)
        result->first_other_status = response->status;
    if (was_good && !(response->status == 200 && own))
        snprintf(result->example, sizeof result->example, "%s", response->body);
}

static enum http_progress read_on(struct lane *lane)
{
    enum http_progress progress = HTTP_MORE;
    if (lane->response.head == NULL)
        progress = http_read_head(lane->connection, &lane->response, 0);
    while (progress == HTTP_MORE)
        progress = http_read_piece(lane->connection, &lane->response, 0);
    return progress;
}

static void turn_lane(struct run *run, struct lane *lane)
{
    enum http_progress progress = lane->busy ? read_on(lane) : HTTP_CLOSED;
    if (progress == HTTP_LATE)
        return;
    bool was_busy = lane->busy;
    lane->busy = false;
    if (was_busy)
        run->busy--;
    if (progress == HTTP_END)
        note_answer(run, lane);
    else if (was_busy)
        run->result->broken++;
    http_response_dispose(&lane->response);
    if (progress != HTTP_END || !run->load->keep_alive)
        http_close(&lane->connection);
    if (was_busy)
        send_next(run, lane);
}

static void await_answers(struct run *run)
{
    int64_t deadline_ms = http_now_ms() + run->load->timeout_ms;
    struct epoll_event events[EVENTS_A_TURN];
    while (run->busy > 0) {
        int64_t left_ms = deadline_ms - http_now_ms();
        int count = left_ms > 0 ? epoll_wait(run->epoll, events, EVENTS_A_TURN, (int)left_ms) : 0;
        if (count <= 0)
            break;
        for (int i = 0; i < count; i++)
            turn_lane(run, events[i].data.ptr);
    }
    run->result->late = run->busy;
}

static int compare_ms(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void sum_up(struct run *run)
{
    struct http_load_result *result = run->result;
    size_t count = result->answered;
    if (count == 0)
        return;
    qsort(run->latencies_ms, count, sizeof *run->latencies_ms, compare_ms);
    result->median_ms = run->latencies_ms[count / 2];
    result->p99_ms = run->latencies_ms[count * 99 / 100];
    result->max_ms = run->latencies_ms[count - 1];
}

static void close_lanes(struct run *run)
{
    for (size_t i = 0; i < run->lane_count; i++) {
        http_close(&run->lanes[i].connection);
        http_response_dispose(&run->lanes[i].response);
    }
    close(run->epoll);
    free(run->lanes);
    free(run->latencies_ms);
}

bool http_load_run(const struct http_load *load, struct http_load_result *result)
{
    memset(result, 0, sizeof *result);
    struct run run = {.load = load, .result = result};
    run.lane_count = load->in_flight == 0 || load->in_flight > load->count ? load->count : load->in_flight;
    if (!raise_descriptor_limit(run.lane_count + SPARE_DESCRIPTORS))
        return false;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.epoll < 0)
        return false;
    run.lanes = xcalloc(run.lane_count, sizeof *run.lanes);
    run.latencies_ms = xcalloc(load->count, sizeof *run.latencies_ms);
    for (size_t i = 0; i < run.lane_count; i++)
        send_next(&run, &run.lanes[i]);
    if (load->all_sent != NULL)
        load->all_sent(load->arg);
    await_answers(&run);
    sum_up(&run);
    close_lanes(&run);
    return true;
}
