/* Readers of values that say who may do what: tokens, clients' keys, when a key ends, and who may connect. None of them
 * repeats a value in a message. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ensure.h"
#include "base/network.h"
#include "base/sha256.h"
#include "schema_int.h"
#include "value_int.h"

static const char hash_prefix[] = "sha256:", passthrough[] = "passthrough";

bool secret_is_clean(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at))
            return false;
    return text[0] != '\0';
}

/* Said once for each file: what is wrong is the file, not the line. */
static void warn_exposed(const struct reading *reading)
{
    struct loader *loader = reading->loader;
    const struct node *node = reading->node;
    struct stat status;
    bool is_in_file = !node->filled && node->line > 0;
    if (!is_in_file || (loader->exposed_file != NULL && strcmp(loader->exposed_file, node->file) == 0) ||
        stat(node->file, &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & S_IROTH) == 0)
        return;
    free(loader->exposed_file);
    loader->exposed_file = xstrdup(node->file);
    loader_warn(loader, reading->path,
                "everybody on this machine may read this file, and a secret stands in it; take the right away (chmod "
                "o-r), or refer to a variable: %s",
                loader->dialect == DIALECT_NATIVE ? "${NAME}" : "os.environ/NAME");
}

/* A variable that was filled from a file often ends with the file's line break, which no secret has. */
static char *without_line_break(const struct node *node)
{
    size_t length = strlen(node->text);
    if (node->filled && length > 0 && node->text[length - 1] == '\n')
        length -= length > 1 && node->text[length - 2] == '\r' ? 2 : 1;
    return xstrndup(node->text, length);
}

/* Gives a secret as it is, or NULL after failing. The caller frees. */
static char *take_secret(const struct reading *reading)
{
    if (!require_text(reading, "a secret text"))
        return NULL;
    /* Both dialects are in use side by side, and the other one's reference would be a secret that anybody can guess. */
    if (reading->node->text[0] == '$' || strncmp(reading->node->text, "os.environ/", sizeof "os.environ/" - 1) == 0) {
        loader_fail(reading->loader, reading->path,
                    "this is the name of a variable, not a secret; in this form of the file a variable is written %s",
                    reading->loader->dialect == DIALECT_NATIVE ? "${NAME}" : "os.environ/NAME");
        return NULL;
    }
    char *secret = without_line_break(reading->node);
    if (secret_is_clean(secret))
        return secret;
    free(secret);
    loader_fail(reading->loader, reading->path,
                "the value holds blanks, line breaks or other characters that no token has; remove them (a file read "
                "into a variable often ends with a line break)");
    return NULL;
}

/* The word `passthrough` is kept as it is; what it means is settled when the routes are complete. */
bool read_token(const struct reading *reading)
{
    char *token = take_secret(reading);
    if (token == NULL)
        return false;
    bool is_word = strcmp(token, passthrough) == 0;
    bool ok = !is_word || reading->loader->dialect == DIALECT_NATIVE;
    if (!ok)
        loader_fail(reading->loader, reading->path,
                    "clients bring tokens of their own only in our own form of the file, by replicate.token: "
                    "passthrough");
    if (ok && !is_word)
        warn_exposed(reading);
    if (ok)
        replace_text(reading->field, token);
    free(token);
    return ok;
}

bool token_is_of_client(const char *token)
{
    return token != NULL && strcmp(token, passthrough) == 0;
}

static bool read_hash(const struct reading *reading, const char *digits)
{
    if (reading->loader->dialect == DIALECT_LITELLM)
        return loader_fail(reading->loader, reading->path,
                           "a hash is taken only under keys in our own form of the file; write the key itself, or "
                           "os.environ/NAME");
    size_t length = strlen(digits);
    if (length != SHA256_HEX_BYTES - 1)
        return loader_fail(reading->loader, reading->path,
                           "after sha256: come 64 hexadecimal digits, and here are %zu characters; printf %%s KEY | "
                           "sha256sum tells them",
                           length);
    char digest[SHA256_HEX_BYTES] = "";
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)digits[i]))
            return loader_fail(reading->loader, reading->path,
                               "after sha256: come 64 hexadecimal digits (0 to 9, a to f), and one here is none; "
                               "printf %%s KEY | sha256sum tells them");
        digest[i] = (char)tolower((unsigned char)digits[i]);
    }
    replace_text(reading->field, digest);
    return true;
}

/* A key is kept as its hash alone, whether it was written as it is or as its hash. */
bool read_digest(const struct reading *reading)
{
    char *secret = take_secret(reading);
    if (secret == NULL)
        return false;
    bool ok = true;
    if (strncmp(secret, hash_prefix, sizeof hash_prefix - 1) == 0) {
        ok = read_hash(reading, secret + sizeof hash_prefix - 1);
    } else {
        char digest[SHA256_HEX_BYTES];
        sha256_hex(secret, strlen(secret), digest);
        replace_text(reading->field, digest);
        warn_exposed(reading);
    }
    free(secret);
    return ok;
}

bool read_time(const struct reading *reading)
{
    static const char what[] = "a date such as 2030-12-31, to its end in UTC, or a time such as 2030-12-31T18:00:00Z";
    int64_t time_s;
    if (!require_text(reading, what))
        return false;
    if (!value_time(reading->node->text, &time_s))
        return loader_fail(reading->loader, reading->path, "this must be %s", what);
    *(int64_t *)reading->field = time_s > 0 ? time_s : 1; /* 0 would mean never */
    return true;
}

/* One address is as good as a list of one. An empty list is refused: it could be taken for "nobody", or for "all". */
bool read_networks(const struct reading *reading)
{
    char **texts = NULL;
    size_t count = 0;
    struct reading list = *reading;
    list.field = &texts;
    list.second = &count;
    if (!read_list(&list))
        return false;
    struct network *networks = xcalloc(count, sizeof *networks);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = network_parse(texts[i], &networks[i]) ||
             loader_fail(reading->loader, reading->path,
                         "element %zu is no IP address and no range of them, such as 192.0.2.1, 10.0.0.0/8 or "
                         "2001:db8::/32",
                         i + 1);
    free_texts(texts, count);
    if (!ok) {
        free(networks);
        return false;
    }
    free(*(struct network **)reading->field);
    *(struct network **)reading->field = networks;
    *(size_t *)reading->second = count;
    return true;
}
