/* The list of parameters left out: each once, fit for a header, bounded; and what a second mapping finds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "openai/call.h"

static void assert_ignored(const struct call *call, const char *expected)
{
    struct buf out;
    buf_init(&out, 8192);
    ck_assert(call_ignored_text(call, &out));
    ck_assert_str_eq(buf_text(&out), expected);
    buf_dispose(&out);
}

START_TEST(nothing_left_out_is_an_empty_text)
{
    struct call call;
    call_init(&call);
    assert_ignored(&call, "");
    call_dispose(&call);
}
END_TEST

START_TEST(a_name_is_told_once)
{
    struct call call;
    call_init(&call);
    call_ignore(&call, "seed");
    call_ignore(&call, "top_p");
    call_ignore(&call, "seed");
    assert_ignored(&call, "seed, top_p");
    call_dispose(&call);
}
END_TEST

START_TEST(a_hostile_name_cannot_leave_its_header)
{
    struct call call;
    call_init(&call);
    call_ignore(&call, "a\r\nSet-Cookie: x, y\xC3\xA9");
    assert_ignored(&call, "a??Set-Cookie:?x??y??");
    call_dispose(&call);
}
END_TEST

START_TEST(a_secret_among_the_names_is_masked)
{
    struct call call;
    call_init(&call);
    call_ignore(&call, "r8_0123456789abcdef");
    struct buf out;
    buf_init(&out, 256);
    ck_assert(call_ignored_text(&call, &out));
    ck_assert_ptr_null(strstr(buf_text(&out), "0123456789"));
    buf_dispose(&out);
    call_dispose(&call);
}
END_TEST

START_TEST(thousands_of_names_stay_a_short_list)
{
    struct call call;
    call_init(&call);
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "name%d", i);
        call_ignore(&call, name);
    }
    struct buf out;
    buf_init(&out, 8192);
    ck_assert(call_ignored_text(&call, &out));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "name63, ..."));
    ck_assert_ptr_null(strstr(buf_text(&out), "name64"));
    buf_dispose(&out);
    call_dispose(&call);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_told)
{
    struct call call;
    call_init(&call);
    call_ignore(&call, "temperature");
    struct buf out;
    buf_init(&out, 4);
    ck_assert(!call_ignored_text(&call, &out));
    buf_dispose(&out);
    call_dispose(&call);
}
END_TEST

START_TEST(a_call_that_is_mapped_again_keeps_nothing_of_the_first_time)
{
    struct call call, fresh;
    call_init(&call);
    call_init(&fresh);
    call_ignore(&call, "seed");
    call.stops = json_pack("[s]", "END");
    call.uploads = json_pack("[s]", "data:,x");
    call.seed_input = strdup("seed");
    call.token_limit = 7;
    call.prompt_bytes = 9;
    call.reasoning = REASONING_OFF;
    call.usage_source = "estimated";
    call.n = 4;
    call.state = malloc(8);
    call.state_free = free;
    call_reset_mapping(&call, 1);
    ck_assert_mem_eq(&call, &fresh, sizeof call);
    call_dispose(&call);
}
END_TEST

static Suite *call_suite(void)
{
    Suite *suite = suite_create("call");
    TCase *ignored = tcase_create("ignored");
    tcase_add_test(ignored, nothing_left_out_is_an_empty_text);
    tcase_add_test(ignored, a_name_is_told_once);
    tcase_add_test(ignored, a_hostile_name_cannot_leave_its_header);
    tcase_add_test(ignored, a_secret_among_the_names_is_masked);
    tcase_add_test(ignored, thousands_of_names_stay_a_short_list);
    tcase_add_test(ignored, a_text_that_does_not_fit_is_told);
    suite_add_tcase(suite, ignored);
    TCase *mapping = tcase_create("mapping");
    tcase_add_test(mapping, a_call_that_is_mapped_again_keeps_nothing_of_the_first_time);
    suite_add_tcase(suite, mapping);
    return suite;
}

int main(void)
{
    return suite_run(call_suite());
}
