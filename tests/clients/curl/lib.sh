# What all checks with curl share: how a question is asked, and how an answer is read.
# shellcheck shell=sh disable=SC2034 # the files of checks use what is set here

WRITTEN='Slow models are worth waiting for.'
host=${REPLIBRIDGE_URL#http://}

# question MODEL PROMPT [MORE]: a request's body; MORE begins with a comma.
question() {
    printf '{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}' "$1" "$2" "${3:-}"
}

streamed=',"stream":true'

# call PATH OPTION…
call() {
    path=$1
    shift
    curl -sS --max-time 60 -H "Authorization: Bearer $REPLIBRIDGE_KEY" "$@" "$REPLIBRIDGE_URL$path"
}

# chat BODY OPTION…
chat() {
    data=$1
    shift
    call /v1/chat/completions -H 'Content-Type: application/json' -d "$data" "$@"
}

# written TEXT…: the text of an answer, whole or streamed.
written() {
    printf '%s\n' "$1" | sed -n 's/.*"content":"\([^"]*\)".*/\1/p' | tr -d '\n'
}

# raw SECONDS: what the daemon says to standard input, until it closes the connection.
raw() {
    # shellcheck disable=SC2016 # they are for bash
    timeout "$1" bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0#*:}" && cat >&3 && cat <&3' "$host" | tr -d '\r'
}
