/* What every test binary shares: running one suite with Check. */
#ifndef SUPPORT_CHECK_MAIN_H
#define SUPPORT_CHECK_MAIN_H

#include <check.h>

/* Runs the suite (Check's environment variables apply: CK_FORK, CK_RUN_CASE …); the process' exit code. */
int suite_run(Suite *suite);

#endif
