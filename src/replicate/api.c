/* What Replicate's answers have in common, and its documents of models and deployments: read with no more trust than
 * they need. */
#include "replicate/api.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "api_int.h"

bool api_copy_token(char *out, size_t size, const char *text)
{
    size_t length = 0;
    if (text == NULL)
        return false;
    while (isalnum((unsigned char)text[length]) || text[length] == '-' || text[length] == '_') /* in the locale "C" */
        length++;
    if (length == 0 || length >= size || text[length] != '\0')
        return false;
    memcpy(out, text, length + 1);
    return true;
}

void api_quote_value(char *out, size_t size, const json_t *value, const char *secret)
{
    out[0] = '\0';
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value)) {
        error_quote(out, size, json_string_value(value), json_string_length(value), secret);
        return;
    }
    /* Replicate types `error` and `detail` loosely, so objects and lists occur. */
    /* More than this is of no use in a sentence; what does not fit is named by its type. */
    struct buf dump;
    buf_init(&dump, 64 * 1024);
    if (!json_append(&dump, value)) {
        buf_clear(&dump);
        buf_append_text(&dump, json_type_name(value));
    }
    error_quote(out, size, buf_text(&dump), dump.length, secret);
    buf_dispose(&dump);
}

/* A private or unfinished model has a null here. The id is sent back as "version", so it is held to the same letters.
 */
bool api_latest_version(const char *bytes, size_t length, const char *name, char version[80], struct error *err)
{
    json_t *root = json_parse_lenient(bytes, length);
    if (root == NULL)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate sent an answer that is not JSON where the model %s was expected.", name);
    const json_t *latest = json_object_get(root, "latest_version");
    bool ok = api_copy_token(version, 80, json_text(latest, "id"));
    json_decref(root);
    if (!ok)
        return error_set(
            err, ERROR_MODEL_NOT_FOUND, NULL,
            "The model %s has no version on Replicate that could be run. Name another model, or a version.", name);
    return true;
}

/* Both go into a URL, so they are held to what a reference in the configuration is. A version of another form, such as
 * the word that stands in for an official model's, is left out: then the model's own document is the nearest. */
static bool parse_release(const json_t *release, struct target *target)
{
    const char *model = json_text(release, "model");
    const char *version = json_text(release, "version");
    if (model == NULL || strlen(model) > API_NAME_BYTES)
        return false;
    bool is_whole = false;
    if (version != NULL && strlen(version) < API_NAME_BYTES) {
        char *reference = xasprintf("%s:%s", model, version);
        is_whole = target_parse(reference, target, NULL);
        free(reference);
    }
    if (!is_whole && !target_parse(model, target, NULL))
        return false;
    if (target->kind == TARGET_MODEL || (target->kind == TARGET_VERSION && target->name != NULL))
        return true;
    target_dispose(target);
    return false;
}

bool api_deployment_release(const char *bytes, size_t length, const char *name, struct target *release,
                            struct error *err)
{
    json_t *root = json_parse_lenient(bytes, length);
    bool ok = parse_release(json_object_get(root, "current_release"), release);
    json_decref(root);
    if (!ok)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate does not tell which model the deployment %s runs. Check that it has a release.",
                         name);
    return true;
}
