#!/bin/sh
# Runs the test programs given, then the lints, the commands of the documentation and the client tests, each with a time
# limit, and sums up.
#
#   BUILD=build SAN= sh scripts/run-tests.sh [PROGRAM…]
#
# One line each; the output of what failed follows its line. The last line is `N passed, N failed`. Under a sanitizer
# (SAN=asan, SAN=tsan) the lints and the client tests are left out: they would say the same again. Check forks for each
# test there too: its own process has one thread, so that ThreadSanitizer has nothing against it.
set -eu

BUILD=${BUILD:-build}
SAN=${SAN:-}
here=$(dirname "$0")
export BUILD SAN REPLIBRIDGE="${REPLIBRIDGE:-$BUILD/replibridge}"

seconds_per_program=300
if [ -n "$SAN" ]; then
    seconds_per_program=1200
    # A hundred megabytes prove nothing more at a tenth of the speed.
    export CK_EXCLUDE_TAGS="${CK_EXCLUDE_TAGS:-} large"
    export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-10}"
fi
case $SAN in
asan)
    export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
    ;;
tsan)
    export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"
    ;;
esac

# A name for a result's files: the path with its slashes replaced.
result_name() {
    printf '%s' "$1" | tr '/' '_'
}

# run_one PATH: runs it, stores what it printed, and prints its line.
run_one() {
    result=$RESULTS/$(result_name "$1")
    name=$1
    case $1 in
    *.sh) set -- sh "$1" ;;
    /*) ;;
    *) set -- "./$1" ;;
    esac
    began=$(date +%s)
    code=0
    timeout -k 10 "$seconds_per_program" "$@" >"$result.out" 2>&1 </dev/null || code=$?
    took=$(($(date +%s) - began))
    # Check's own closing line has the counts; anything else is one test.
    counts=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$result.out" | tail -n 1)
    # A script that counts its own tests ends with a line like ours.
    own=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$result.out")
    if [ -n "$own" ]; then
        passed=${own% *}
        failed=${own#* }
    elif [ -n "$counts" ]; then
        # shellcheck disable=SC2086 # three numbers
        set -- $counts
        failed=$(($2 + $3))
        passed=$(($1 - failed))
        [ "$1" -gt 0 ] || { failed=1 && echo "It ran no test." >>"$result.out"; }
    else
        failed=0
        passed=1
    fi
    if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
        [ -n "$counts$own" ] || passed=0
    fi
    [ "$code" -ne 124 ] || echo "It took more than $seconds_per_program s and was ended." >>"$result.out"
    echo "$passed $failed" >"$result.counts"
    if [ "$failed" -eq 0 ]; then
        echo "ok      $name ($passed, $took s)"
        sed -n 's/^left out: /        &/p' "$result.out"
    else
        # One write, so that two programs that fail at the same time do not mix their output.
        printf '%s\n' "FAILED  $name ($failed of $((passed + failed)), exit code $code, $took s)
$(grep -v '^ok ' "$result.out" | head -n 60 | cut -c 1-2000 | sed 's/^/        /')"
    fi
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit 0
fi

RESULTS=$(mktemp -d)
export RESULTS
trap 'rm -rf "$RESULTS"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# run_all JOBS PATH…: so many at a time.
run_all() {
    jobs=$1
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | xargs -P "$jobs" -I '{}' sh "$here/run-tests.sh" --one '{}'
}

# Two at a time: nearly all of them wait most of their time. Those that wait for a minute come first, so that nobody
# waits for them in the end. What puts the machine under load runs alone.
first=''
together=''
alone=''
for program; do
    case $program in
    */test_issue_slow | */test_stream_slow*) first="$first $program" ;;
    */test_load | */test_drain_load | */test_exhaustion) alone="$alone $program" ;;
    *) together="$together $program" ;;
    esac
done
scripts=''
if [ -z "$SAN" ]; then
    for script in tests/lint/*.sh; do
        scripts="$scripts $script"
    done
    # Lints need nothing built, the commands of the documentation and clients do; without programs it is the lints alone.
    [ $# -eq 0 ] || scripts="$scripts tests/docs/run.sh tests/clients/run.sh"
fi
# shellcheck disable=SC2086 # no path of ours holds a space
{
    run_all 2 $first $together
    run_all 1 $alone
    run_all 1 $scripts
}

cat "$RESULTS"/*.counts 2>/dev/null | awk '
    { passed += $1; failed += $2 }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
