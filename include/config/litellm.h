/* One table row per key of LiteLLM's configuration: what becomes of it here, and the sentence that says so.
 *
 * Keys without a row: under litellm_params they are defaults for the model's `input`, elsewhere they are warned about
 * by name, or refused where the name speaks of money or access. A key that limits money or access is done or refused,
 * never merely warned about. Constant; any thread. */
#ifndef CONFIG_LITELLM_H
#define CONFIG_LITELLM_H

#include <stddef.h>

#include "config/schema.h"

enum litellm_section {
    LITELLM_TOP,      /* the top of the file */
    LITELLM_ENTRY,    /* an element of model_list */
    LITELLM_PARAMS,   /* litellm_params of an entry, and router_settings.default_litellm_params */
    LITELLM_SETTINGS, /* litellm_settings */
    LITELLM_ROUTER,   /* router_settings */
    LITELLM_GENERAL,  /* general_settings */
    LITELLM_SECTION_COUNT
};

enum litellm_treatment {
    LITELLM_DO,     /* the same meaning */
    LITELLM_MAP,    /* the same aim by our own means */
    LITELLM_WARN,   /* accepted, without effect, named once */
    LITELLM_REFUSE, /* the configuration does not load */
};

struct litellm_row;
struct litellm_scope;

typedef bool litellm_apply_fn(const struct litellm_scope *scope, const struct node *node, const struct path *path);

struct litellm_row {
    enum litellm_section section;
    const char *key; /* may end in `*` */
    enum litellm_treatment treatment;
    const char *sentence;    /* of WARN and REFUSE; of the others where something about them must be said, else NULL */
    litellm_apply_fn *apply; /* of DO and MAP; NULL: `native`, or where that is NULL too, the key is structure */
    enum schema_section native_section;
    const char *native; /* the native key that it is */
    bool empty_is_off;  /* of REFUSE: an empty list or map asks for nothing; of a list of those let in it would */
};

const struct litellm_row *litellm_rows(size_t *count);
const struct litellm_row *litellm_find(enum litellm_section section, const char *key); /* NULL: no row */

#endif
