#!/bin/sh
# Runs real clients against the daemon, with a simulated Replicate behind it. Each has a folder beside this file, and
# gets a daemon and a Replicate of its own.
#
#   [BUILD=build] sh tests/clients/run.sh [--install] [NAME…]
#
# --install  first lets each client install the tools that it has pinned, below $BUILD/clients; without it a client
#            whose tools are not there is left out, and said to be. With all clients, it also writes docs/clients.md.
# The last line is `N passed, N failed`. README.md tells how to add a client.
set -eu

BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
here=$(cd "$(dirname "$0")" && pwd)
lanes=${CLIENT_LANES:-3}
install_seconds=900
client_seconds=300
left_out=77 # the exit code of install.sh and run.sh where what they need is not on this machine
export BUILD

# --- Processes: none survives this script ---------------------------------------------------------------------------

children='' # process ids, the youngest first: a client ends before its daemon, the daemon before its Replicate
stop_children() {
    for child in $children; do
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    children=''
}

# The youngest child has ended, and its id may become somebody else's.
forget_child() {
    children=${children#* }
}

# clean_up_behind [FOLDER]: from here on whoever ends, or is ended, leaves neither processes nor that folder.
clean_up_behind() {
    children=''
    folder=${1:-}
    trap 'stop_children; [ -z "$folder" ] || rm -rf "$folder"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# bounded SECONDS COMMAND…: leaves its exit code in $code. In the background, so that our traps work meanwhile.
bounded() {
    seconds=$1
    shift
    timeout -k 5 "$seconds" "$@" </dev/null &
    children="$! $children"
    code=0
    wait "$!" || code=$?
    forget_child
}

# await_url LOG PID: prints the address after "listening on" in the log, as soon as it is there.
await_url() {
    tries=0
    while [ "$tries" -lt 100 ] && kill -0 "$2" 2>/dev/null; do
        url=$(sed -n 's/.*listening on \(http:[^ "]*\).*/\1/p' "$1" | head -n 1)
        [ -z "$url" ] || { echo "$url" && return 0; }
        tries=$((tries + 1))
        sleep 0.1
    done
    return 1
}

# --- One client -----------------------------------------------------------------------------------------------------

# The files that say what is installed: others may change without a new installation.
pins() {
    for file in install.sh requirements.txt package.json package-lock.json go.mod go.sum pom.xml; do
        [ ! -e "$here/$name/$file" ] || cat "$here/$name/$file"
    done | cksum
}

leave_out() {
    echo "left out: $name ($1)"
}

# Installs where that was asked for. False, and said why, when the client cannot run.
has_tools() {
    [ -e "$here/$name/install.sh" ] || return 0
    if [ "$(cat "$TOOLS/.installed" 2>/dev/null)" = "$(pins)" ]; then
        return 0
    elif [ "$INSTALL" != yes ]; then
        leave_out 'run make check-clients'
        return 1
    fi
    rm -rf "$TOOLS"
    mkdir -p "$TOOLS"
    bounded "$install_seconds" sh "$here/$name/install.sh" >"$SCRATCH/install.log" 2>&1
    if [ "$code" -eq 0 ]; then
        pins >"$TOOLS/.installed"
        return 0
    elif [ "$code" -eq "$left_out" ]; then
        leave_out "$(tail -n 1 "$SCRATCH/install.log")"
    else
        echo "not ok $name: its tools are installed: exit code $code"
        tail -n 20 "$SCRATCH/install.log" | sed 's/^/    /'
    fi
    return 1
}

start_servers() {
    : >"$SCRATCH/sim.log"
    : >"$SCRATCH/daemon.log"
    "$BUILD/replicate-sim" --token test-token --creates-per-minute 0 --calls-per-minute 0 --plan "$here/plans.json" \
        >"$SCRATCH/sim.log" 2>&1 &
    sim=$!
    children="$sim $children"
    SIM_URL=$(await_url "$SCRATCH/sim.log" "$sim")
    export SIM_URL
    "${REPLIBRIDGE:-$BUILD/replibridge}" --config "$here/daemon.yaml" >"$SCRATCH/daemon.log" 2>&1 &
    daemon=$!
    children="$daemon $children"
    REPLIBRIDGE_URL=$(await_url "$SCRATCH/daemon.log" "$daemon")
    export REPLIBRIDGE_URL
}

run_client() {
    # shellcheck disable=SC2016 # $1 is that shell's
    bounded "$client_seconds" sh -c 'cd "$1" && exec sh run.sh' - "$here/$name" >"$SCRATCH/out" 2>"$SCRATCH/err"
    if [ "$code" -eq "$left_out" ]; then
        leave_out "$(tail -n 1 "$SCRATCH/out")"
        return
    fi
    cat "$SCRATCH/out"
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ]; then
        echo "not ok $name: it ends within $client_seconds s: it had to be stopped"
    elif [ "$code" -ne 0 ] && ! grep -q '^not ok ' "$SCRATCH/out"; then
        echo "not ok $name: it runs to its end: exit code $code"
    elif ! grep -q '^\(not \)\{0,1\}ok ' "$SCRATCH/out"; then
        echo "not ok $name: it checks something: it printed no check"
    fi
    [ "$code" -eq 0 ] || tail -n 40 "$SCRATCH/err" | sed 's/^/    /'
}

# Whatever a client did, the daemon has to be well, and has to clean up behind it.
end_servers() {
    code=0
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" || code=$?
    forget_child
    if [ "$code" -eq 0 ]; then
        echo "ok $name: afterwards the daemon stops in good order"
    else
        echo "not ok $name: afterwards the daemon stops in good order: exit code $code"
        tail -n 20 "$SCRATCH/daemon.log" | sed 's/^/    /'
    fi
    code=0
    kill "$sim" 2>/dev/null || true
    wait "$sim" || code=$?
    forget_child
    if [ "$code" -eq 0 ]; then
        echo "ok $name: no prediction is left running"
    else
        echo "not ok $name: no prediction is left running: $(tail -n 1 "$SCRATCH/sim.log")"
    fi
}

run_one() {
    name=$1
    SCRATCH=$(mktemp -d)
    TOOLS=$BUILD/clients/$name
    CHECKS=$here/support
    REPLIBRIDGE_KEY=test-key
    export name SCRATCH TOOLS CHECKS REPLIBRIDGE_KEY
    clean_up_behind "$SCRATCH"
    has_tools || return 0
    # No proxy of this machine, and no cache of Python's in the source tree.
    export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 PYTHONPATH="$CHECKS" PYTHONDONTWRITEBYTECODE=1
    if ! start_servers; then
        echo "not ok $name: the daemon and the simulated Replicate start:"
        cat "$SCRATCH/sim.log" "$SCRATCH/daemon.log" | sed 's/^/    /'
        return 0
    fi
    run_client
    end_servers
}

# --- All of them ----------------------------------------------------------------------------------------------------

# run_lane NAME…: one after the other. They mostly wait, so that several lanes side by side disturb nobody.
run_lane() {
    clean_up_behind
    for client; do
        sh "$here/run.sh" --one "$client" >"$LOGS/$client" 2>&1 &
        children=$!
        wait "$children" || true
        children=''
        cat "$LOGS/$client"
    done
}

start_lanes() {
    lane=0
    while [ "$lane" -lt "$lanes" ]; do
        mine=''
        count=0
        for client; do
            [ "$((count % lanes))" -ne "$lane" ] || mine="$mine $client"
            count=$((count + 1))
        done
        # shellcheck disable=SC2086 # names of folders
        run_lane $mine &
        children="$! $children"
        lane=$((lane + 1))
    done
}

every_client() {
    for script in "$here"/*/run.sh; do
        basename "$(dirname "$script")"
    done
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit 0
fi

INSTALL=no
if [ "${1:-}" = --install ]; then
    INSTALL=yes
    shift
fi
RESULTS=$BUILD/clients/results
LOGS=$(mktemp -d)
export INSTALL RESULTS LOGS
clean_up_behind "$LOGS"
mkdir -p "$RESULTS"

all=no
if [ $# -eq 0 ]; then
    all=yes
    rm -f "$RESULTS"/*.json
    # shellcheck disable=SC2046 # names of folders
    set -- $(every_client)
fi
for client; do
    [ -e "$here/$client/run.sh" ] || { echo "There is no client $client: see $here." >&2 && exit 2; }
done
start_lanes "$@"
# shellcheck disable=SC2086 # process ids
wait $children
children=''

passed=$(cat "$LOGS"/* | grep -c '^ok ' || true)
failed=$(cat "$LOGS"/* | grep -c '^not ok ' || true)
if [ "$all$INSTALL" = yesyes ] && [ "$failed" -eq 0 ] && ! cat "$LOGS"/* | grep -q '^left out'; then
    mkdir -p "$here/../../docs"
    python3 "$here/table.py" "$RESULTS" >"$here/../../docs/clients.md"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
