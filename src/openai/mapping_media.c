/* Images, sounds, videos and files in messages → the model's own inputs for them. */
#include "mapping_messages_int.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/data_uri.h"
#include "base/ensure.h"
#include "base/json.h"
#include "media_part_int.h"
#include "openai/prompt.h"
#include "prompt_int.h"

/* What is larger is not to be sent within an input, Replicate says, but to be uploaded. */
enum { INLINE_MAX_BYTES = 256 * 1024, QUOTE_BYTES = 65, PATH_BYTES = 64, KIND_BYTES = 400 };

const char *const media_kinds[] = {"image", "audio", "video", "file", NULL};

/* The names of inputs, by kind. A name in `exact` is enough for an input that does not say that it holds files; those
 * in `starred` are looked for among inputs that do. */
static const struct media_names {
    const char *exact, *starred, *one, *many;
} media_names[MEDIA_KIND_COUNT] = {
    {"image_input|images|input_images|image|input_image|image_prompt|input_reference|start_image|first_frame_image|"
     "subject_reference|image_url|img",
     "*image*|*picture*|*photo*|!*mask*|!*resolution*|!*style*|!*output*|!*num*|!*max*|!*detail*|!*size*|!*format*|"
     "!*strength*|!*last*|!*end*|!*tail*|!*negative*|!*weight*|!*lora*|!*video*|!*audio*",
     "an image", "images"},
    {"audio|audio_file|input_audio|audio_input|audios|audio_url",
     "*audio*|*sound*|*speech*|!*output*|!*image*|!*video*|!*mask*|!*soundtrack*", "a sound", "sounds"},
    {"videos|video|video_input|input_video|video_url|video_file",
     "*video*|!*output*|!*image*|!*audio*|!*mask*|!*negative*", "a video", "videos"},
    {"file|files|document|documents|pdf|input_file|input_files|file_input",
     "*document*|*pdf*|*file*|!*image*|!*audio*|!*video*|!*voice*|!*output*|!*mask*|!*lora*|!*weight*|!*config*",
     "a file", "files"},
};

/* Where nothing is known of an input, its name tells whether it takes one file or a list. */
static const char *const list_names[] = {
    "image_input", "images", "input_images", "audios", "videos", "files", "documents", "input_files",
};

static bool may_hold_files(const struct model_value *value)
{
    const struct model_value *item = value->items != NULL ? value->items : value;
    bool is_text = (value->types & VALUE_STRING) != 0;
    bool is_list = (value->types & VALUE_ARRAY) != 0 && (value->items == NULL || (item->types & VALUE_STRING) != 0);
    return mapping_holds_files(value) ||
           ((is_text || is_list) && value->words == NULL && item->words == NULL && !value->is_secret);
}

static const char *input_for(const struct model_view *model, enum media_kind kind)
{
    const char *name = NULL;
    if (mapping_map_says(model->route, media_kinds[kind], &name))
        return name;
    size_t number = SEARCH_MEDIA + 2 * (size_t)kind;
    accepts_value_fn *accepts = kind == MEDIA_FILE ? mapping_holds_files : may_hold_files;
    const struct search exact = {number, media_names[kind].exact, 0, accepts};
    const struct search starred = {number + 1, media_names[kind].starred, 0, mapping_holds_files};
    const struct model_input *input = model_view_pick(model, &exact);
    if (input == NULL)
        input = model_view_pick(model, &starred);
    return input != NULL ? input->name : NULL;
}

const char *model_view_media_input(const struct model_view *model, const char *kind)
{
    for (int i = 0; i < MEDIA_KIND_COUNT; i++)
        if (strcmp(media_kinds[i], kind) == 0)
            return input_for(model, (enum media_kind)i);
    return NULL;
}

bool mapping_has_media(const struct mapping *mapping)
{
    for (int i = 0; i < MEDIA_KIND_COUNT; i++) {
        const char *name = input_for(&mapping->model, (enum media_kind)i);
        if (name != NULL && mapping_has_placed(mapping, name))
            return true;
    }
    return false;
}

/* One input of the model, being filled; two kinds may share it. */
struct slot {
    const char *name;                /* NULL: not used */
    const struct model_input *input; /* NULL: nothing is known of it */
    json_t *uris;
    bool is_list; /* also of a single one */
    size_t limit;
    char path[ERROR_PARAM_BYTES]; /* of the last part in it */
};

/* Media being taken out of messages. */
struct taking {
    struct mapping *mapping;
    const char *names[MEDIA_KIND_COUNT]; /* the model's inputs; NULL where there is none */
    struct slot slots[MEDIA_KIND_COUNT];
    char dropped[ERROR_PARAM_BYTES]; /* the path of the first part that was left out; "" = none */
};

static bool is_list_name(const char *name)
{
    for (size_t i = 0; i < sizeof list_names / sizeof list_names[0]; i++)
        if (strcmp(list_names[i], name) == 0)
            return true;
    return false;
}

/* An input that takes one and a list gets a list where there are several, or where its name speaks of several. */
static void open_slot(const struct model_view *model, const char *name, struct slot *slot)
{
    const struct model_input *input = model_schema_find(model->schema, name);
    unsigned types = input != NULL ? input->value.types : VALUE_STRING;
    bool is_by_name = is_list_name(name);
    if (input == NULL && (is_by_name || json_is_array(json_object_get(model->route->input, name))))
        types = VALUE_ARRAY;
    slot->is_list = (types & VALUE_ARRAY) && (is_by_name || !(types & VALUE_STRING));
    slot->limit = !(types & VALUE_ARRAY) ? 1 : SIZE_MAX;
    if (input != NULL && slot->limit > 1 && input->value.max_items > 0)
        slot->limit = input->value.max_items;
    slot->input = input;
    slot->name = name;
    slot->uris = json_array();
    ensure(slot->uris != NULL);
}

static struct slot *slot_for(struct taking *taking, const char *name)
{
    struct slot *slot = taking->slots;
    while (slot->name != NULL && strcmp(slot->name, name) != 0)
        slot++; /* there are as many as kinds */
    if (slot->name == NULL)
        open_slot(&taking->mapping->model, name, slot);
    return slot;
}

static bool is_too_large(const json_t *uri)
{
    size_t length = json_string_length(uri);
    return length > INLINE_MAX_BYTES && data_uri_is(json_string_value(uri), length);
}

/* The very string that stands in the input is remembered: it is to be replaced there. */
static void note_upload(struct call *call, json_t *uri)
{
    if (!is_too_large(uri))
        return;
    if (call->uploads == NULL)
        call->uploads = json_array();
    ensure(call->uploads != NULL && json_array_append(call->uploads, uri) == 0);
}

static bool has_too_large(const struct slot *slot)
{
    size_t index;
    json_t *uri;
    json_array_foreach(slot->uris, index, uri) if (is_too_large(uri)) return true;
    return false;
}

/* What the input gets, as a new reference; NULL where it takes no such thing: a URI cannot be made to fit. What is
 * uploaded becomes a short one. */
static json_t *value_of(const struct slot *slot)
{
    bool as_list = slot->is_list || json_array_size(slot->uris) > 1, changed = false;
    json_t *value = as_list ? slot->uris : json_array_get(slot->uris, 0), *fitted = NULL;
    if (slot->input == NULL || has_too_large(slot))
        return json_incref(value);
    if (mapping_fit(&slot->input->value, value, &fitted, &changed) && !changed)
        return fitted;
    json_decref(fitted);
    return NULL;
}

static bool refuse_uri(const struct slot *slot, struct error *err)
{
    char name[QUOTE_BYTES];
    struct buf kind;
    error_quote(name, sizeof name, slot->name, strlen(slot->name), NULL);
    buf_init(&kind, KIND_BYTES);
    mapping_append_kind(&kind, &slot->input->value);
    error_set(err, ERROR_INVALID_VALUE, slot->path,
              "`%s` does not fit this model's input `%s`, which has to be %s. Send a shorter URL of the file.",
              slot->path, name, kind.length > 0 ? buf_text(&kind) : "of another kind");
    buf_dispose(&kind);
    return false;
}

static bool add(struct taking *taking, const char *name, const struct media_part *media, const char *path,
                struct error *err)
{
    struct slot *slot = slot_for(taking, name);
    if (json_array_size(slot->uris) >= slot->limit)
        return error_set(
            err, ERROR_INVALID_VALUE, path,
            "`%s` is one too many: the most %s that this model takes in one request is %zu. Send fewer; those of "
            "earlier messages count too.",
            path, media_names[media->kind].many, slot->limit);
    json_t *uri = media_part_uri(media);
    note_upload(taking->mapping->call, uri);
    ensure(json_array_append_new(slot->uris, uri) == 0);
    snprintf(slot->path, sizeof slot->path, "%s", path);
    json_t *value = value_of(slot);
    json_decref(value);
    return value != NULL || refuse_uri(slot, err);
}

/* "text, images and videos". */
static void append_taken(const struct taking *taking, struct buf *out)
{
    struct conversation_inputs inputs = model_view_conversation(&taking->mapping->model);
    const char *words[1 + MEDIA_KIND_COUNT];
    size_t count = 0;
    if (inputs.prompt != NULL || inputs.list != NULL)
        words[count++] = "text";
    for (int i = 0; i < MEDIA_KIND_COUNT; i++)
        if (taking->names[i] != NULL)
            words[count++] = media_names[i].many;
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", words[i]);
    buf_append_text(out, count == 0 ? "nothing of the kind" : count == 1 ? " only" : "");
}

static bool refuse(const struct taking *taking, enum media_kind kind, const char *path, struct error *err)
{
    const struct mapping *mapping = taking->mapping;
    if (mapping->model.schema == NULL)
        return prompt_refuse_part(path, err);
    struct buf taken;
    buf_init(&taken, 256);
    append_taken(taking, &taken);
    char alias[MAPPING_ALIAS_BYTES];
    error_set(err, ERROR_UNSUPPORTED_PARAMETER, path,
              "`%s` is %s, and the model `%s` takes %s. Leave the part out, or have the operator name an input for it "
              "under `map` (`%s`), or allow leaving it out with `drop_params: true`.",
              path, media_names[kind].one, mapping_quote_alias(mapping, alias), buf_text(&taken), media_kinds[kind]);
    buf_dispose(&taken);
    return false;
}

static bool leave_out(struct taking *taking, enum media_kind kind, const json_t *part, const char *path,
                      struct error *err)
{
    if (!taking->mapping->model.route->drop_params)
        return refuse(taking, kind, path, err);
    call_ignore(taking->mapping->call, json_text(part, "type"));
    if (taking->dropped[0] == '\0')
        snprintf(taking->dropped, sizeof taking->dropped, "%s", path);
    return true;
}

static bool take(struct taking *taking, const json_t *part, const char *path, struct error *err)
{
    struct media_part media;
    if (!media_part_read(part, path, &media, err))
        return false;
    /* Clients send as a file what OpenAI has no part for, such as videos. */
    enum media_kind shown = media_kind_of(media.type);
    if (media.kind == MEDIA_FILE && taking->names[MEDIA_FILE] == NULL && taking->names[shown] != NULL)
        media.kind = shown;
    const char *name = taking->names[media.kind];
    return name != NULL ? add(taking, name, &media, path, err) : leave_out(taking, media.kind, part, path, err);
}

/* The parts that are text, in their order, as a new reference; NULL and err where a part cannot be taken. */
static json_t *take_parts(struct taking *taking, const json_t *content, size_t message, struct error *err)
{
    json_t *texts = json_array(), *part;
    size_t index;
    ensure(texts != NULL);
    json_array_foreach(content, index, part)
    {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "messages[%zu].content[%zu]", message, index);
        if (!media_part_is(part)) {
            ensure(json_array_append(texts, part) == 0);
        } else if (!take(taking, part, path, err)) {
            json_decref(texts);
            return NULL;
        }
    }
    return texts;
}

/* The messages without their media, as a new reference; NULL and err where a part cannot be taken. */
static json_t *take_all(struct taking *taking, struct error *err)
{
    json_t *rest = json_array(), *message;
    size_t index;
    ensure(rest != NULL);
    json_array_foreach(taking->mapping->call->messages, index, message)
    {
        json_t *content = json_object_get(message, "content");
        if (!json_is_array(content)) {
            ensure(json_array_append(rest, message) == 0);
            continue;
        }
        json_t *texts = take_parts(taking, content, index, err);
        if (texts == NULL) {
            json_decref(rest);
            return NULL;
        }
        json_t *copy = json_copy(message);
        ensure(copy != NULL && json_object_set_new(copy, "content", texts) == 0);
        ensure(json_array_append_new(rest, copy) == 0);
    }
    return rest;
}

static bool says_something(const json_t *messages)
{
    struct buf text;
    struct prompt_turns turns;
    bool says = false;
    buf_init(&text, MESSAGES_MAX_BYTES);
    if (prompt_turns_of(messages, true, &turns, NULL) && prompt_instructions(messages, &text, NULL))
        says = text.length > 0;
    for (size_t i = 0; i < turns.count; i++)
        says |= turns.items[i].text.length > 0;
    prompt_turns_dispose(&turns);
    buf_dispose(&text);
    return says;
}

/* A list where the model takes one, else the one there is. */
static bool fill_slots(struct taking *taking)
{
    bool filled = false;
    for (int i = 0; i < MEDIA_KIND_COUNT && taking->slots[i].name != NULL; i++) {
        const struct slot *slot = &taking->slots[i];
        mapping_place(taking->mapping, slot->name, value_of(slot));
        filled = true;
    }
    return filled;
}

static bool place_taken(struct taking *taking, json_t **rest, struct error *err)
{
    *rest = take_all(taking, err);
    if (*rest == NULL)
        return false;
    /* An empty prompt is run and paid for, and answers nothing that was asked. */
    if (fill_slots(taking) || taking->dropped[0] == '\0' || says_something(*rest))
        return true;
    json_decref(*rest);
    *rest = NULL;
    return error_set(
        err, ERROR_UNSUPPORTED_PARAMETER, taking->dropped,
        "`%s` is no text, this model has no input for it, and without it the messages are empty. Send some "
        "text too.",
        taking->dropped);
}

/* What a client sends under the model's own name nobody has looked at yet; what is no sound data: URI is the model's to
 * judge. */
void mapping_note_files(struct mapping *mapping, const struct model_input *input)
{
    json_t *value = json_object_get(mapping->input, input->name);
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; mapping_holds_files(&input->value) && i < count; i++) {
        json_t *uri = json_is_array(value) ? json_array_get(value, i) : value;
        struct data_uri data;
        if (is_too_large(uri) && data_uri_parse(json_string_value(uri), json_string_length(uri), &data) &&
            data_uri_is_sound(&data))
            note_upload(mapping->call, uri);
    }
}

static bool has_media(const json_t *messages)
{
    size_t index, position;
    json_t *message, *part;
    json_array_foreach(messages, index, message)
    {
        const json_t *content = json_object_get(message, "content");
        json_array_foreach(content, position, part) if (media_part_is(part)) return true;
    }
    return false;
}

static void note_uploads_in(struct call *call, const json_t *content)
{
    size_t index;
    json_t *part;
    json_array_foreach(content, index, part)
    {
        struct media_part media;
        if (media_part_is(part) && media_part_read(part, "", &media, NULL))
            note_upload(call, media.text);
    }
}

bool mapping_place_media(struct mapping *mapping, bool keeps_parts, json_t **rest, struct error *err)
{
    json_t *messages = mapping->call->messages, *message;
    size_t index;
    if (!has_media(messages)) {
        *rest = json_incref(messages);
        return true;
    }
    if (keeps_parts) {
        json_array_foreach(messages, index, message)
        {
            note_uploads_in(mapping->call, json_object_get(message, "content"));
        }
        *rest = json_incref(messages);
        return true;
    }
    struct taking taking = {.mapping = mapping};
    for (int i = 0; i < MEDIA_KIND_COUNT; i++)
        taking.names[i] = input_for(&mapping->model, (enum media_kind)i);
    bool fine = place_taken(&taking, rest, err);
    for (int i = 0; i < MEDIA_KIND_COUNT; i++)
        json_decref(taking.slots[i].uris);
    return fine;
}
