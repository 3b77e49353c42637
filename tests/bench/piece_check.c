/* Checks byte for byte that the text of a stream is what was asked for; see the header. */
#include "piece_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { PIECE_MAX_BYTES = 256, NUMBER_DIGITS = 6 };

static const char piece_end = ';';

void piece_check_prompt(struct buf *out, const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s.%0*zu%c", i > 0 ? " " : "", name, NUMBER_DIGITS, i, piece_end);
}

void piece_check_init(struct piece_check *check, const char *name, size_t count, piece_check_fn *on_piece, void *arg)
{
    *check = (struct piece_check){.count = count, .on_piece = on_piece, .arg = arg};
    ensure((size_t)snprintf(check->name, sizeof check->name, "%s", name) < sizeof check->name);
    buf_init(&check->piece, PIECE_MAX_BYTES);
}

void piece_check_dispose(struct piece_check *check)
{
    buf_dispose(&check->piece);
}

/* `1234567:` and then exactly the word as it stands in the prompt, the space before it included. */
static bool parse_piece(const struct piece_check *check, const char *piece, int64_t *made_us, size_t *number)
{
    char *end, word[PIECE_MAX_BYTES];
    *made_us = strtoll(piece, &end, 10);
    if (end == piece || *end != ':')
        return false;
    const char *text = end + 1, *digits = strrchr(text, '.');
    *number = digits == NULL ? 0 : strtoul(digits + 1, NULL, 10);
    snprintf(word, sizeof word, "%s%s.%0*zu%c", *number > 0 ? " " : "", check->name, NUMBER_DIGITS, *number, piece_end);
    return strcmp(text, word) == 0 && *number < check->count;
}

/* A piece that comes too early leaves a gap: what is missing counts as lost, and as doubled if it comes after all. */
static void check_piece(struct piece_check *check)
{
    int64_t made_us;
    size_t number;
    if (!parse_piece(check, buf_text(&check->piece), &made_us, &number)) {
        check->garbled++;
    } else if (number < check->next) {
        check->doubled++;
    } else {
        check->lost += number - check->next;
        check->next = number + 1;
        check->good++;
        check->on_piece(check->arg, made_us);
    }
}

void piece_check_text(struct piece_check *check, const char *text)
{
    while (*text != '\0') {
        const char *end = strchr(text, piece_end);
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text) + 1;
        /* What does not fit is cut short, and so it is garbled. */
        buf_append(&check->piece, text, length);
        if (end != NULL) {
            check_piece(check);
            buf_clear(&check->piece);
        }
        text += length;
    }
}

void piece_check_end(struct piece_check *check)
{
    check->garbled += check->piece.length > 0;
    check->lost += check->count - check->next;
    check->next = check->count;
}
