/* Takes the place of replicate/uploads.c: nothing is sent, and the end of uploads is a call of the test's. */
#include <stdlib.h>

#include "base/ensure.h"
#include "fake_schemas.h"

struct uploads {
    json_t *values;
    uploads_done_fn on_done;
    void *arg;
    size_t references;
};

static struct uploads *last;
static size_t references;

struct uploads *fake_uploads_last(void)
{
    return last;
}

size_t fake_uploads_references(void)
{
    return references;
}

const json_t *fake_uploads_values(const struct uploads *uploads)
{
    return uploads->values;
}

void fake_uploads_end(struct uploads *uploads, const struct error *error)
{
    size_t index;
    json_t *value;
    json_array_foreach(uploads->values, index, value)
    {
        ensure(error != NULL || json_string_set(value, "https://files.test/1") == 0);
    }
    uploads->on_done(uploads->arg, error);
}

struct uploads *uploads_start(struct uploader *uploader, const struct uploads_request *request, uploads_done_fn on_done,
                              void *arg)
{
    (void)uploader;
    struct uploads *uploads = xcalloc(1, sizeof *uploads);
    *uploads = (struct uploads){.values = json_incref(request->values), .on_done = on_done, .arg = arg};
    last = uploads;
    return uploads_ref(uploads);
}

struct uploads *uploads_ref(struct uploads *uploads)
{
    uploads->references++;
    references++;
    return uploads;
}

void uploads_unref(struct uploads *uploads)
{
    if (uploads == NULL)
        return;
    references--;
    if (--uploads->references > 0)
        return;
    if (last == uploads)
        last = NULL;
    json_decref(uploads->values);
    free(uploads);
}
