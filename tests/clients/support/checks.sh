# Checks for clients that are shell commands, to be sourced.
#
#   a_stream_ends_with_done() { contains "$(ask …)" 'data: [DONE]'; }
#   check 'streams' a_stream_ends_with_done
#   finish 'curl' "$version"
#
# A function's name is the check's sentence. It runs in a subshell: `fail` ends it, and so do the helpers that call it;
# whatever it prints is the reason. What takes long is checked with check_meanwhile, side by side with the rest. What
# was exercised (the first argument) goes into the table of clients when all its checks passed.
# shellcheck shell=sh disable=SC2154 # name, SCRATCH, RESULTS, SIM_URL are run.sh's

fail() {
    echo "$*"
    exit 1
}

# equal ACTUAL EXPECTED WHAT
equal() {
    [ "$1" = "$2" ] || fail "$3 is \"$1\" and not \"$2\""
}

# contains TEXT PART
contains() {
    case $1 in
    *"$2"*) ;;
    *) fail "\"$2\" is not in: $1" ;;
    esac
}

# lacks TEXT PART
lacks() {
    case $1 in
    *"$2"*) fail "\"$2\" is in: $1" ;;
    esac
}

# check EXERCISED FUNCTION
check() {
    sentence=$(echo "$2" | tr _ ' ')
    if why=$("$2" 2>&1); then
        echo "ok $name: $sentence"
        echo "passed $1" >>"$SCRATCH/checks"
    else
        echo "not ok $name: $sentence: $(echo "$why" | tr '\n' ' ' | cut -c 1-500)"
        echo "failed $1" >>"$SCRATCH/checks"
    fi
}

check_meanwhile() {
    check "$1" "$2" &
}

# statuses PROMPT: those of the predictions that the simulated Replicate has with that prompt, a line each.
statuses() {
    curl -sS --max-time 10 -H 'Authorization: Bearer test-token' "$SIM_URL/predictions" |
        sed 's/{"id":/\n&/g' | grep -F "\"prompt\":\"$1\"" | sed -n 's/.*"status":"\([a-z]*\)".*/\1/p'
}

# ends_as PROMPT STATUS: its only prediction comes to that end within five seconds.
ends_as() {
    tries=0
    while [ "$(statuses "$1")" != "$2" ]; do
        [ "$tries" -lt 50 ] || fail "the predictions are \"$(statuses "$1")\" and not one, $2"
        tries=$((tries + 1))
        sleep 0.1
    done
}

# finish CLIENT VERSION: waits for the rest, writes the result, and returns whether all passed.
finish() {
    wait
    awk -v client="$1" -v version="$2" '
        { what = substr($0, 8) }
        !(what in failed) { order[++count] = what; failed[what] = 0 }
        $1 == "failed" { failed[what] = bad = 1 }
        END {
            printf "{\"client\": \"%s\", \"version\": \"%s\", \"exercised\": [", client, version
            for (i = 1; i <= count; i++)
                if (!failed[order[i]]) {
                    printf "%s\"%s\"", separator, order[i]
                    separator = ", "
                }
            print "]}"
            exit bad
        }' "$SCRATCH/checks" >"$RESULTS/$name.json"
}
