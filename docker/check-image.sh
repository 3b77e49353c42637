#!/bin/sh
# Builds the image, runs it as an operator would (read-only, without capabilities, as some user), and looks at it from
# outside: it answers, waits for a model that boots, is healthy, stops cleanly, is small. Needs root and podman; makes
# the base image itself where no registry can be reached.
#
#   sh docker/check-image.sh
set -eu
cd "$(dirname "$0")/.."
. docker/podman.sh

passed=0
failed=0
names=''

# shellcheck disable=SC2317 # called by the trap
stop_all() {
    # shellcheck disable=SC2086 # names of containers
    [ -z "$names" ] || podman rm -f -t 1 $names >/dev/null 2>&1 || true
}
trap stop_all EXIT
trap 'exit 1' HUP INT TERM

# check WHAT COMMAND…: counts, and says what failed.
check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $what"
    fi
}

contains() {
    printf '%s' "$1" | grep -q -- "$2"
}

# ask PATH [curl's options…]: the answer's body, whatever its status.
ask() {
    path=$1
    shift
    curl -sS --noproxy '*' --max-time 60 "$@" "http://127.0.0.1:$port$path"
}

# run NAME OPTIONS… IMAGE ARGUMENTS…: a container as the README starts it. Its own health check is asked by hand below,
# because podman schedules it with systemd, which not every machine has.
run() {
    name=$1
    shift
    names="$names $name"
    podman rm -f -t 1 "$name" >/dev/null 2>&1 || true
    podman run -d --name "$name" --no-healthcheck --read-only --cap-drop=ALL --security-opt no-new-privileges "$@" \
        >/dev/null 2>"$IMAGE_FOLDER/run.log" || {
        cat "$IMAGE_FOLDER/run.log" >&2
        exit 1
    }
}

await_ready() {
    tries=0
    until ask /healthz >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ]; then
            echo "The container does not answer:" >&2
            podman logs "$1" >&2
            exit 1
        fi
        sleep 0.1
    done
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

image_bytes() {
    podman image inspect --format '{{.Size}}' "$1"
}

build() {
    target=$1
    shift
    podman build --format docker --isolation=chroot --network host -f docker/Dockerfile "$@" -t "$target" . \
        >"$IMAGE_FOLDER/build.log" 2>&1 || {
        tail -n 20 "$IMAGE_FOLDER/build.log" >&2
        exit 1
    }
}

podman pull -q docker.io/library/debian:bookworm-slim >/dev/null 2>&1 || sh docker/base-image.sh
build replibridge
build replicate-sim --target simulator

# The compose file is read by the real tool where there is one; what it names besides comes from registries.
if command -v docker-compose >/dev/null; then
    for profile in simulated litellm monitoring; do
        check "the compose file is valid (profile $profile)" \
            env COMPOSE_PROFILES=$profile docker-compose --env-file docker/simulated.env -f docker/compose.yaml config -q
    done
fi

port=$(free_port)
run replibridge -p "127.0.0.1:$port:4000" --user 12345:12345 \
    -e REPLICATE_API_TOKEN=test-token -e REPLICATE_API_BASE=http://127.0.0.1:4010/v1 replibridge
# In the network of the other: the simulator answers on the loopback only.
run replicate-sim --network container:replibridge replicate-sim --port 4010 --boot 3000 --run 200
await_ready replibridge

model=moonshotai/kimi-k2-thinking
body="{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello from outside\"}]}"
answer=$(ask /v1/chat/completions -H 'Content-Type: application/json' -d "$body")
check 'a model that boots is waited for' contains "$answer" '"object":"chat.completion"'
check 'the answer is the model'"'"'s' contains "$answer" 'Hello from outside'
check 'the health check says that it is healthy' podman exec replibridge /usr/bin/replibridge --health
check 'the image names its health check' contains \
    "$(podman image inspect --format '{{.HealthCheck}}' replibridge)" --health
check 'the image names an ordinary user' contains "$(podman image inspect --format '{{.User}}' replibridge)" 65532

process=$(podman inspect --format '{{.State.Pid}}' replibridge)
idle_kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$process/status")
bytes=$(image_bytes replibridge)
check 'the image has 20.5 MB at most' [ "$bytes" -le 20500000 ]
# The shared pages of its libraries count, too.
check 'it needs 13 MiB of memory at most' [ "$idle_kib" -le 13312 ]
check 'it says once where it listens' [ "$(podman logs replibridge 2>&1 | grep -c 'listening on')" -eq 1 ]

podman stop -t 10 replibridge >/dev/null 2>&1
check 'SIGTERM ends it with exit code 0' [ "$(podman inspect --format '{{.State.ExitCode}}' replibridge)" -eq 0 ]

# Nothing to serve: it says what to do instead of starting.
if podman run --rm --read-only replibridge >"$IMAGE_FOLDER/run.log" 2>&1; then code=0; else code=$?; fi
check 'without a token it ends with exit code 1' [ "$code" -eq 1 ]
check 'and says what to set' contains "$(cat "$IMAGE_FOLDER/run.log")" REPLICATE_API_TOKEN

printf 'image: %s bytes; resident while it served: %s KiB\n' "$bytes" "$idle_kib"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
