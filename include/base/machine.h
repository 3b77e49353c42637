/* What the machine, or the part of it that we may use, has. Any thread. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdint.h>

/* How much memory this process may use, in bytes: the least of the machine's, the limits of its control group and of
 * those above it (versions 2 and 1), and of its address space. `root` stands before /proc and /sys: "", or a test's
 * own. Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst (memory.max: a number or "max") and
 * cgroup-v1/memory.rst (memory.limit_in_bytes); proc(5) and cgroups(7) for /proc/self/cgroup. */
int64_t machine_memory_bytes(const char *root);

#endif
