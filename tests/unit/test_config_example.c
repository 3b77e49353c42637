/* config.yaml.example against the table of keys, and the ready-made files under config/. Run from the project's root.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "check_main.h"
#include "config/config.h"
#include "config/schema.h"
#include "config/yaml_tree.h"
#include "config_case.h"

static const char example[] = "config.yaml.example";

static struct buf example_text(void)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    FILE *stream = fopen(example, "r");
    ck_assert_msg(stream != NULL, "%s is not there; run this from the root of the project", example);
    char block[4096];
    size_t length;
    while ((length = fread(block, 1, sizeof block, stream)) > 0)
        buf_append(&text, block, length);
    fclose(stream);
    return text;
}

/* A key is commented out as `#key: value`; a remark has a blank behind its number sign. */
static struct buf uncommented_text(void)
{
    struct buf from = example_text(), to;
    buf_init(&to, 1 << 20);
    bool at_start = true;
    for (const char *at = buf_text(&from); *at != '\0'; at++) {
        bool is_sign = at_start && *at == '#' && at[1] != ' ' && at[1] != '\n';
        if (!is_sign)
            buf_append(&to, at, 1);
        at_start = *at == '\n' || (at_start && *at == ' ');
    }
    buf_dispose(&from);
    return to;
}

static void give_variables(void)
{
    static const char *const names[] = {"REPLICATE_API_TOKEN", "OTHER_REPLICATE_TOKEN", "ALICE_KEY", "CHAT_KEY",
                                        "RESEARCH_KEY",        "LITELLM_MASTER_KEY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        config_case_variable(names[i], names[i]);
}

/* The map in which the section's keys stand; NULL where the file has none. */
static const struct node *section_of(const struct node *root, enum schema_section section)
{
    const struct node *keys = node_get(root, "keys");
    const struct node *const sections[] = {
        [SCHEMA_ROOT] = root,
        [SCHEMA_REPLICATE] = node_get(root, "replicate"),
        [SCHEMA_LOG] = node_get(root, "log"),
        [SCHEMA_MODEL] = node_get(node_get(root, "models"), "kimi-k2"),
        [SCHEMA_KEY] = keys == NULL ? NULL : keys->members[0].value,
    };
    return sections[section];
}

static void parse(struct yaml_tree *tree, struct buf *text)
{
    struct error err = {0};
    ck_assert_msg(yaml_tree_parse(tree, example, buf_text(text), text->length, &err), "%s", err.message);
    buf_dispose(text);
}

START_TEST(the_example_shows_every_key_of_the_table)
{
    struct yaml_tree tree;
    struct buf text = uncommented_text();
    parse(&tree, &text);
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(node_get(section_of(tree.root, rows[i].section), rows[i].name) != NULL, "%s is not shown",
                      rows[i].name);
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(the_example_shows_no_key_that_the_table_lacks)
{
    struct yaml_tree tree;
    struct buf text = uncommented_text();
    parse(&tree, &text);
    for (int section = 0; section < SCHEMA_SECTION_COUNT; section++) {
        const struct node *map = section_of(tree.root, (enum schema_section)section);
        for (size_t i = 0; i < map->count; i++)
            ck_assert_msg(schema_find((enum schema_section)section, map->members[i].key) != NULL, "%s",
                          map->members[i].key);
    }
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(what_has_a_default_stands_with_it_and_the_rest_is_commented_out)
{
    struct yaml_tree tree;
    struct buf text = example_text();
    parse(&tree, &text);
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_required = rows[i].type == SCHEMA_NESTED || strcmp(rows[i].name, "model") == 0;
        if (rows[i].section == SCHEMA_KEY || is_required)
            continue;
        const struct node *value = node_get(section_of(tree.root, rows[i].section), rows[i].name);
        ck_assert_msg((value != NULL) == (rows[i].fallback != NULL), "%s", rows[i].name);
        if (value != NULL)
            ck_assert_str_eq(value->text, rows[i].fallback);
    }
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(every_key_is_explained_in_the_words_of_the_table)
{
    struct buf text = example_text();
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char *remark = xasprintf("# %s\n", rows[i].meaning);
        const char *found = strstr(buf_text(&text), remark);
        ck_assert_msg(found != NULL, "\"%s\" is not said of %s", rows[i].meaning, rows[i].name);
        const char *line = found + strlen(remark);
        line += strspn(line, " #-");
        ck_assert_msg(strncmp(line, rows[i].name, strlen(rows[i].name)) == 0, "%s does not follow its remark",
                      rows[i].name);
        free(remark);
    }
    buf_dispose(&text);
}
END_TEST

START_TEST(the_example_loads_as_it_stands_and_changes_nothing)
{
    struct config_options options = config_case_options();
    options.file = example;
    struct config *shown = config_case_load_options(&options);
    ck_assert_msg(shown != NULL, "%s", config_case_message());
    struct config *bare = config_case_must_load("models: {kimi-k2: moonshotai/kimi-k2-thinking}\n");
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].owner == SCHEMA_OF_CONFIG && rows[i].type != SCHEMA_ORIGINS &&
            rows[i].type != SCHEMA_NETWORKS)
            ck_assert_msg(schema_equal(&rows[i], shown, bare), "%s", rows[i].name);
    ck_assert_int_eq(shown->routes[0]->timeout_ms, bare->routes[0]->timeout_ms);
    ck_assert_int_eq(shown->routes[0]->poll_interval_ms, bare->routes[0]->poll_interval_ms);
    ck_assert_uint_eq(shown->warning_count, 0);
    config_unref(shown);
    config_unref(bare);
}
END_TEST

START_TEST(the_example_loads_with_everything_in_use)
{
    give_variables();
    struct buf text = uncommented_text();
    /* Whether the system keeps its certificates in that place is its own affair. */
    static const char certificates[] = "/etc/ssl/certs/ca-certificates.crt";
    char *rest = strstr(buf_text(&text), certificates);
    ck_assert_ptr_nonnull(rest);
    char *own =
        xasprintf("%.*s%s%s", (int)(rest - buf_text(&text)), buf_text(&text), example, rest + sizeof certificates - 1);
    struct config *config = config_case_must_load(own);
    free(own);
    ck_assert_int_eq(config->workers, 4);
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_str_eq(config->keys[0].name, "alice");
    ck_assert_str_eq(config->routes[0]->token, "OTHER_REPLICATE_TOKEN");
    config_unref(config);
    buf_dispose(&text);
}
END_TEST

START_TEST(every_ready_made_file_loads)
{
    give_variables();
    glob_t found;
    ck_assert_int_eq(glob("config/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 4);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct config_options options = config_case_options();
        options.file = found.gl_pathv[i];
        struct config *config = config_case_load_options(&options);
        ck_assert_msg(config != NULL, "%s", config_case_message());
        config_unref(config);
    }
    globfree(&found);
}
END_TEST

static Suite *config_example_suite(void)
{
    Suite *suite = suite_create("config_example");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, config_case_setup, config_case_teardown);
    tcase_add_test(files, the_example_shows_every_key_of_the_table);
    tcase_add_test(files, the_example_shows_no_key_that_the_table_lacks);
    tcase_add_test(files, what_has_a_default_stands_with_it_and_the_rest_is_commented_out);
    tcase_add_test(files, every_key_is_explained_in_the_words_of_the_table);
    tcase_add_test(files, the_example_loads_as_it_stands_and_changes_nothing);
    tcase_add_test(files, the_example_loads_with_everything_in_use);
    tcase_add_test(files, every_ready_made_file_loads);
    suite_add_tcase(suite, files);
    return suite;
}

int main(void)
{
    return suite_run(config_example_suite());
}
