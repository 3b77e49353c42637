/* The tree of a YAML document: places, quotes, aliases, merge keys, and its bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check_main.h"
#include "config/yaml_tree.h"

static struct yaml_tree tree;
static struct error fault;

static bool parse(const char *text)
{
    memset(&fault, 0, sizeof fault);
    return yaml_tree_parse(&tree, "file.yaml", text, strlen(text), &fault);
}

static void refuses(const char *text, const char *part)
{
    bool parsed = parse(text);
    if (parsed)
        yaml_tree_dispose(&tree);
    ck_assert_msg(!parsed, "this parses, and should not: %.200s", text);
    ck_assert_msg(strstr(fault.message, part) != NULL, "\"%s\" is not in: %s", part, fault.message);
}

START_TEST(every_node_knows_its_line_and_column)
{
    ck_assert(parse("first: 1\nouter:\n  inner:\n    - a\n    - b\n"));
    const struct node *list = node_get(node_get(tree.root, "outer"), "inner");
    ck_assert_int_eq(list->type, NODE_LIST);
    ck_assert_uint_eq(list->count, 2);
    ck_assert_str_eq(list->members[1].value->text, "b");
    ck_assert_int_eq(list->members[1].line, 5);
    ck_assert_int_eq(list->members[1].column, 7);
    ck_assert_str_eq(list->file, "file.yaml");
    ck_assert_int_eq(node_get(tree.root, "outer")->line, 3);
    ck_assert_int_eq(tree.root->members[1].line, 2);
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(quoted_scalars_are_told_from_plain_ones)
{
    ck_assert(parse("a: true\nb: \"true\"\nc: 'x'\nd: |\n  block\ne: !!str 5\nf: !!int 5\n"));
    ck_assert(!node_get(tree.root, "a")->quoted);
    ck_assert(node_get(tree.root, "b")->quoted);
    ck_assert(node_get(tree.root, "c")->quoted);
    ck_assert(node_get(tree.root, "d")->quoted);
    ck_assert_str_eq(node_get(tree.root, "d")->text, "block\n");
    ck_assert(node_get(tree.root, "e")->quoted);
    ck_assert(!node_get(tree.root, "f")->quoted);
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(null_is_plain_and_never_quoted)
{
    ck_assert(parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: []\n"));
    ck_assert(node_is_null(node_get(tree.root, "a")));
    ck_assert(node_is_null(node_get(tree.root, "b")));
    ck_assert(node_is_null(node_get(tree.root, "c")));
    ck_assert(!node_is_null(node_get(tree.root, "d")));
    ck_assert(!node_is_null(node_get(tree.root, "e")));
    ck_assert(!node_is_null(node_get(tree.root, "f")));
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(an_empty_document_is_an_empty_map)
{
    const char *const texts[] = {"", "\n\n", "# only a comment\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert(parse(texts[i]));
        ck_assert_int_eq(tree.root->type, NODE_MAP);
        ck_assert_uint_eq(tree.root->count, 0);
        yaml_tree_dispose(&tree);
    }
}
END_TEST

START_TEST(an_alias_is_a_copy_of_its_anchor)
{
    ck_assert(parse("a: &x {k: [1, 2]}\nb: *x\n"));
    const struct node *copy = node_get(node_get(tree.root, "b"), "k");
    ck_assert_ptr_ne(copy, node_get(node_get(tree.root, "a"), "k"));
    ck_assert_uint_eq(copy->count, 2);
    ck_assert_str_eq(copy->members[1].value->text, "2");
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(a_merge_key_fills_in_what_the_map_lacks)
{
    ck_assert(parse("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\nd: {<<: *a}\n"));
    const struct node *c = node_get(tree.root, "c");
    ck_assert_uint_eq(c->count, 3);
    ck_assert_str_eq(node_get(c, "x")->text, "9");
    ck_assert_str_eq(node_get(c, "y")->text, "2");
    ck_assert_str_eq(node_get(c, "z")->text, "4");
    ck_assert_str_eq(node_get(node_get(tree.root, "d"), "y")->text, "2");
    ck_assert_ptr_null(node_get(c, "<<"));
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(an_anchor_inside_a_merged_map_may_be_used_later)
{
    ck_assert(parse("a: {<<: &inner {x: 1}}\nb: *inner\n"));
    ck_assert_str_eq(node_get(node_get(tree.root, "a"), "x")->text, "1");
    ck_assert_str_eq(node_get(node_get(tree.root, "b"), "x")->text, "1");
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_line)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "file.yaml:3: the key \"a\" is given twice, first on line 1"},
        {"a: 1\nb: [1, 2\n", "file.yaml:3: this is not valid YAML"},
        {"a: 1\n\tb: 2\n", "file.yaml:2: this is not valid YAML"},
        {"a: *nothing\n", "file.yaml:1: an alias (*name) needs an anchor"},
        {"&x a: *x\n", "file.yaml:1: an alias (*name) needs an anchor"},
        {"b: &x 1\n&y a: {c: *x, d: *y}\n", "file.yaml:2: an alias (*name) needs an anchor"},
        {"a: &x [*x]\n", "file.yaml:1: an alias (*name) needs an anchor"},
        {"a: 1\n---\nb: 2\n", "file.yaml:2: the file holds more than one document"},
        {"a: \"x\\0y\"\n", "file.yaml:1: a value must not hold a NUL"},
        {"? [a]\n: b\n", "file.yaml:1: a key must be plain text"},
        {"a: !secret x\n", "file.yaml:1: tags of your own"},
        {"a: !thing {b: 1}\n", "file.yaml:1: tags of your own"},
        {"a: {<<: text}\n", "the merge key << takes a map"},
        {"a: {<<: [text]}\n", "the merge key << takes a map"},
        {"a: \xff\n", "this is not valid YAML"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuses(rows[i].text, rows[i].part);
}
END_TEST

START_TEST(a_bomb_of_aliases_is_refused)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_append_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++)
        buf_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1,
                   i - 1, i - 1, i - 1, i - 1, i - 1);
    refuses(buf_text(&text), "more than 100000 nodes");
    buf_dispose(&text);
}
END_TEST

START_TEST(nesting_has_a_limit_with_and_without_aliases)
{
    char text[512] = "";
    for (int i = 0; i < YAML_TREE_DEPTH; i++)
        text[i] = '[';
    text[YAML_TREE_DEPTH] = '[';
    refuses(text, "more than 32 levels deep");

    struct buf chain;
    buf_init(&chain, 4096);
    buf_append_text(&chain, "a0: &a0 [x]\n");
    for (int i = 1; i < 40; i++)
        buf_printf(&chain, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    refuses(buf_text(&chain), "more than 32 levels deep");
    buf_dispose(&chain);
}
END_TEST

START_TEST(a_document_of_the_greatest_depth_is_read)
{
    char text[128] = "";
    for (int i = 0; i < YAML_TREE_DEPTH - 1; i++) {
        text[i] = '[';
        text[YAML_TREE_DEPTH + i] = ']';
    }
    text[YAML_TREE_DEPTH - 1] = '1';
    ck_assert_msg(parse(text), "%s", fault.message);
    yaml_tree_dispose(&tree);
}
END_TEST

START_TEST(size_and_number_of_keys_have_limits)
{
    size_t length = YAML_TREE_BYTES + 1;
    char *text = malloc(length + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '#', length);
    text[length] = '\0';
    refuses(text, "larger than 1 MiB");
    free(text);

    struct buf many;
    buf_init(&many, 1 << 20);
    for (int i = 0; i <= YAML_TREE_MAP_KEYS; i++)
        buf_printf(&many, "k%d: 1\n", i);
    refuses(buf_text(&many), "10000 keys at most");
    buf_dispose(&many);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    ck_assert(!yaml_tree_read(&tree, "/nonexistent/config.yaml", &fault));
    ck_assert_str_eq(fault.message, "/nonexistent/config.yaml: the file cannot be opened: No such file or directory");
    ck_assert(!yaml_tree_read(&tree, "/tmp", &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, "/tmp: the file cannot be read"));
}
END_TEST

static Suite *yaml_tree_suite(void)
{
    Suite *suite = suite_create("yaml_tree");
    TCase *shape = tcase_create("shape");
    tcase_add_test(shape, every_node_knows_its_line_and_column);
    tcase_add_test(shape, quoted_scalars_are_told_from_plain_ones);
    tcase_add_test(shape, null_is_plain_and_never_quoted);
    tcase_add_test(shape, an_empty_document_is_an_empty_map);
    tcase_add_test(shape, an_alias_is_a_copy_of_its_anchor);
    tcase_add_test(shape, a_merge_key_fills_in_what_the_map_lacks);
    tcase_add_test(shape, an_anchor_inside_a_merged_map_may_be_used_later);
    suite_add_tcase(suite, shape);
    TCase *faults = tcase_create("faults");
    tcase_set_timeout(faults, 30);
    tcase_add_test(faults, what_is_wrong_is_said_with_its_line);
    tcase_add_test(faults, a_bomb_of_aliases_is_refused);
    tcase_add_test(faults, nesting_has_a_limit_with_and_without_aliases);
    tcase_add_test(faults, a_document_of_the_greatest_depth_is_read);
    tcase_add_test(faults, size_and_number_of_keys_have_limits);
    tcase_add_test(faults, a_file_that_cannot_be_read_is_named);
    suite_add_tcase(suite, faults);
    return suite;
}

int main(void)
{
    return suite_run(yaml_tree_suite());
}
