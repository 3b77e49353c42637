#!/bin/sh
# The lints' own test: each must pass a small good tree and find the fault in a bad one. A lint that finds nothing any
# more would otherwise look like a clean tree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

# put FILE TEXT: a file of the tree, made of the text with its escapes.
put() {
    mkdir -p "$tree/$(dirname "$1")"
    printf '%b' "$2" >"$tree/$1"
}

good_tree() {
    rm -rf "$tree"
    put include/base/a.h '/* A header. */\n#include <stddef.h>\nint a(int b);\n'
    put src/base/a.c '/* A file. */\n#include "base/a.h"\n\nint a(int b)\n{\n    if (b)\n        return 1;\n    return 0; /* not a strcpy( */\n}\n'
    put src/server/b.c '/* Another. */\n#include "base/a.h"\n#include "replicate/c.h"\n'
    put tests/unit/test_a.c '/* Tests. */\nSTART_TEST(one)\n{\n}\nEND_TEST\n\nvoid add(void)\n{\n    tcase_add_test(tcase,\n                   one);\n}\n'
    put scripts/do.sh 'mktemp /tmp/name-XXXXXX\n'
    put Makefile 'all:\n'
    put include/base/error.h '/* Errors. */\n#define ERROR_KINDS(X) \\\n    X(NO_KEY, 401, "a_type", NULL, false, false) \\\n    X(TIMEOUT, 504, "a_type", "timeout", false, true)\n'
    # shellcheck disable=SC2016 # Markdown's, not the shell's
    put docs/troubleshooting.md '| `no_key` | 401 | – | No key. |\n| `timeout` | 504 | `timeout` | Late. |\n'
    put src/main.c '/* Main. */\nstatic const char HELP[] =\n    "  --check  check\\n";\n'
    put packaging/man/replibridge.1 '.It Fl -check\n'
    put packaging/completion/replibridge.bash 'options="--check"\n'
    put packaging/completion/_replibridge "'--check[check]'\n"
    put include/base/metrics_table.h '/* A table. */\n#define METRIC_LABELS(X) \\\n    X(none, "", WORDS, 1) \\\n    X(kind, "kind", WORDS, 2)\n#define METRICS(X) \\\n    X(a_total, COUNTER, kind, none, "A") \\\n    X(b_seconds, LONG, none, none, "B")\n'
    put config/monitoring/a.yaml '- expr: rate(replibridge_a_total{kind="x"}[5m]) / on (kind) rate(replibridge_b_seconds_bucket{le="1"}[5m]) > 0\n'
    mkdir -p "$tree/docs"
    sh "$here/../../scripts/metrics-table.sh" "$tree" >"$tree/docs/metrics.md"
}

# expect LINT: it must find the fault that was just put into the tree. The tree is good again afterwards.
expect() {
    if sh "$here/$1.sh" "$tree" >"$tree.out" 2>&1; then
        echo "$1.sh overlooks: $2"
        bad=1
    elif ! grep -q "$3" "$tree.out"; then
        echo "$1.sh says something else of: $2"
        cat "$tree.out"
        bad=1
    fi
    rm -f "$tree.out"
    good_tree
}

# repeat N TEXT
repeat() {
    awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) printf "%s", text }'
}

good_tree
for lint in layers libraries limits banned registration comments workplace manual metrics errors; do
    if ! sh "$here/$lint.sh" "$tree"; then
        echo "$lint.sh complains of a good tree"
        bad=1
    fi
done

put src/base/up.c '/* Up. */\n#include "config/config.h"\n'
expect layers 'base including config' 'src/base/up.c:2:.*may not include "config/config.h"'
put src/replicate/side.c '/* Aside. */\n\n#include "openai/call.h"\n'
expect layers 'replicate including openai' 'side.c:3:'
put src/replicate/side.c '/* Aside. */\n#include "config/config.h"\n'
expect layers 'replicate including config' 'side.c:2:'
put include/base/up.h '/* Up. */\n#  include "server/http.h"\n'
expect layers 'a header pointing up' 'include/base/up.h:2:'
put src/base/up.c '/* Up. */\n#include "../config/config.h"\n'
expect layers 'an include that climbs' 'climbs out'
put src/attic/x.c '/* Attic. */\n'
expect layers 'an unknown room' 'no room "attic"'

put src/server/a.c '/* A. */\n#include <curl/curl.h>\n'
expect libraries 'curl in the server' 'a.c:2: <curl/curl.h>'
put src/base/b.c '/* B. */\n#include <yaml.h>\n'
expect libraries 'libyaml in base' 'b.c:2:'
put src/openai/c.c '/* C. */\nvoid f(void)\n{\n    json_loads("1", 0, 0);\n}\n'
expect libraries 'parsing in openai' 'c.c:4:'
put src/server/c.c '/* C. */\nvoid f(void)\n{\n    free(json_dumps(0, 0));\n}\n'
expect libraries 'dumping in server' 'c.c:4:'

put src/base/long.c "/* Long. */\nint f(void)\n{\n$(repeat 60 '    a();\\n')}\n"
expect limits 'a function of 63 lines' 'long.c:2: the function has 63 lines'
put src/base/long.c "/* Long. */\n$(repeat 500 'int a;\\n')"
expect limits 'a file of 501 lines' 'long.c:501:'
put tests/unit/test_long.c "/* Long. */\n$(repeat 500 'int a;\\n')"
expect limits 'a test of 501 lines' 'test_long.c:501:'
put src/base/wide.c '/* Wide. */\nint f(int a, int b, int c,\n      int d, int e, int g)\n{\n}\n'
expect limits 'six parameters' 'wide.c:2: the function has 6 parameters'
put src/base/deep.c '/* Deep. */\nint f(void)\n{\n    if (a)\n        for (;;)\n            while (b)\n                if (c)\n                    d();\n}\n'
expect limits 'four levels' 'deep.c:7: nested'
put src/base/brace.c '/* Brace. */\nint f(void) {\n}\n'
expect limits 'a brace at the end of the line' 'brace.c:2:'

for call in sprintf vsprintf strcpy strcat strncpy gets atoi atol atof strtok sleep usleep alloca localtime gmtime \
    json_object_getn json_object_setn_new_nocheck; do
    put src/base/call.c "/* Call. */\nvoid f(void)\n{\n    x = $call (a);\n}\n"
    expect banned "a call of $call" "call.c:4: banned call"
done
put tests/unit/test_b.c '/* Tests. */\nvoid f(void)\n{\n    sleep(1);\n}\n'
expect banned 'sleep in a test' 'test_b.c:4:'
for word in TO""DO FIX""ME XX""X; do
    put scripts/later.sh "# $word: later\n"
    expect banned "the word $word" 'later.sh:1:'
done

put tests/unit/test_b.c '/* Tests. */\nSTART_TEST(forgotten)\n{\n}\n\nvoid add(void)\n{\n    /* tcase_add_test(tcase, forgotten); */\n    tcase_add_test(tcase, forgotten_too);\n}\n'
expect registration 'a test that is added nowhere' 'test_b.c:2: the test forgotten'
put tests/unit/b_tests.c '/* Tests. */\nSTART_TEST(one)\n{\n}\n\nvoid add(void)\n{\n    tcase_add_loop_test(tcase, one, 0, 3);\n}\n'
expect registration 'a file that is not built' 'not built'

put src/base/bare.c '#include <stddef.h>\n'
expect comments 'a file without a comment' 'bare.c:1:'
put include/base/bare.h '\n/* Late. */\n'
expect comments 'a header whose comment is late' 'bare.h:1:'

put scripts/path.sh "cat ../""shared/notes\n"
expect workplace 'a folder beside the repository' 'path.sh:1:'
put src/base/path.c "/* See /""work/notes. */\n"
expect workplace 'a path of one machine' 'path.c:1:'

put packaging/man/replibridge.1 '.It Fl -chekc\n'
expect manual 'an option that the manual page misses' 'replibridge.1: differs'
put packaging/completion/_replibridge "'--check[check]' '--old[gone]'\n"
expect manual 'an option that there is no more' '_replibridge: differs'

# ask EXPRESSION: the only line of an alert.
ask() {
    put config/monitoring/a.yaml "- expr: $1\n"
}
ask 'rate(replibridge_c_total[5m])'
expect metrics 'a metric that is not there' 'a.yaml:1: there is no metric replibridge_c_total'
ask 'replibridge_b_seconds'
expect metrics 'a histogram without a suffix' 'no metric replibridge_b_seconds'
ask 'replibridge_a_total_bucket'
expect metrics 'a counter with a suffix' 'no metric replibridge_a_total_bucket'
ask 'replibridge_a_total{kind="x",alias="y"}'
expect metrics 'a label that is not there' 'replibridge_a_total has no label "alias"'
ask 'sum by (le, alias) (replibridge_a_total)'
expect metrics 'a group that is not there' 'has the label "alias"'
# shellcheck disable=SC2016 # not the shell's variable
ask 'up == 0\n  title: "{{ $labels.nothing }}"'
expect metrics 'a shown label that is not there' 'a.yaml:2: no metric has the label "nothing"'
echo 'more' >>"$tree/docs/metrics.md"
expect metrics 'a page that is out of date' 'docs/metrics.md:1:'

# shellcheck disable=SC2016 # Markdown's, not the shell's
put docs/troubleshooting.md '| `no_key` | 401 | – | No key. |\n| `timeout` | 503 | `timeout` | Late. |\n'
expect errors 'an error that is explained with another status' 'timeout 504 timeout'

exit "$bad"
