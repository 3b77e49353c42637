/* Errors as values, and the one place where text from outside becomes fit to be shown: cut, cleaned, and
 * with whatever looks like a secret masked. */
#include "base/error.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"
#include "base/utf8.h"

enum { NAME_BYTES = 32, SHORTEST_SECRET_BYTES = 4 };

#define X(row, status, type, code, retry, incident) [ERROR_##row] = {#row, status, type, code, retry, incident},
static struct error_row rows[ERROR_KIND_COUNT] = {ERROR_KINDS(X)};
#undef X

static pthread_once_t rows_once = PTHREAD_ONCE_INIT;

/* The preprocessor cannot write a name in lower case, so the first reader does. */
static void lower_names(void)
{
    static char names[ERROR_KIND_COUNT][NAME_BYTES];
    for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_COUNT; kind++) {
        ensure(strlen(rows[kind].name) < NAME_BYTES);
        for (size_t i = 0; rows[kind].name[i]; i++)
            names[kind][i] = (char)tolower((unsigned char)rows[kind].name[i]);
        rows[kind].name = names[kind];
    }
}

const struct error_row *error_row(enum error_kind kind)
{
    ensure(kind > ERROR_NONE && kind < ERROR_KIND_COUNT);
    pthread_once(&rows_once, lower_names);
    return &rows[kind];
}

/* Copies what of `text` fits whole characters into `size` bytes. */
static void copy_cut(char *out, size_t size, const char *text)
{
    size_t length = utf8_cut(text, strlen(text), size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

bool error_set(struct error *err, enum error_kind kind, const char *param, const char *format, ...)
{
    if (!err)
        return false;
    /* Formatted aside, because the arguments may be this very error's old texts. Four bytes more than the
     * message, so that the cut sees whole the character that it must not split. */
    char message[ERROR_MESSAGE_BYTES + 4];
    char name[ERROR_PARAM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ensure(length >= 0);
    copy_cut(name, sizeof name, param ? param : "");

    *err = (struct error){.kind = kind};
    copy_cut(err->message, sizeof err->message, message);
    copy_cut(err->param, sizeof err->param, name);
    return false;
}

struct quoting {
    const char *text;
    size_t length;
    const char *secret;
    size_t secret_length; /* 0 = none, or too short to be masked without tearing up ordinary text */
};

static bool is_token_character(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_-.+/=~", c));
}

static size_t token_length(const struct quoting *quoting, size_t at)
{
    size_t end = at;
    while (end < quoting->length && is_token_character(quoting->text[end]))
        end++;
    return end - at;
}

/* Does a word begin here? Also after the letter of an escape, since text from outside is often JSON or a URL:
 * `\nr8_…` and `%20r8_…` must not hide a token, while "risk-free" holds none. */
static bool begins_word(const struct quoting *quoting, size_t at)
{
    const char *text = quoting->text;
    if (at == 0 || !isalnum((unsigned char)text[at - 1]))
        return true;
    return (at >= 2 && text[at - 2] == '\\') || (at >= 3 && text[at - 3] == '%');
}

static bool begins_with(const struct quoting *quoting, size_t at, const char *prefix)
{
    size_t length = strlen(prefix);
    return quoting->length - at >= length && memcmp(quoting->text + at, prefix, length) == 0;
}

/* After `Bearer` and blanks everything up to the next blank, quote, comma or bracket is the token, whatever
 * characters somebody chose for it. */
static size_t bearer_token_length(const struct quoting *quoting, size_t at)
{
    static const char keyword[] = "bearer";
    const size_t keyword_length = sizeof keyword - 1;
    size_t before = at;
    while (before > 0 && (quoting->text[before - 1] == ' ' || quoting->text[before - 1] == '\t'))
        before--;
    if (before == at || before < keyword_length ||
        strncasecmp(quoting->text + before - keyword_length, keyword, keyword_length) != 0)
        return 0;
    size_t end = at;
    while (end < quoting->length && (unsigned char)quoting->text[end] > ' ' &&
           !strchr("\"'`,;<>()[]{}\\", quoting->text[end]))
        end++;
    return end - at;
}

/* The known secret; also its beginning where the text ends in the midst of it, as cut texts do. */
static size_t known_secret_length(const struct quoting *quoting, size_t at)
{
    size_t left = quoting->length - at;
    size_t length = left < quoting->secret_length ? left : quoting->secret_length;
    if (length < SHORTEST_SECRET_BYTES || memcmp(quoting->text + at, quoting->secret, length) != 0)
        return 0;
    return length;
}

/* How many bytes at `at` are a secret; 0 when none begins there. */
static size_t secret_span(const struct quoting *quoting, size_t at)
{
    size_t longest = known_secret_length(quoting, at);
    size_t bearer = bearer_token_length(quoting, at);
    if (bearer > longest)
        longest = bearer;
    if ((begins_with(quoting, at, "r8_") || begins_with(quoting, at, "sk-")) && begins_word(quoting, at)) {
        size_t token = token_length(quoting, at);
        if (token > longest)
            longest = token;
    }
    return longest;
}

/* One character as it may be shown; `*used` gets its bytes in the text. */
static size_t shown(const char *text, size_t length, const char **piece, size_t *used)
{
    size_t sequence = utf8_sequence(text, length);
    *used = sequence ? sequence : 1;
    unsigned char first = (unsigned char)text[0];
    bool is_c1 = sequence == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
    if (sequence == 0)
        *piece = "?";
    else if (first < 0x20 || first == 0x7F || is_c1)
        *piece = " ";
    else {
        *piece = text;
        return sequence;
    }
    return 1;
}

void error_quote(char *out, size_t size, const char *text, size_t length, const char *secret)
{
    if (size == 0)
        return;
    struct quoting quoting = {text, length, secret, secret ? strlen(secret) : 0};
    if (quoting.secret_length < SHORTEST_SECRET_BYTES)
        quoting.secret_length = 0;
    size_t written = 0;
    for (size_t at = 0; at < length;) {
        const char *piece = "***";
        size_t used = secret_span(&quoting, at);
        size_t piece_length = used ? strlen(piece) : shown(text + at, length - at, &piece, &used);
        if (piece_length > size - 1 - written)
            break;
        memcpy(out + written, piece, piece_length);
        written += piece_length;
        at += used;
    }
    out[written] = '\0';
}
