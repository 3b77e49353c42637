/* Models' documents on disk: what is kept is found again, in files of safe names, and trouble of any kind is no more
 * than having none. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/replicate/schemas_int.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "check_main.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define KEY "http://replicate.test/v1 acme/writer"
#define DOCUMENT "{\"owner\":\"acme\",\"name\":\"writer\",\"latest_version\":{\"id\":\"abc\"}}"

static char root[64], directory[128], log_name[128];
static struct schema_store *store;

static void setup(void)
{
    struct error err;
    snprintf(root, sizeof root, "/tmp/replibridge-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/cache", root);
    snprintf(log_name, sizeof log_name, "%s/log", root);
    ck_assert(log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT, log_name}, &err));
    store = schema_store_new(directory);
}

static void teardown(void)
{
    schema_store_free(store);
    char *command = xasprintf("rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void put(const char *key, const char *text)
{
    schema_store_write(store, key, text, strlen(text));
}

/* NULL: none is kept. */
static void expect_kept(const char *key, const char *text)
{
    size_t length = 0;
    int64_t age_ms = -1;
    char *bytes = schema_store_read(store, key, &length, &age_ms);
    ck_assert_pstr_eq(bytes, text);
    if (text != NULL)
        ck_assert_uint_eq(length, strlen(text));
    free(bytes);
}

/* How many files there are, and the path of the last one. */
static int count_files(char path[512])
{
    int count = 0;
    DIR *opened = opendir(directory);
    ck_assert_ptr_nonnull(opened);
    for (const struct dirent *entry = readdir(opened); entry != NULL; entry = readdir(opened)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, 512, "%s/%s", directory, entry->d_name);
        count++;
    }
    closedir(opened);
    return count;
}

static void only_file(char path[512])
{
    ck_assert_int_eq(count_files(path), 1);
}

static int log_lines(void)
{
    FILE *file = fopen(log_name, "r");
    ck_assert_ptr_nonnull(file);
    int lines = 0;
    for (int byte = getc(file); byte != EOF; byte = getc(file))
        lines += byte == '\n';
    fclose(file);
    return lines;
}

/* ---- keeping ---- */

START_TEST(what_is_kept_is_found_again_by_the_next_process)
{
    expect_kept(KEY, NULL);
    put(KEY, DOCUMENT);
    expect_kept(KEY, DOCUMENT);
    schema_store_free(store);
    store = schema_store_new(directory);
    expect_kept(KEY, DOCUMENT);
    put(KEY, "{}");
    expect_kept(KEY, "{}");
    char path[512];
    only_file(path); /* and nothing temporary beside it */
    ck_assert_int_eq(log_lines(), 0);
}
END_TEST

START_TEST(bytes_are_kept_as_they_are)
{
    static const char bytes[] = "a\0b\xFF\n";
    size_t length = 0;
    int64_t age_ms = 0;
    schema_store_write(store, KEY, bytes, sizeof bytes - 1);
    char *read = schema_store_read(store, KEY, &length, &age_ms);
    ck_assert_uint_eq(length, sizeof bytes - 1);
    ck_assert_mem_eq(read, bytes, length);
    free(read);
}
END_TEST

START_TEST(directory_and_files_are_for_this_user_alone)
{
    char path[512];
    struct stat status;
    put(KEY, DOCUMENT);
    only_file(path);
    ck_assert_int_eq(stat(directory, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

static const struct {
    int64_t age_s, least_ms, most_ms;
} age_rows[] = {{3600, 3600000, 3660000}, {0, 0, 60000}, {-3600, SCHEMA_LIFE_MS, SCHEMA_LIFE_MS}};

START_TEST(the_age_is_that_of_the_file_and_one_from_the_future_is_old)
{
    char path[512];
    put(KEY, DOCUMENT);
    only_file(path);
    const struct timespec time = {clock_wall_s() - age_rows[_i].age_s, 0}, times[2] = {time, time};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    size_t length = 0;
    int64_t age_ms = -1;
    free(schema_store_read(store, KEY, &length, &age_ms));
    ck_assert_int_ge(age_ms, age_rows[_i].least_ms);
    ck_assert_int_le(age_ms, age_rows[_i].most_ms);
}
END_TEST

/* ---- names ---- */

static const char *const strange_keys[] = {
    "http://replicate.test/v1 ../../outside", "..", ".", "/etc/passwd", "a/b", "a%2Fb", "a b", "A b", "%", "\n\xFF",
};

START_TEST(no_key_leads_out_of_the_directory_and_no_two_share_a_file)
{
    char path[512];
    for (int i = 0; i < ROWS(strange_keys); i++)
        put(strange_keys[i], strange_keys[i]);
    ck_assert_int_eq(count_files(path), ROWS(strange_keys));
    for (int i = 0; i < ROWS(strange_keys); i++)
        expect_kept(strange_keys[i], strange_keys[i]);
    ck_assert_int_eq(log_lines(), 0);
}
END_TEST

START_TEST(a_name_that_is_too_long_for_a_file_is_not_kept)
{
    char key[300], path[512];
    memset(key, 'k', sizeof key);
    key[250] = '\0';
    put(key, DOCUMENT);
    expect_kept(key, DOCUMENT);
    key[250] = 'k';
    key[251] = '\0';
    put(key, DOCUMENT);
    expect_kept(key, NULL);
    only_file(path);
    ck_assert_int_eq(log_lines(), 0);
}
END_TEST

/* ---- trouble ---- */

static void replace_by(const char *path, int way)
{
    ck_assert_int_eq(unlink(path), 0);
    if (way == 0)
        ck_assert_int_eq(mkdir(path, 0700), 0);
    else if (way == 1)
        ck_assert_int_eq(mkfifo(path, 0600), 0);
    else if (way == 2)
        ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
    else
        close(open(path, O_CREAT | O_WRONLY, 0600));
    if (way == 4)
        ck_assert_int_eq(truncate(path, SCHEMA_DOCUMENT_BYTES + 1), 0);
}

START_TEST(what_is_no_readable_file_is_as_good_as_none)
{
    char path[512];
    put(KEY, DOCUMENT);
    only_file(path);
    replace_by(path, _i);
    expect_kept(KEY, NULL);
    put(KEY, DOCUMENT);
    expect_kept(KEY, _i == 0 ? NULL : DOCUMENT);
    only_file(path);
    ck_assert_int_eq(log_lines(), _i == 0 ? 1 : 0);
}
END_TEST

static struct model_schema *peek(struct schema_cache *cache)
{
    char base[] = "http://replicate.test/v1", name[] = "acme/writer";
    const struct target target = {TARGET_MODEL, name, NULL};
    return schema_cache_peek(cache, &(struct schema_source){.target = &target, .base_url = base});
}

static void fetch(struct schema_cache *cache)
{
    struct schema_view view;
    schema_cache_ask(cache, KEY, SCHEMA_NEED_FRESH, &view);
    ck_assert(view.must_fetch);
    ck_assert_ptr_null(view.schema);
    struct model_schema *schema = model_schema_parse(DOCUMENT, strlen(DOCUMENT), NULL);
    schema_cache_keep(cache, KEY, schema, DOCUMENT, strlen(DOCUMENT));
    model_schema_unref(schema);
}

static void expect_peek(struct schema_cache *cache, bool is_known)
{
    struct model_schema *schema = peek(cache);
    ck_assert(is_known == (schema != NULL));
    if (schema != NULL)
        ck_assert_str_eq(schema->version, "abc");
    model_schema_unref(schema);
}

static const char *const broken[] = {"{\"owner\":\"acme\",\"na", "", "[]", "\xFF\xFE", "{\"detail\":\"hello\"}"};

START_TEST(a_broken_file_is_fetched_anew_and_overwritten)
{
    put(KEY, broken[_i]);
    struct schema_cache *cache = schema_cache_new(directory);
    expect_peek(cache, false);
    fetch(cache);
    expect_peek(cache, true);
    schema_cache_free(cache);
    expect_kept(KEY, DOCUMENT);
    cache = schema_cache_new(directory);
    expect_peek(cache, true);
    schema_cache_free(cache);
}
END_TEST

/* Permissions do not bind root, so these are directories that nobody can make or write to. */
START_TEST(a_directory_that_cannot_be_used_is_logged_once_and_done_without)
{
    static const char *const below[] = {"file", "file/cache", "missing/cache"};
    char path[256];
    snprintf(path, sizeof path, "%s/file", root);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/%s", root, below[_i]);
    struct schema_cache *cache = schema_cache_new(path);
    expect_peek(cache, false);
    fetch(cache);
    expect_peek(cache, true);
    schema_cache_free(cache);
    ck_assert_int_eq(log_lines(), 1);
}
END_TEST

START_TEST(a_directory_that_goes_away_is_logged_once_and_done_without)
{
    ck_assert_int_eq(rmdir(directory), 0);
    put(KEY, DOCUMENT);
    put(KEY, DOCUMENT);
    expect_kept(KEY, NULL);
    ck_assert_int_eq(log_lines(), 1);
}
END_TEST

START_TEST(without_a_directory_nothing_is_kept)
{
    struct schema_cache *cache = schema_cache_new(NULL);
    fetch(cache);
    expect_peek(cache, true);
    schema_cache_free(cache);
    cache = schema_cache_new(NULL);
    expect_peek(cache, false);
    schema_cache_free(cache);
    ck_assert_int_eq(log_lines(), 0);
}
END_TEST

/* ---- of clients' own tokens ---- */

static struct model_schema *peek_with(struct schema_cache *cache, const char *token)
{
    char base[] = "http://replicate.test/v1", name[] = "acme/writer";
    const struct target target = {TARGET_MODEL, name, NULL};
    return schema_cache_peek(
        cache, &(struct schema_source){.target = &target, .base_url = base, .token = token, .is_private = true});
}

START_TEST(what_a_client_s_token_may_see_is_for_that_token_and_not_on_disk)
{
    char base[] = "http://replicate.test/v1", name[] = "acme/writer", path[512];
    const struct target target = {TARGET_MODEL, name, NULL};
    struct schema_view view;
    struct schema_cache *cache = schema_cache_new(directory);
    char *key = schema_key(
        &(struct schema_source){.target = &target, .base_url = base, .token = "test-token-a", .is_private = true});
    ck_assert_ptr_null(strstr(key, "test-token"));
    ck_assert_str_eq(schema_key_reference(key), "acme/writer");
    schema_cache_ask(cache, key, SCHEMA_NEED_FRESH, &view);
    ck_assert(view.must_fetch);
    struct model_schema *schema = model_schema_parse(DOCUMENT, strlen(DOCUMENT), NULL);
    schema_cache_keep(cache, key, schema, DOCUMENT, strlen(DOCUMENT));
    model_schema_unref(schema);
    struct model_schema *own = peek_with(cache, "test-token-a");
    ck_assert_ptr_nonnull(own);
    model_schema_unref(own);
    ck_assert_ptr_null(peek_with(cache, "test-token-b"));
    ck_assert_ptr_null(peek_with(cache, NULL));
    expect_peek(cache, false);
    ck_assert_int_eq(count_files(path), 0);
    schema_cache_free(cache);
    free(key);
}
END_TEST

static Suite *store_suite(void)
{
    Suite *suite = suite_create("schema_store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_kept_is_found_again_by_the_next_process);
    tcase_add_test(tcase, bytes_are_kept_as_they_are);
    tcase_add_test(tcase, directory_and_files_are_for_this_user_alone);
    tcase_add_loop_test(tcase, the_age_is_that_of_the_file_and_one_from_the_future_is_old, 0, ROWS(age_rows));
    tcase_add_test(tcase, no_key_leads_out_of_the_directory_and_no_two_share_a_file);
    tcase_add_test(tcase, a_name_that_is_too_long_for_a_file_is_not_kept);
    tcase_add_loop_test(tcase, what_is_no_readable_file_is_as_good_as_none, 0, 5);
    tcase_add_loop_test(tcase, a_broken_file_is_fetched_anew_and_overwritten, 0, ROWS(broken));
    tcase_add_loop_test(tcase, a_directory_that_cannot_be_used_is_logged_once_and_done_without, 0, 3);
    tcase_add_test(tcase, a_directory_that_goes_away_is_logged_once_and_done_without);
    tcase_add_test(tcase, without_a_directory_nothing_is_kept);
    tcase_add_test(tcase, what_a_client_s_token_may_see_is_for_that_token_and_not_on_disk);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(store_suite());
}
