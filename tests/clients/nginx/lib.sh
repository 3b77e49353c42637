# nginx, started in front of the daemon, and how a question is asked through it.
# shellcheck shell=sh disable=SC2034,SC2154 # the files of checks use what is set here; SCRATCH and others are run.sh's

WRITTEN='Slow models are worth waiting for.'
streamed=',"stream":true'
everywhere='plain buffered unbuffered kept impatient'
socket=$SCRATCH/nginx.sock

# Not a child of this shell: `finish` waits for all of these.
start_nginx() {
    sed "s|@FOLDER@|$SCRATCH|g; s|@DAEMON@|${REPLIBRIDGE_URL#http://}|g" nginx.conf >"$SCRATCH/nginx.conf"
    nginx=$(nginx -p "$SCRATCH" -c "$SCRATCH/nginx.conf" >&2 & echo $!)
    trap 'kill "$nginx" 2>/dev/null || true' EXIT
    tries=0
    until curl -sS -o /dev/null --max-time 5 --unix-socket "$socket" http://nginx/plain/healthz 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ] || ! kill -0 "$nginx" 2>/dev/null; then
            fail 'nginx does not start'
        fi
        sleep 0.1
    done
}

# question MODEL PROMPT [MORE]: a request's body; MORE begins with a comma.
question() {
    printf '{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}' "$1" "$2" "${3:-}"
}

key=$REPLIBRIDGE_KEY

# call LOCATION PATH OPTION…
call() {
    url=http://nginx/$1$2
    shift 2
    curl -sS --max-time 60 --unix-socket "$socket" -H "Authorization: Bearer $key" "$@" "$url"
}

# chat LOCATION BODY OPTION…
chat() {
    location=$1
    data=$2
    shift 2
    call "$location" /v1/chat/completions -H 'Content-Type: application/json' -d "$data" "$@"
}

# written TEXT: the text of an answer, whole or streamed.
written() {
    printf '%s\n' "$1" | sed -n 's/.*"content":"\([^"]*\)".*/\1/p' | tr -d '\n'
}
