/* What has to hold of every mapping, tried on thousands of made-up requests for real models, for models that differ
 * from them at random, and for documents that make no sense.
 *
 * A failure names its seed: MAPPING_SEED=n runs that one alone, and shows it. MAPPING_ROUNDS=n tries more or fewer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "mapping_judge.h"
#include "mapping_make.h"

enum { MODELS_MAX = 128, ROUNDS = 3000, TEXT_MAX_BYTES = 1 << 22, WHY_BYTES = 1024 };

static char names[MODELS_MAX][128];
static json_t *documents[MODELS_MAX];
static unsigned document_count;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void load_documents(void)
{
    DIR *entries = opendir("tests/models");
    ensure(entries != NULL); /* run from the root of the repository */
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        ensure(document_count < MODELS_MAX && length < sizeof names[0]);
        snprintf(names[document_count++], sizeof names[0], "%.*s", (int)length - 5, entry->d_name);
    }
    closedir(entries);
    /* In an order of their own, so that a seed means the same everywhere. */
    qsort(names, document_count, sizeof names[0], compare_names);
    for (unsigned i = 0; i < document_count; i++)
        documents[i] = help_document(names[i]);
}

static void free_documents(void)
{
    for (unsigned i = 0; i < document_count; i++)
        json_decref(documents[i]);
    document_count = 0;
}

/* What is done to a document before it is used. */
enum treatment { AS_IT_IS, MUTATED, SPOILED, UNKNOWN };

static const char *const routes[] = {
    "{}",
    "{}",
    "{}",
    "{}",
    "{\"strict_params\":true}",
    "{\"drop_params\":true}",
    "{\"dropped\":[\"temperature\",\"stop\"]}",
};

/* What an operator may have written; then the input may be anything that it says. */
static const char *const free_routes[] = {
    "{\"map\":{\"prompt\":\"question\",\"max_tokens\":\"budget\"}}",
    "{\"map\":{\"messages\":\"prompt\",\"temperature\":null}}",
    "{\"map\":{\"prompt\":null,\"image\":\"prompt\"}}",
    "{\"input\":{\"max_tokens\":\"many\",\"prompt\":5,\"top_k\":50,\"stop_sequences\":\"x\"}}",
    "{\"input\":{\"messages\":\"[]\",\"thinking\":true},\"params\":{\"temperature\":0.5,\"max_tokens\":5}}",
};

static void show(const json_t *document, const char *request, const char *route)
{
    char *text = help_dump(document);
    printf("%s\n%s\n%s\n", text, request, route);
    free(text);
}

static enum mapping_verdict try_seed(unsigned long seed, enum treatment treatment)
{
    struct dice dice;
    struct route route;
    char why[WHY_BYTES];
    dice_seed(&dice, seed);
    unsigned chosen = dice_below(&dice, document_count);
    json_t *document = treatment == UNKNOWN ? NULL : json_deep_copy(documents[chosen]);
    bool is_free = treatment == SPOILED || dice_one_in(&dice, 10);
    const char *route_text = is_free && dice_one_in(&dice, 2)
                                 ? free_routes[dice_below(&dice, sizeof free_routes / sizeof free_routes[0])]
                                 : routes[dice_below(&dice, sizeof routes / sizeof routes[0])];
    if (treatment == MUTATED)
        mapping_mutate_document(&dice, document);
    if (treatment == SPOILED)
        mapping_spoil_document(&dice, document);
    json_t *request = mapping_make_request(&dice, document);
    char *text = help_dump(request);
    help_route(&route, route_text);
    const struct mapping_case given = {
        .document = document, .request = text, .length = strlen(text), .route = &route, .is_free = is_free};
    enum mapping_verdict verdict = mapping_judge(&given, why, sizeof why);
    if (getenv("MAPPING_SEED") != NULL)
        show(document, text, route_text);
    ck_assert_msg(verdict != MAPPING_BROKEN, "MAPPING_SEED=%lu (%s): %s", seed, names[chosen], why);
    help_route_dispose(&route);
    free(text);
    json_decref(request);
    json_decref(document);
    return verdict;
}

static unsigned long number_from(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : fallback;
}

/* Treatments have seeds of their own, so that one number says all. */
static void try_all(enum treatment treatment, double least_mapped)
{
    unsigned long rounds = number_from("MAPPING_ROUNDS", ROUNDS), seed = number_from("MAPPING_SEED", 0), mapped = 0;
    if (seed != 0) {
        if (seed % 4 == (unsigned long)treatment)
            try_seed(seed, treatment);
        return;
    }
    for (unsigned long i = 1; i <= rounds; i++)
        mapped += try_seed(4 * i + (unsigned long)treatment, treatment) == MAPPING_MAPPED;
    /* A mapping that refuses everything would hold all promises, too. */
    ck_assert_msg((double)mapped >= least_mapped * (double)rounds, "only %lu of %lu were mapped", mapped, rounds);
}

START_TEST(a_real_model_accepts_what_is_mapped_and_nothing_is_lost)
{
    try_all(AS_IT_IS, 0.2);
}
END_TEST

START_TEST(so_does_a_model_that_nobody_has_seen_yet)
{
    try_all(MUTATED, 0.15);
}
END_TEST

START_TEST(a_document_that_makes_no_sense_breaks_nothing)
{
    try_all(SPOILED, 0.1);
}
END_TEST

START_TEST(without_a_document_nothing_is_lost_either)
{
    try_all(UNKNOWN, 0.2);
}
END_TEST

static Suite *properties_suite(void)
{
    Suite *suite = suite_create("properties of the mapping");
    TCase *mapping = tcase_create("mapping");
    tcase_add_checked_fixture(mapping, load_documents, free_documents);
    tcase_set_timeout(mapping, 120);
    tcase_add_test(mapping, a_real_model_accepts_what_is_mapped_and_nothing_is_lost);
    tcase_add_test(mapping, so_does_a_model_that_nobody_has_seen_yet);
    tcase_add_test(mapping, a_document_that_makes_no_sense_breaks_nothing);
    tcase_add_test(mapping, without_a_document_nothing_is_lost_either);
    suite_add_tcase(suite, mapping);
    return suite;
}

int main(void)
{
    return suite_run(properties_suite());
}
