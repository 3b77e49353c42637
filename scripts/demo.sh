#!/bin/sh
# One chat completion from a model that takes its time to boot, from nothing: installs what is missing, builds, runs.
#
#   sh scripts/demo.sh        (or `make demo`)
#
# Without REPLICATE_API_TOKEN it runs against a simulated Replicate on this machine, and costs nothing. On a terminal it
# goes on serving until Enter is pressed; elsewhere it ends with the answer.
set -eu
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
if [ -z "${FROM_MAKE:-}" ]; then
    sh scripts/install-dependencies.sh demo
    make -s BUILD="$BUILD" "$BUILD/replibridge" "$BUILD/replicate-sim"
fi

folder=$(mktemp -d)
: >"$folder/sim.log"
: >"$folder/daemon.log"
children=''
# shellcheck disable=SC2086 # process ids
stop_children() {
    [ -z "$children" ] || kill $children 2>/dev/null || true
    [ -z "$children" ] || wait $children 2>/dev/null || true
    rm -rf "$folder"
}
trap stop_children EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# await_url LOG PID: prints the address after "listening on" in the log, as soon as it is there.
await_url() {
    tries=0
    while [ "$tries" -lt 100 ] && kill -0 "$2" 2>/dev/null; do
        url=$(sed -n 's/.*listening on \(http:[^ "]*\).*/\1/p' "$1" | head -n 1)
        [ -z "$url" ] || { echo "$url" && return 0; }
        tries=$((tries + 1))
        sleep 0.1
    done
    echo "It did not start:" >&2
    cat "$1" >&2
    return 1
}

model=moonshotai/kimi-k2-thinking
boot_ms=6000
run_ms=1500
if [ -n "${REPLICATE_API_TOKEN:-}" ]; then
    echo "REPLICATE_API_TOKEN is set: this runs $model on Replicate itself, and is billed there."
else
    "$BUILD/replicate-sim" --port 0 --boot "$boot_ms" --run "$run_ms" >"$folder/sim.log" 2>&1 &
    children=$!
    REPLICATE_API_BASE=$(await_url "$folder/sim.log" "$children")
    REPLICATE_API_TOKEN=test-token
    export REPLICATE_API_TOKEN REPLICATE_API_BASE
    echo "REPLICATE_API_TOKEN is not set: this runs against a simulated Replicate at $REPLICATE_API_BASE,"
    echo "where a model takes $((boot_ms / 1000)) s to boot. It is free of charge."
fi

cat >"$folder/config.yaml" <<CONFIG
models:
  kimi-k2: $model
CONFIG
"$BUILD/replibridge" --config "$folder/config.yaml" --host 127.0.0.1 --port 0 >"$folder/daemon.log" 2>&1 &
daemon=$!
children="$children $daemon"
url=$(await_url "$folder/daemon.log" "$daemon")

question='Why do model gateways lose slow-starting models?'
body="{\"model\":\"kimi-k2\",\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}]}"
echo
echo "replibridge listens on $url. Asking kimi-k2: $question"
took=$(curl -sS --noproxy '*' --max-time 700 -o "$folder/answer" -D "$folder/headers" -w '%{time_total}' \
    "$url/v1/chat/completions" -H 'Content-Type: application/json' -d "$body")

status=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$folder/headers")
if [ "$status" != 200 ]; then
    echo "The answer is an error (HTTP $status):" >&2
    cat "$folder/answer" >&2
    exit 1
fi

# The first string member of that name, its escapes undone.
member() {
    sed -n 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$folder/answer" | head -n 1 | sed 's/\\"/"/g' |
        awk '{ gsub(/\\n/, "\n"); gsub(/\\\\/, "\\"); print }'
}
header() {
    sed -n 's/^'"$1"': *\([^\r]*\).*/\1/Ip' "$folder/headers" | head -n 1
}

echo
echo "The answer, as an OpenAI client gets it:"
echo
member content | sed 's/^/    /'
echo
echo "What happened: prediction $(header x-replicate-prediction-id) was created; the answer came after $(printf %.1f "$took") s."
if [ -n "${REPLICATE_API_BASE:-}" ] && [ -s "$folder/sim.log" ]; then
    echo "The model was starting for $((boot_ms / 1000)) s; a gateway that takes 'starting' for a failure would have given up by then."
fi

if [ -t 0 ] && [ -t 1 ]; then
    here=$url
    echo
    echo "Go on, while it runs here:"
else
    here=http://127.0.0.1:4000
    echo
    echo "Go on: start it with your token,"
    echo
    echo "    REPLICATE_API_TOKEN=... $BUILD/replibridge --model $model --alias kimi-k2"
    echo
    echo "then ask it:"
fi
cat <<HELP

    curl $here/v1/chat/completions -H 'Content-Type: application/json' \\
      -d '{"model":"kimi-k2","messages":[{"role":"user","content":"Hello"}]}'

or with OpenAI's Python SDK:

    from openai import OpenAI
    client = OpenAI(base_url="$here/v1", api_key="unused")
    answer = client.chat.completions.create(model="kimi-k2", messages=[{"role": "user", "content": "Hello"}])
    print(answer.choices[0].message.content)
HELP

if [ -t 0 ] && [ -t 1 ]; then
    echo
    echo "It serves until you press Enter."
    read -r _ || true
fi
