/* The dashboard for Grafana, as a file: one that loads, with panels that are asked for and do not lie on each other.
 * Which metrics and labels it asks for is checked by tests/lint/metrics.sh. Run from the project's root. */
#include "check_main.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { FILE_MAX_BYTES = 1 << 20, COLUMNS = 24 };

static json_t *dashboard;
static char bytes[FILE_MAX_BYTES];

static void load(void)
{
    FILE *file = fopen("config/monitoring/grafana-dashboard.json", "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_assert_uint_lt(length, sizeof bytes);
    dashboard = json_parse(bytes, length, NULL);
    ck_assert_ptr_nonnull(dashboard);
}

static void drop(void)
{
    json_decref(dashboard);
}

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_integer(value), "%s is no number", name);
    return json_integer_value(value);
}

static const json_t *panels(void)
{
    const json_t *list = json_object_get(dashboard, "panels");
    ck_assert_uint_gt(json_array_size(list), 20);
    return list;
}

START_TEST(each_panel_has_a_number_of_its_own_and_a_title)
{
    size_t i, j;
    json_t *panel, *other;
    json_array_foreach(panels(), i, panel)
    {
        ck_assert_ptr_nonnull(json_text(panel, "title"));
        json_array_foreach(panels(), j, other) ck_assert(i == j || number(panel, "id") != number(other, "id"));
    }
}
END_TEST

START_TEST(each_panel_asks_something_of_the_chosen_data_source)
{
    size_t i, j;
    json_t *panel, *target;
    json_array_foreach(panels(), i, panel)
    {
        const json_t *targets = json_object_get(panel, "targets");
        if (strcmp(json_text(panel, "type"), "row") == 0)
            continue;
        ck_assert_uint_gt(json_array_size(targets), 0);
        json_array_foreach(targets, j, target)
        {
            ck_assert_str_ne(json_text(target, "expr"), "");
            ck_assert_str_eq(json_text(json_object_get(target, "datasource"), "uid"), "${datasource}");
        }
    }
}
END_TEST

static bool overlap(const json_t *a, const json_t *b)
{
    return number(a, "x") < number(b, "x") + number(b, "w") && number(b, "x") < number(a, "x") + number(a, "w") &&
           number(a, "y") < number(b, "y") + number(b, "h") && number(b, "y") < number(a, "y") + number(a, "h");
}

START_TEST(no_panel_lies_on_another_or_beyond_the_edge)
{
    size_t i, j;
    json_t *panel, *other;
    json_array_foreach(panels(), i, panel)
    {
        const json_t *place = json_object_get(panel, "gridPos");
        ck_assert(number(place, "x") >= 0 && number(place, "x") + number(place, "w") <= COLUMNS);
        json_array_foreach(panels(), j, other)
            ck_assert_msg(i == j || !overlap(place, json_object_get(other, "gridPos")), "`%s` lies on `%s`",
                          json_text(panel, "title"), json_text(other, "title"));
    }
}
END_TEST

static const char *const variables[] = {"datasource", "instance", "alias"};

START_TEST(this_can_be_chosen)
{
    const json_t *list = json_object_get(json_object_get(dashboard, "templating"), "list");
    ck_assert_uint_eq(json_array_size(list), sizeof variables / sizeof variables[0]);
    ck_assert_str_eq(json_text(json_array_get(list, (size_t)_i), "name"), variables[_i]);
}
END_TEST

static Suite *dashboard_suite(void)
{
    Suite *suite = suite_create("dashboard");
    TCase *tcase = tcase_create("panels");
    tcase_add_checked_fixture(tcase, load, drop);
    tcase_add_test(tcase, each_panel_has_a_number_of_its_own_and_a_title);
    tcase_add_test(tcase, each_panel_asks_something_of_the_chosen_data_source);
    tcase_add_test(tcase, no_panel_lies_on_another_or_beyond_the_edge);
    tcase_add_loop_test(tcase, this_can_be_chosen, 0, sizeof variables / sizeof variables[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(dashboard_suite());
}
