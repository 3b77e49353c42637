/* The files API of the simulated Replicate: uploads by a form, documents, the bytes again, deletions.
 *
 * A document lacks the checksums that Replicate's has. Deleted files are kept, so that tests can look at them. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/utf8.h"

enum { DEFAULT_LIMIT_BYTES = 100 * 1024 * 1024, ID_LENGTH = 48, FILE_NAME_MAX_BYTES = 255 };

static const int64_t LIFE_MS = 24 * 60 * 60 * 1000;

/* As long and of the same letters as Replicate's; the number at the end makes it the only one. */
static void make_id(size_t index, char id[64])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    uint64_t noise = (index + 1) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < ID_LENGTH - 8; i++) {
        noise = (noise ^ (noise >> 27)) * 0x94d049bb133111ebu + i;
        id[i] = letters[(noise >> 40) % 64];
    }
    snprintf(id + ID_LENGTH - 8, 64 - (ID_LENGTH - 8), "%08zu", index % 100000000);
}

struct sim_file *sim_file_find(struct replicate_sim *sim, const char *id)
{
    for (size_t i = 0; i < sim->counters.files_uploaded; i++)
        if (sim->files[i]->deleted_ms < 0 && strcmp(sim->files[i]->id, id) == 0)
            return sim->files[i];
    return NULL;
}

static void free_file(struct sim_file *file)
{
    free(file->bytes);
    json_decref(file->metadata);
    free(file);
}

void sim_files_free(struct replicate_sim *sim)
{
    for (size_t i = 0; i < sim->counters.files_uploaded; i++)
        free_file(sim->files[i]);
    free(sim->files);
}

static json_t *file_object(const struct replicate_sim *sim, const struct sim_file *file)
{
    char created[40], expires[40];
    sim_timestamp(sim, file->uploaded_ms, 3, created);
    sim_timestamp(sim, file->uploaded_ms + LIFE_MS, 3, expires);
    json_t *object = json_pack("{s:s,s:s,s:s,s:I,s:O,s:s,s:s}", "id", file->id, "name", file->name, "content_type",
                               file->media_type, "size", (json_int_t)file->length, "metadata", file->metadata,
                               "created_at", created, "expires_at", expires);
    ensure(object);
    json_object_set_new(object, "urls",
                        json_pack("{s:o}", "get", json_sprintf("%s/files/%s", sim->base_url, file->id)));
    return object;
}

/* --- Uploads ---------------------------------------------------------------------------------------------------- */

static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, step; at < length; at += step) {
        step = utf8_sequence(text + at, length - at);
        if (step == 0)
            return false;
    }
    return true;
}

static const char *take_content(struct sim_file *file, const struct sim_part *part)
{
    size_t length = strlen(part->file_name);
    if (file->bytes)
        return "There is more than one part content";
    if (length == 0 || length > FILE_NAME_MAX_BYTES || !is_utf8(part->file_name, length))
        return "The part content has no filename of at most 255 bytes";
    if (!*part->media_type)
        return "The part content has no Content-Type";
    memcpy(file->name, part->file_name, length + 1);
    snprintf(file->media_type, sizeof(file->media_type), "%s", part->media_type);
    file->bytes = xmalloc(part->length + 1);
    memcpy(file->bytes, part->bytes, part->length);
    file->bytes[part->length] = '\0';
    file->length = part->length;
    return NULL;
}

static const char *take_metadata(struct sim_file *file, const struct sim_part *part)
{
    json_t *metadata = json_parse(part->bytes, part->length, NULL);
    if (!json_is_object(metadata) || strcmp(part->media_type, "application/json") != 0) {
        json_decref(metadata);
        return "The part metadata is no JSON object of type application/json";
    }
    json_decref(file->metadata);
    file->metadata = metadata;
    return NULL;
}

/* Fills `file` from the parts of a form; returns what is wrong with them, or NULL. */
static const char *read_form(const struct sim_request *request, struct sim_file *file)
{
    struct sim_form form;
    struct sim_part part;
    if (!sim_form_open(request, &form))
        return form.problem;
    while (sim_form_next(&form, &part)) {
        const char *problem = NULL;
        if (strcmp(part.name, "content") == 0)
            problem = take_content(file, &part);
        else if (strcmp(part.name, "metadata") == 0)
            problem = take_metadata(file, &part);
        else if (strcmp(part.name, "type") != 0 && strcmp(part.name, "filename") != 0)
            problem = "There is a part that is none of content, metadata, type and filename";
        if (problem)
            return problem;
    }
    if (form.problem)
        return form.problem;
    return file->bytes ? NULL : "There is no part content";
}

/* The capacity is a power of two, so it need not be kept: it is used up when the count is one. */
static void keep(struct replicate_sim *sim, struct sim_file *file)
{
    size_t count = sim->counters.files_uploaded;
    if ((count & (count - 1)) == 0)
        sim->files = xrealloc(sim->files, (count ? count * 2 : 1) * sizeof(struct sim_file *));
    make_id(count, file->id);
    file->uploaded_ms = sim_now(sim);
    file->deleted_ms = -1;
    sim->files[count] = file;
    sim->counters.files_uploaded++;
    sim->counters.files_open++;
    sim->has_changed = true;
}

static void upload(struct replicate_sim *sim, const struct sim_request *request, struct answer *answer)
{
    size_t limit = sim->options.file_limit_bytes ? sim->options.file_limit_bytes : DEFAULT_LIMIT_BYTES;
    struct sim_file *file = xcalloc(1, sizeof(*file));
    file->metadata = json_object();
    const char *problem = read_form(request, file);
    if (!problem && file->length <= limit) {
        keep(sim, file);
        sim_answer_json(answer, 201, file_object(sim, file));
        return;
    }
    if (problem) {
        sim->counters.invalid++;
        sim_answer_problem(answer, 400, NULL, problem);
    } else {
        sim_answer_problem(answer, 413, NULL, "Files must be less than 100MB in size");
    }
    free_file(file);
}

/* --- The rest --------------------------------------------------------------------------------------------------- */

static void list_files(struct replicate_sim *sim, struct answer *answer)
{
    json_t *results = json_array();
    for (size_t i = sim->counters.files_uploaded; i > 0; i--)
        if (sim->files[i - 1]->deleted_ms < 0)
            json_array_append_new(results, file_object(sim, sim->files[i - 1]));
    sim_answer_json(answer, 200, json_pack("{s:n,s:n,s:o}", "next", "previous", "results", results));
}

/* Where no requests are kept, there is no test to look at what was deleted either. */
static void delete_file(struct replicate_sim *sim, struct sim_file *file, struct answer *answer)
{
    file->deleted_ms = sim_now(sim);
    sim->counters.files_deleted++;
    sim->counters.files_open--;
    sim->has_changed = true;
    if (sim->request_limit == 0) {
        free(file->bytes);
        file->bytes = NULL;
        file->length = 0;
    }
    answer->status = 204;
}

void sim_files_serve(struct replicate_sim *sim, const struct sim_request *request, const struct route *route,
                     struct answer *answer)
{
    if (route->kind == ROUTE_FILE_UPLOAD) {
        upload(sim, request, answer);
        return;
    }
    if (route->kind == ROUTE_FILE_LIST) {
        list_files(sim, answer);
        return;
    }
    struct sim_file *file = sim_file_find(sim, route->id);
    if (!file) {
        sim->counters.unknown_paths++;
        sim_answer_problem(answer, 404, NULL, "File not found");
    } else if (route->kind == ROUTE_FILE_GET) {
        sim_answer_json(answer, 200, file_object(sim, file));
    } else if (route->kind == ROUTE_FILE_DELETE) {
        delete_file(sim, file, answer);
    } else {
        answer->status = 200;
        answer->content_type = file->media_type;
        buf_append(&answer->body, file->bytes, file->length);
    }
}

bool replicate_sim_file(struct replicate_sim *sim, size_t i, struct sim_file_view *view)
{
    sim_lock(sim);
    bool exists = i < sim->counters.files_uploaded;
    if (exists) {
        const struct sim_file *file = sim->files[i];
        *view = (struct sim_file_view){.bytes = file->bytes,
                                       .length = file->length,
                                       .deleted = file->deleted_ms >= 0,
                                       .uploaded_ms = file->uploaded_ms,
                                       .deleted_ms = file->deleted_ms};
        snprintf(view->id, sizeof(view->id), "%s", file->id);
        snprintf(view->name, sizeof(view->name), "%s", file->name);
        snprintf(view->media_type, sizeof(view->media_type), "%s", file->media_type);
    }
    sim_unlock(sim);
    return exists;
}
