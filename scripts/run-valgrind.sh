#!/bin/sh
# Runs the test programs given under valgrind's memcheck: what it finds that the sanitizers do not is memory that was
# never written, and the program as it is shipped. Any error fails, and so does any block that is surely lost.
#
#   BUILD=build sh scripts/run-valgrind.sh PROGRAM…
#
# One line each; the output of what failed follows its line. The last line is `N passed, N failed`. Of the end-to-end
# tests only those named below are run; there it is the daemon that valgrind watches.
set -eu

BUILD=${BUILD:-build}
export BUILD
here=$(dirname "$0")
checks='--quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99
    --num-callers=24 --vgdb=no --fair-sched=try'
seconds_per_program=280

# Of the end-to-end tests: chats that are whole, and streams. Each start of the daemon takes seconds.
on_daemon='test_issue test_stream_origin'

is_chosen() {
    name=${1##*/}
    case $1 in
    */tests/e2e/*)
        case " $on_daemon " in
        *" $name "*) return 0 ;;
        esac
        return 1
        ;;
    esac
    # Left out: thousands of inputs that are mapped, which take minutes; and what tests the tests' own tools, since no
    # line of the program runs there.
    case $name in
    test_properties | test_replicate_sim*) return 1 ;;
    esac
}

# One process for all tests of a program is the quickest. What counts for the whole process, as the log and the metrics
# do, needs one for each test: what valgrind finds there makes its exit code, which Check looks at.
fork_of() {
    case $1 in
    test_log | test_log_repeat | test_metrics | test_metrics_write | test_exchange_metrics) echo yes ;;
    *) echo no ;;
    esac
}

# run_one PATH
run_one() {
    name=${1##*/}
    result=$RESULTS/$name
    began=$(date +%s)
    code=0
    case $1 in
    */tests/e2e/*) timeout -k 10 "$seconds_per_program" env REPLIBRIDGE="$RESULTS/replibridge" "$1" ;;
    *) # shellcheck disable=SC2086 # words
        timeout -k 10 "$seconds_per_program" env CK_FORK="$(fork_of "$name")" valgrind $checks "$1" ;;
    esac >"$result.out" 2>&1 </dev/null || code=$?
    took=$(($(date +%s) - began))
    echo "$code" >"$result.code"
    if [ "$code" -eq 0 ]; then
        echo "ok      $1 ($took s)"
    else
        printf '%s\n' "FAILED  $1 (exit code $code, $took s)
$(head -n 80 "$result.out" | cut -c 1-500 | sed 's/^/        /')"
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

# A program takes ten times as long, and one thread of it runs at a time.
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-20}"
export CK_EXCLUDE_TAGS="${CK_EXCLUDE_TAGS:-} large slow"
program=$BUILD/replibridge
case $program in
/*) ;;
*) program=$PWD/$program ;;
esac
printf '#!/bin/sh\nexec valgrind %s %s "$@"\n' "$(echo "$checks" | tr -s ' \n' ' ')" "'$program'" >"$RESULTS/replibridge"
chmod +x "$RESULTS/replibridge"

# Those with the daemon first: they take longest, and wait most of it.
first=''
chosen=''
for program; do
    is_chosen "$program" || continue
    case $program in
    */tests/e2e/*) first="$first $program" ;;
    *) chosen="$chosen $program" ;;
    esac
done
# shellcheck disable=SC2086 # no path of ours holds a space
printf '%s\n' $first $chosen | xargs -P "$(nproc)" -I '{}' sh "$here/run-valgrind.sh" --one '{}'

cat "$RESULTS"/*.code | awk '
    $1 == 0 { passed++ }
    $1 != 0 { failed++ }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
