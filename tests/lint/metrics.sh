#!/bin/sh
# The page about metrics is the one that their table gives, and dashboard and alerts ask only for metrics and labels
# that there are. Where promtool is installed it checks the alerts and the scrape, too.
#
#   sh tests/lint/metrics.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
table=$here/../../scripts/metrics-table.sh
cd "${1:-.}"
[ -f include/base/metrics_table.h ] || exit 0
bad=0

if ! sh "$table" . | diff -u docs/metrics.md - >&2; then
    echo "docs/metrics.md:1: not as the table gives it; write it with: sh scripts/metrics-table.sh >docs/metrics.md"
    bad=1
fi

# A line holds one expression at most, so that its labels can be told from its metrics. A label that stands in a matcher
# belongs to the metric before it; one that is grouped by, or shown, to any metric of the line.
list=$(sh "$table" --list .)
find config/monitoring -type f -exec awk -v list="$list" '
    function complain(text) { print FILENAME ":" FNR ": " text; bad = 1 }
    BEGIN {
        count = split(list, rows, "\n")
        for (i = 1; i <= count; i++) {
            fields = split(rows[i], row, " ")
            suffixes = row[2] == "histogram" ? split("_bucket _sum _count", suffix, " ") : split("", suffix)
            for (s = 0; s <= suffixes; s++) {
                if (row[2] == "histogram" && s == 0) continue
                name = row[1] suffix[s]
                known[name] = 1
                for (f = 3; f <= fields; f++) has[name, row[f]] = all[row[f]] = 1
                if (suffix[s] == "_bucket") has[name, "le"] = 1
            }
        }
        # What Prometheus adds to every series, and to those of histograms.
        common["instance"] = common["job"] = common["le"] = 1
        known["up"] = 1
    }
    function check_matchers(metric, matchers,    parts, n, i, label) {
        n = split(matchers, parts, ",")
        for (i = 1; i <= n; i++) {
            if (parts[i] !~ /^[ \t]*[a-z_]+[ \t]*(=|!)/) continue
            label = parts[i]
            gsub(/^[ \t]+|[ \t]*[=!].*/, "", label)
            if (!((metric, label) in has) && !(label in common && label != "le"))
                complain("the metric " metric " has no label \"" label "\"")
        }
    }
    function check_group(group,    parts, n, i, m, found) {
        n = split(group, parts, /[ \t,]+/)
        for (i = 1; i <= n; i++) {
            found = parts[i] == "" || parts[i] in common
            for (m = 1; m <= metrics && !found; m++) found = (used[m], parts[i]) in has
            if (!found) complain("none of the metrics here has the label \"" parts[i] "\"")
        }
    }
    /^[ \t]*#/ { next }
    {
        metrics = 0
        rest = $0
        gsub(/"uid": *"[^"]*"|"title": *"[^"]*"|"tags": *\[[^]]*\]/, "", rest)
        text = rest
        while (match(rest, /(replibridge|process)_[a-z0-9_]+/)) {
            name = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            used[++metrics] = name
            if (!(name in known)) complain("there is no metric " name)
            else if (rest ~ /^\{/) check_matchers(name, substr(rest, 2, index(rest, "}") - 2))
        }
        rest = text
        while (metrics > 0 && match(rest, /(^|[^a-z])(by|on|without) *\([^)]*\)/)) {
            group = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            sub(/^[^(]*\(/, "", group)
            sub(/\)$/, "", group)
            check_group(group)
        }
        while (metrics > 0 && match(text, /label_values\([a-z0-9_]+, *[a-z_]+\)/)) {
            group = substr(text, RSTART, RLENGTH - 1)
            text = substr(text, RSTART + RLENGTH)
            sub(/^.*, */, "", group)
            check_group(group)
        }
        rest = $0
        while (match(rest, /\{\{ *(\$labels\.)?[a-z_]+ *\}\}/)) {
            label = substr(rest, RSTART + 2, RLENGTH - 4)
            rest = substr(rest, RSTART + RLENGTH)
            gsub(/^ *(\$labels\.)?| *$/, "", label)
            if (!(label in all) && !(label in common)) complain("no metric has the label \"" label "\"")
        }
    }
    END { exit bad }' {} + || bad=1

if command -v promtool >/dev/null 2>&1 && [ -f config/monitoring/prometheus.yaml ]; then
    said=$(promtool check config config/monitoring/prometheus.yaml 2>&1) || { echo "$said"; bad=1; }
fi
exit "$bad"
