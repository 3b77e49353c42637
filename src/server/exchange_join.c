/* A client that tries again finds the predictions of its first try: OpenAI's SDKs do so on a timeout or a broken
 * connection, with the same body and a count of their tries. The story is in replicate/joins.h. */
#include "exchange_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

enum {
    LOOK_AGAIN_MS = 20,     /* while the first try waits for Replicate's answer to its create */
    SHARED_GRACE_MS = 1000, /* until then this one has left, and so have others that leave with it */
};

static const char *idempotency_key(const struct exchange *exchange)
{
    const char *key = http_header(exchange->request, "Idempotency-Key");
    return key != NULL && key[0] != '\0' ? key : NULL;
}

static const char *retry_count(const struct exchange *exchange)
{
    return http_header(exchange->request, "x-stainless-retry-count");
}

bool exchange_may_retry(const struct exchange *exchange)
{
    return retry_count(exchange) != NULL || idempotency_key(exchange) != NULL;
}

static void hash_client(const struct exchange *exchange, struct hash *hash)
{
    joins_hash_init(exchange->worker->shared->joins, hash);
    exchange_hash_client(exchange, hash);
}

void exchange_join_prepare(struct exchange *exchange)
{
    struct hash hash;
    if (!exchange_may_retry(exchange))
        return;
    hash_client(exchange, &hash);
    hash_add_text(&hash, exchange->endpoint->name);
    hash_add_text(&hash, exchange->model_id);
    hash_add(&hash, buf_text(&exchange->request->body), exchange->request->body.length);
    hash_end(&hash, exchange->join_identity.body);
    exchange->join_identity.has_key = idempotency_key(exchange) != NULL;
    hash_client(exchange, &hash);
    hash_add_text(&hash, idempotency_key(exchange));
    hash_end(&hash, exchange->join_identity.key);
    const char *count = retry_count(exchange);
    exchange->join_identity.is_retry = count != NULL && strtol(count, NULL, 10) >= 1;
}

static void look(struct exchange *exchange);

/* What it held is let go of only afterwards: until then those who wait do not know how it ends. */
static enum join_result go_on(struct exchange *exchange, const struct join_request *request)
{
    struct join *left = join_ref(exchange->join);
    enum join_result result = joins_go_on(&exchange->join, request);
    if (exchange->holds_join)
        join_release(left, true);
    exchange->holds_join = false;
    join_unref(left);
    return result;
}

static enum join_result enter(struct exchange *exchange)
{
    const struct join_request request = {.identity = exchange->join_identity,
                                         .choices = (size_t)exchange->call.n,
                                         .now_ms = clock_now_ms(),
                                         .deadline_ms = exchange_deadline_ms(exchange),
                                         .alias = exchange->routes.alias,
                                         .deployment = exchange->route->deployment};
    return exchange->join != NULL ? go_on(exchange, &request)
                                  : joins_enter(exchange->worker->shared->joins, &request, &exchange->join);
}

bool exchange_join(struct exchange *exchange, struct error *err)
{
    if (!exchange_may_retry(exchange))
        return true;
    enum join_result result = enter(exchange);
    if (result == JOIN_CONFLICT)
        return error_set(err, ERROR_IDEMPOTENCY_KEY_REUSED, NULL,
                         "This Idempotency-Key was used with another request body less than a minute after its end, or "
                         "its prediction still runs. Send a new key with a new request.");
    exchange->is_second = result == JOIN_SECOND;
    return true;
}

static void on_look_due(void *arg)
{
    look(arg);
}

void exchange_join_init(struct exchange *exchange)
{
    loop_timer_init(&exchange->join_timer, on_look_due, exchange);
}

/* What was joined never came to be: the retry begins anew, and may find yet another try. */
static void begin_anew(struct exchange *exchange)
{
    join_leave(&exchange->join);
    exchange_go_on(exchange);
}

/* The first try has a time of its own, and may be given more of it than is left of this one's. */
static void look_again(struct exchange *exchange)
{
    int64_t now_ms = clock_now_ms();
    struct error error = {0};
    if (now_ms < exchange_deadline_ms(exchange)) {
        loop_timer_set(exchange->worker->loop, &exchange->join_timer, now_ms + LOOK_AGAIN_MS);
        return;
    }
    char *hint = exchange_timeout_hint(exchange);
    error_set(&error, ERROR_TIMEOUT, NULL,
              "The model did not answer in time: Replicate had not yet accepted the prediction of an earlier try of "
              "this request. %s",
              hint);
    free(hint);
    exchange_fail(exchange, &error);
}

/* The first try was mapped by the configuration and by what was known of the model at that time. Where that made
 * another number of choices of the same body, those that run are the ones there are. */
static void follow(struct exchange *exchange, char (*ids)[JOIN_ID_BYTES])
{
    metrics_add(exchange->worker->metrics, METRIC_retries_joined_total, 1);
    exchange->call.n = (int)join_choices(exchange->join);
    exchange_follow(exchange, ids);
}

static void look(struct exchange *exchange)
{
    char ids[CALL_MAX_CHOICES][JOIN_ID_BYTES];
    struct error error = {0};
    switch (join_look(exchange->join, ids, &error)) {
    case JOIN_WAITING:
        look_again(exchange);
        break;
    case JOIN_RUNNING:
        follow(exchange, ids);
        break;
    case JOIN_FAILED:
        metrics_add(exchange->worker->metrics, METRIC_retries_joined_total, 1);
        exchange_fail(exchange, &error);
        break;
    case JOIN_GONE:
        begin_anew(exchange);
        break;
    case JOIN_GONE_ON:
        exchange_go_on(exchange);
        break;
    }
}

void exchange_join_follow(struct exchange *exchange)
{
    ensure(exchange->is_second);
    look(exchange);
}

/* Where another one wants it, too, that is looked at again when this one has left: two that leave at once on two
 * threads would else each leave it to the other. */
int64_t exchange_join_grace_ms(struct exchange *exchange, int64_t grace_ms)
{
    return grace_ms != 0 || join_may_cancel(exchange->join, 1) ? grace_ms : SHARED_GRACE_MS;
}

void exchange_join_leave(struct exchange *exchange)
{
    bool has_run = exchange->choices > 0;
    loop_timer_clear(exchange->worker->loop, &exchange->join_timer);
    if (has_run)
        join_unfollow(exchange->join);
    else if (!exchange->is_second && !exchange->holds_join)
        join_gone(exchange->join);
    if (exchange->holds_join)
        join_release(exchange->join, !exchange->client_is_gone);
    exchange->holds_join = false;
    join_leave(&exchange->join);
}
