#!/bin/sh
# Runs each libFuzzer program given for FUZZ_SECONDS, beginning with the inputs that are kept in tests/fuzz/corpus. What
# it finds stays in BUILD; an input that breaks something is to be copied to the kept ones, with the mend.
set -eu

for program; do
    name=${program##*/fuzz_}
    found=$BUILD/fuzz-found/$name
    kept=tests/fuzz/corpus/$name
    mkdir -p "$found"
    set -- "$found"
    [ ! -d "$kept" ] || set -- "$@" "$kept"
    if ! "$program" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz-broken-$name-" "$@" >"$BUILD/fuzz-$name.log" 2>&1; then
        tail -n 60 "$BUILD/fuzz-$name.log"
        echo "FAILED  fuzzing $name; the input is kept as $BUILD/fuzz-broken-$name-*"
        exit 1
    fi
    echo "ok      fuzzing $name ($(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/fuzz-$name.log") inputs)"
done
