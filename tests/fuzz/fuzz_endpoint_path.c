/* Any bytes as the path of a request: a row with a model id that is text, or an error with a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "openai/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODEL_BYTES = 64 };

static void run(const char *method, const char *path)
{
    char model[MODEL_BYTES];
    const char *allow = NULL;
    struct error err = {0};
    const struct endpoint *endpoint = endpoint_find(method, path, model, sizeof model, &allow, &err);
    if (endpoint == NULL) {
        ensure(err.kind == ERROR_UNKNOWN_PATH || err.kind == ERROR_METHOD_NOT_SUPPORTED ||
               err.kind == ERROR_BAD_REQUEST);
        ensure(err.message[0] != '\0');
        ensure((allow != NULL) == (err.kind == ERROR_METHOD_NOT_SUPPORTED));
        return;
    }
    ensure(err.kind == ERROR_NONE);
    ensure((strstr(endpoint->pattern, "{model}") != NULL) == (model[0] != '\0'));
    ensure(memchr(model, '\0', sizeof model) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = malloc(size + 1);
    ensure(path != NULL);
    for (size_t i = 0; i < size; i++)
        path[i] = (char)data[i];
    path[size] = '\0';
    run("GET", path);
    run("POST", path);
    run("HEAD", path);
    free(path);
    return 0;
}
