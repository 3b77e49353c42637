/* How much memory this process may use, with control groups of the test's own. */
#include "base/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "check_main.h"

static char root[] = "/tmp/test-machine-XXXXXX";
static int64_t whole;

static void setup(void)
{
    memcpy(root, "/tmp/test-machine-XXXXXX", sizeof root);
    ck_assert_ptr_nonnull(mkdtemp(root));
    whole = machine_memory_bytes(root);
}

static void teardown(void)
{
    char *command = xasprintf("rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

/* /proc/self/cgroup, a file and what is in it, and another one; 0 = the whole machine. */
static const struct {
    const char *groups, *file, *text, *second_file, *second_text;
    int64_t expected;
} cases[] = {
    {"0::/\n", "/sys/fs/cgroup/memory.max", "1048576\n", NULL, NULL, 1048576},
    {"0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max", "2097152\n", NULL, NULL, 2097152},
    {"0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max", "max\n", "/sys/fs/cgroup/a/memory.max", "4096000\n", 4096000},
    {"0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max", "8192000\n", "/sys/fs/cgroup/a/memory.max", "4096000\n", 4096000},
    {"0::/gone\n", "/sys/fs/cgroup/memory.max", "5000000\n", NULL, NULL, 5000000},
    {"3:cpu:/x\n2:memory:/y\n0::/\n", "/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "6000000\n", NULL, NULL,
     6000000},
    {"2:memory:/y\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", NULL, NULL, 0},
    {"0::/\n", "/sys/fs/cgroup/memory.max", "max\n", NULL, NULL, 0},
    {"0::/\n", "/sys/fs/cgroup/memory.max", "12 apples\n", NULL, NULL, 0},
    {"nonsense\n", "/sys/fs/cgroup/memory.max", "1\n", NULL, NULL, 0},
    {"", "/sys/fs/cgroup/memory.max", "1\n", NULL, NULL, 0},
};

START_TEST(the_least_limit_of_the_groups_counts)
{
    write_file("/proc/self/cgroup", cases[_i].groups);
    write_file(cases[_i].file, cases[_i].text);
    if (cases[_i].second_file != NULL)
        write_file(cases[_i].second_file, cases[_i].second_text);
    ck_assert_int_eq(machine_memory_bytes(root), cases[_i].expected == 0 ? whole : cases[_i].expected);
}
END_TEST

START_TEST(without_groups_it_is_the_machine)
{
    ck_assert_int_eq(whole, (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(a_limited_address_space_counts)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 256 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_int_eq(machine_memory_bytes(root), 256 << 20);
}
END_TEST
#endif

static Suite *machine_suite(void)
{
    Suite *suite = suite_create("machine");
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_least_limit_of_the_groups_counts, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, without_groups_it_is_the_machine);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tcase, a_limited_address_space_counts);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(machine_suite());
}
