/* A strict reader of Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): it takes less than a scraper would. */
#ifndef SUPPORT_PROMETHEUS_H
#define SUPPORT_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

/* The test fails, with the line, unless each metric has one HELP and one TYPE before its samples, all lines of a metric
 * stand together, names, labels and values are well formed, no series stands there twice, counters end in `_total`,
 * and the buckets of histograms rise up to a +Inf that is their count. */
void prometheus_check(const char *text, size_t length);

/* The value of a series as it is written, such as `replibridge_polls_total` or `x{a="b"}`; -1 where there is none. The
 * name alone of a metric with labels: the sum over its series. */
double prometheus_value(const char *text, const char *series);

/* Gives the text to `promtool check metrics`. The test fails where it complains; true where there is no promtool. */
bool prometheus_promtool_agrees(const char *text, size_t length);

#endif
