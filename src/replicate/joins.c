/* Requests that a retry may find: entries in two hash tables (by body, by Idempotency-Key) and one list, oldest first.
 *
 * The table holds a reference to each entry; an entry leaves it when it may no longer be joined. */
#include "replicate/joins.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/ensure.h"
#include "base/list.h"
#include "joins_int.h"

enum {
    BUCKETS = 16384,   /* a power of two */
    PURGE_AT_ONCE = 8, /* looked at on each entry, so that none pays for all */
};

struct join {
    struct list_link link; /* in the list by age, while it is in the table */
    struct chain_link body_link, key_link;
    struct joins *joins;
    size_t references, interest, followers, holders;
    struct join *next; /* a reference: where it went on; NULL = nowhere */
    bool is_listed;    /* may be joined */
    bool is_ended, is_gone;
    struct error *error;         /* with which it ended; NULL = none */
    int64_t until_ms;            /* without interest it is forgotten then */
    struct join_request request; /* its alias is owned */
    struct join_choice {
        char id[JOIN_ID_BYTES];
        bool is_cancelled;
    } predictions[]; /* one per choice */
};

struct joins {
    pthread_mutex_t mutex;
    unsigned char hash_key[HASH_KEY_BYTES];
    struct list by_age;
    struct chain_link *by_body[BUCKETS], *by_key[BUCKETS]; /* the newest first */
};

struct joins *joins_new(void)
{
    struct joins *joins = xcalloc(1, sizeof *joins);
    ensure(pthread_mutex_init(&joins->mutex, NULL) == 0);
    ensure(getrandom(joins->hash_key, sizeof joins->hash_key, 0) == (ssize_t)sizeof joins->hash_key);
    list_init(&joins->by_age);
    return joins;
}

void joins_hash_init(const struct joins *joins, struct hash *hash)
{
    hash_init(hash, joins->hash_key);
}

static size_t bucket_of(const unsigned char hash[HASH_BYTES])
{
    size_t bucket;
    memcpy(&bucket, hash, sizeof bucket);
    return bucket & (BUCKETS - 1);
}

/* ---- the table; with the mutex held ---- */

/* With the last one goes what it held of its successor. */
static void drop_reference(struct join *join)
{
    while (join != NULL && --join->references == 0) {
        struct join *next = join->next;
        ensure(!join->is_listed && join->interest == 0);
        free((char *)join->request.alias);
        free(join->error);
        free(join);
        join = next;
    }
}

/* Where it is by now, and where its interest is. */
static struct join *newest(struct join *join)
{
    while (join->next != NULL)
        join = join->next;
    return join;
}

static void list_entry_in(struct joins *joins, struct join *join)
{
    chain_add(&joins->by_body[bucket_of(join->request.identity.body)], &join->body_link);
    if (join->request.identity.has_key)
        chain_add(&joins->by_key[bucket_of(join->request.identity.key)], &join->key_link);
    list_append(&joins->by_age, &join->link);
    join->is_listed = true;
    join->references++;
}

static void unlist(struct join *join)
{
    if (!join->is_listed)
        return;
    chain_remove(&join->body_link);
    if (join->request.identity.has_key)
        chain_remove(&join->key_link);
    list_remove(&join->link);
    join->is_listed = false;
    drop_reference(join);
}

static bool is_over(const struct join *join, int64_t now_ms)
{
    return join->interest == 0 && now_ms > join->until_ms;
}

/* The oldest few: those that are over leave, the others go to the end of the list. */
static void purge(struct joins *joins, int64_t now_ms)
{
    for (int i = 0; i < PURGE_AT_ONCE && joins->by_age.length > 0; i++) {
        struct join *join = list_entry(list_first(&joins->by_age), struct join, link);
        if (is_over(join, now_ms)) {
            unlist(join);
            continue;
        }
        list_remove(&join->link);
        list_append(&joins->by_age, &join->link);
    }
}

static struct join *find_by_key(struct joins *joins, const struct join_request *request)
{
    struct chain_link *link = joins->by_key[bucket_of(request->identity.key)];
    for (; link != NULL; link = link->next) {
        struct join *join = list_entry(link, struct join, key_link);
        if (memcmp(join->request.identity.key, request->identity.key, HASH_BYTES) == 0 &&
            !is_over(join, request->now_ms))
            return join;
    }
    return NULL;
}

/* Equal requests that are all first tries stay apart, so there may be several: the one that was left last is the one
 * that is tried again. */
static struct join *find_by_body(struct joins *joins, const struct join_request *request)
{
    struct join *best = NULL;
    struct chain_link *link = joins->by_body[bucket_of(request->identity.body)];
    for (; link != NULL && (best == NULL || best->interest > 0); link = link->next) {
        struct join *join = list_entry(link, struct join, body_link);
        if (memcmp(join->request.identity.body, request->identity.body, HASH_BYTES) != 0 ||
            is_over(join, request->now_ms))
            continue;
        if (best == NULL || join->interest < best->interest)
            best = join;
    }
    return best;
}

static struct join *new_join(struct joins *joins, const struct join_request *request)
{
    if (joins->by_age.length >= JOINS_MAX)
        return NULL;
    struct join *join = xcalloc(1, sizeof *join + request->choices * sizeof join->predictions[0]);
    join->joins = joins;
    join->request = *request;
    join->request.alias = request->alias == NULL ? NULL : xstrdup(request->alias);
    join->until_ms = request->deadline_ms + JOIN_ENDED_MS;
    list_entry_in(joins, join);
    return join;
}

/* In its place in the table, with its interest. */
static struct join *new_successor(struct join *join, const struct join_request *request)
{
    struct join_request made = join->request;
    made.choices = request->choices;
    made.deadline_ms = request->deadline_ms;
    made.alias = request->alias;
    made.deployment = request->deployment;
    unlist(join);
    struct join *successor = new_join(join->joins, &made);
    if (successor == NULL)
        return NULL;
    successor->interest = join->interest;
    join->interest = 0;
    join->next = successor;
    successor->references++;
    return successor;
}

/* ---- the way in and out ---- */

static enum join_result enter(struct joins *joins, const struct join_request *request, struct join **join)
{
    purge(joins, request->now_ms);
    struct join *found = request->identity.has_key ? find_by_key(joins, request) : NULL;
    if (found != NULL && memcmp(found->request.identity.body, request->identity.body, HASH_BYTES) != 0)
        return JOIN_CONFLICT;
    if (found == NULL && request->identity.is_retry)
        found = find_by_body(joins, request);
    *join = found != NULL ? found : new_join(joins, request);
    if (*join != NULL) {
        (*join)->references++;
        (*join)->interest++;
    }
    return found != NULL ? JOIN_SECOND : JOIN_FIRST;
}

enum join_result joins_enter(struct joins *joins, const struct join_request *request, struct join **join)
{
    ensure(request->choices >= 1 && request->choices <= JOIN_CHOICES_MAX);
    *join = NULL;
    pthread_mutex_lock(&joins->mutex);
    enum join_result result = enter(joins, request, join);
    pthread_mutex_unlock(&joins->mutex);
    return result;
}

/* Where there is no room for a successor, the old one stands for no predictions any more, and this one leaves it. */
static enum join_result go_on(struct join **handle, const struct join_request *request)
{
    struct join *old = *handle, *to = newest(old);
    enum join_result result = to == old ? JOIN_FIRST : JOIN_SECOND;
    if (result == JOIN_FIRST)
        to = new_successor(old, request);
    *handle = to;
    if (to != NULL) {
        to->references++;
    } else {
        old->is_gone = true;
        old->interest--;
    }
    drop_reference(old);
    return result;
}

enum join_result joins_go_on(struct join **join, const struct join_request *request)
{
    if (*join == NULL)
        return JOIN_FIRST;
    pthread_mutex_t *mutex = &(*join)->joins->mutex;
    pthread_mutex_lock(mutex);
    enum join_result result = go_on(join, request);
    pthread_mutex_unlock(mutex);
    return result;
}

bool join_has_gone_on(struct join *join)
{
    if (join == NULL)
        return false;
    pthread_mutex_lock(&join->joins->mutex);
    bool has = join->next != NULL;
    pthread_mutex_unlock(&join->joins->mutex);
    return has;
}

const char *join_alias(const struct join *join)
{
    return join->request.alias;
}

int join_deployment(const struct join *join)
{
    return join->request.deployment;
}

size_t join_choices(const struct join *join)
{
    return join->request.choices;
}

/* Of one that went on, the interest did so, too. */
void join_leave(struct join **handle)
{
    struct join *join = *handle;
    *handle = NULL;
    if (join == NULL)
        return;
    pthread_mutex_t *mutex = &join->joins->mutex;
    pthread_mutex_lock(mutex);
    ensure(newest(join)->interest > 0);
    newest(join)->interest--;
    drop_reference(join);
    pthread_mutex_unlock(mutex);
}

struct join *join_ref(struct join *join)
{
    if (join == NULL)
        return NULL;
    pthread_mutex_lock(&join->joins->mutex);
    join->references++;
    pthread_mutex_unlock(&join->joins->mutex);
    return join;
}

void join_unref(struct join *join)
{
    if (join == NULL)
        return;
    pthread_mutex_t *mutex = &join->joins->mutex;
    pthread_mutex_lock(mutex);
    drop_reference(join);
    pthread_mutex_unlock(mutex);
}

void joins_free(struct joins *joins)
{
    if (joins == NULL)
        return;
    while (joins->by_age.length > 0)
        unlist(list_entry(list_first(&joins->by_age), struct join, link));
    pthread_mutex_destroy(&joins->mutex);
    free(joins);
}

/* ---- what becomes of it ---- */

void join_created(struct join *join, size_t index, const char *id)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    ensure(index < join->request.choices);
    snprintf(join->predictions[index].id, sizeof join->predictions[index].id, "%s", id);
    join->predictions[index].is_cancelled = false;
    pthread_mutex_unlock(&join->joins->mutex);
}

/* Of several choices one may fail after another has succeeded: then the request has failed. */
static void end(struct join *join, const struct error *error, int64_t now_ms)
{
    if (!join->is_ended)
        join->until_ms = now_ms + JOIN_ENDED_MS;
    bool is_told = join->error != NULL || (join->is_ended && join->request.choices == 1);
    join->is_ended = true;
    if (error == NULL || is_told)
        return;
    join->error = xcalloc(1, sizeof *join->error);
    *join->error = *error;
    if (error_row(error->kind)->client_may_retry && join->holders == 0)
        unlist(join);
}

void join_ended(struct join *join, const struct error *error, int64_t now_ms)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    end(join, error, now_ms);
    pthread_mutex_unlock(&join->joins->mutex);
}

void join_gone(struct join *join)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    join->is_gone = true;
    /* One that has failed and may go on is to be found until that is decided. */
    if (join->error == NULL || join->holders == 0)
        unlist(join);
    pthread_mutex_unlock(&join->joins->mutex);
}

void join_hold(struct join *join)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    join->holders++;
    pthread_mutex_unlock(&join->joins->mutex);
}

/* What was kept back while somebody held it comes to pass now. */
static void release(struct join *join, bool is_decided)
{
    ensure(join->holders > 0);
    if (--join->holders > 0 || join->error == NULL || join->next != NULL)
        return;
    if (!is_decided) {
        free(join->error);
        join->error = NULL;
        join->is_gone = true;
    }
    if (join->is_gone || error_row(join->error->kind)->client_may_retry)
        unlist(join);
}

void join_release(struct join *join, bool is_decided)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    release(join, is_decided);
    pthread_mutex_unlock(&join->joins->mutex);
}

static void add_followers(struct join *join, size_t more)
{
    if (join == NULL)
        return;
    pthread_mutex_lock(&join->joins->mutex);
    join->followers += more;
    pthread_mutex_unlock(&join->joins->mutex);
}

void join_follow(struct join *join)
{
    add_followers(join, 1);
}

void join_unfollow(struct join *join)
{
    add_followers(join, (size_t)-1);
}

bool join_may_cancel(struct join *join, size_t own)
{
    if (join == NULL)
        return true;
    pthread_mutex_lock(&join->joins->mutex);
    bool may = join->interest <= own;
    if (may && join->error == NULL) /* an error is told to a retry, whatever becomes of the rest */
        unlist(join);
    pthread_mutex_unlock(&join->joins->mutex);
    return may;
}

/* Never changes, so it needs no lock. */
int64_t join_deadline_ms(const struct join *join)
{
    return join == NULL ? INT64_MAX : join->request.deadline_ms;
}

bool join_claim_cancel(struct join *join, size_t index, const char *id)
{
    if (join == NULL)
        return true;
    pthread_mutex_lock(&join->joins->mutex);
    ensure(index < join->request.choices);
    struct join_choice *choice = &join->predictions[index];
    bool is_shared = strcmp(choice->id, id) == 0, is_first = !is_shared || !choice->is_cancelled;
    choice->is_cancelled = choice->is_cancelled || is_shared;
    pthread_mutex_unlock(&join->joins->mutex);
    return is_first;
}

/* What has ended needs nobody any more; of several choices it is not known that all have. */
static bool may_let_go(const struct join *join)
{
    bool has_succeeded = join->is_ended && join->error == NULL && join->request.choices == 1;
    return join->followers > 0 || has_succeeded;
}

bool join_may_let_go(struct join *join)
{
    if (join == NULL)
        return false;
    pthread_mutex_lock(&join->joins->mutex);
    bool may = may_let_go(join);
    pthread_mutex_unlock(&join->joins->mutex);
    return may;
}

static enum join_state look(const struct join *join, char (*ids)[JOIN_ID_BYTES], struct error *error)
{
    if (join->next != NULL)
        return JOIN_GONE_ON;
    if (join->error != NULL && join->holders > 0)
        return JOIN_WAITING;
    if (join->error != NULL) {
        *error = *join->error;
        /* An error after which a client may retry is no answer to its retry. */
        return error_row(error->kind)->client_may_retry ? JOIN_GONE : JOIN_FAILED;
    }
    if (join->is_gone)
        return JOIN_GONE;
    for (size_t i = 0; i < join->request.choices; i++) {
        if (join->predictions[i].id[0] == '\0')
            return JOIN_WAITING;
        memcpy(ids[i], join->predictions[i].id, JOIN_ID_BYTES);
    }
    return JOIN_RUNNING;
}

enum join_state join_look(struct join *join, char (*ids)[JOIN_ID_BYTES], struct error *error)
{
    pthread_mutex_lock(&join->joins->mutex);
    enum join_state state = look(join, ids, error);
    pthread_mutex_unlock(&join->joins->mutex);
    return state;
}
