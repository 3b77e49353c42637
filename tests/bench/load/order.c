/* Orders, ids and pieces as text; see the header. */
#include "order.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* An id: two letters and hexadecimal fields of fixed width, so that it is found and read without a parser. */
enum { ID_MARK_LENGTH = 2, STARTED_DIGITS = 13, FIELD_DIGITS = 6, NONCE_DIGITS = 6 };

static const char id_mark[] = "bx";
static const char order_mark[] = "[bench ";

_Static_assert(ID_MARK_LENGTH + STARTED_DIGITS + 3 * FIELD_DIGITS + NONCE_DIGITS == ORDER_ID_LENGTH,
               "the fields fill the id");

int64_t order_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool read_digits(const char **at, const char *end, unsigned base, uint64_t *value)
{
    const char *begin = *at;
    for (*value = 0; *at < end; ++*at) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : base;
        if (digit >= base)
            break;
        *value = *value * base + digit;
    }
    return *at > begin;
}

/* ---- orders ---- */

size_t order_write(const struct order *order, char out[ORDER_TEXT_BYTES])
{
    return (size_t)snprintf(out, ORDER_TEXT_BYTES, "%s%u %u %u %u]", order_mark, order->nonce, order->wait_ms,
                            order->pieces, order->pace_us);
}

bool order_find(const char *bytes, size_t length, struct order *order)
{
    uint64_t fields[4];
    const char *end = bytes + length;
    const char *at = memmem(bytes, length, order_mark, sizeof order_mark - 1);
    if (at == NULL)
        return false;
    at += sizeof order_mark - 1;
    for (int i = 0; i < 4; i++) {
        if (!read_digits(&at, end, 10, &fields[i]) || at == end || *at != (i < 3 ? ' ' : ']'))
            return false;
        at++;
    }
    *order = (struct order){.nonce = (uint32_t)fields[0],
                            .wait_ms = (uint32_t)fields[1],
                            .pieces = (uint32_t)fields[2],
                            .pace_us = (uint32_t)fields[3]};
    return true;
}

/* ---- ids ---- */

void order_id_write(const struct order *order, char out[ORDER_ID_LENGTH + 1])
{
    snprintf(out, ORDER_ID_LENGTH + 1, "%s%013llx%06x%06x%06x%06x", id_mark,
             (unsigned long long)order->started_us & 0xfffffffffffff, order->wait_ms & 0xffffff,
             order->pieces & 0xffffff, order->pace_us & 0xffffff, order->nonce & 0xffffff);
}

static bool read_field(const char **at, int digits, uint64_t *value)
{
    const char *end = *at + digits;
    return read_digits(at, end, 16, value) && *at == end;
}

bool order_id_read(const char *bytes, size_t length, struct order *order)
{
    uint64_t started, wait, pieces, pace, nonce;
    const char *at = bytes + ID_MARK_LENGTH;
    if (length < ORDER_ID_LENGTH || memcmp(bytes, id_mark, ID_MARK_LENGTH) != 0)
        return false;
    if (!read_field(&at, STARTED_DIGITS, &started) || !read_field(&at, FIELD_DIGITS, &wait) ||
        !read_field(&at, FIELD_DIGITS, &pieces) || !read_field(&at, FIELD_DIGITS, &pace) ||
        !read_field(&at, NONCE_DIGITS, &nonce))
        return false;
    *order = (struct order){(uint32_t)nonce, (uint32_t)wait, (uint32_t)pieces, (uint32_t)pace, (int64_t)started};
    return true;
}

bool order_id_find(const char *bytes, size_t length, struct order *order)
{
    const char *at = bytes, *end = bytes + length;
    while ((at = memmem(at, (size_t)(end - at), id_mark, ID_MARK_LENGTH)) != NULL) {
        if (order_id_read(at, (size_t)(end - at), order))
            return true;
        at++;
    }
    return false;
}

/* ---- pieces ---- */

size_t piece_write(const struct piece *piece, char out[ORDER_PIECE_BYTES])
{
    return (size_t)snprintf(out, ORDER_PIECE_BYTES, " ~%u.%u.%lld~", piece->nonce, piece->number,
                            (long long)piece->sent_us);
}

bool piece_next(const char **bytes, size_t *length, struct piece *piece)
{
    uint64_t nonce, number, sent;
    const char *end = *bytes + *length;
    const char *at = memchr(*bytes, '~', *length);
    if (at == NULL) {
        *length = 0;
        return false;
    }
    *length = (size_t)(end - at);
    *bytes = at++;
    if (!read_digits(&at, end, 10, &nonce) || at == end || *at++ != '.' || !read_digits(&at, end, 10, &number) ||
        at == end || *at++ != '.' || !read_digits(&at, end, 10, &sent) || at == end || *at++ != '~')
        return false;
    *piece = (struct piece){(uint32_t)nonce, (uint32_t)number, (int64_t)sent};
    *length = (size_t)(end - at);
    *bytes = at;
    return true;
}
