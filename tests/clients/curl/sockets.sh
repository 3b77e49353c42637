# Connections: kept open, pipelined, written in pieces.
# shellcheck shell=sh disable=SC2154 # `streamed` and `host` are lib.sh's

# connects PATH OPTION…: how many connections it took to ask for it and then for a model.
connects() {
    first=$1
    shift
    curl -sS --max-time 10 -H "Authorization: Bearer $REPLIBRIDGE_KEY" -o /dev/null -w '%{num_connects} ' "$@" \
        "$REPLIBRIDGE_URL$first" --next -sS --max-time 10 -H "Authorization: Bearer $REPLIBRIDGE_KEY" -o /dev/null \
        -w '%{num_connects}' "$REPLIBRIDGE_URL/v1/models"
}

a_connection_is_kept_after_answers_streams_and_errors() {
    equal "$(connects /v1/chat/completions -d "$(question writer hello)")" '1 0' 'connections after an answer'
    equal "$(connects /v1/chat/completions -d "$(question writer hello "$streamed")")" '1 0' 'connections after a stream'
    equal "$(connects /v1/chat/completions -d "$(question failing hello)")" '1 0' 'connections after a failure'
    equal "$(connects /v1/nowhere -d '{}')" '1 0' 'connections after an unknown path'
}

# post MODEL PROMPT MORE HEADER: a request as it is written on a socket.
post() {
    content=$(question "$1" "$2" "$3")
    printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n' "$host" "$REPLIBRIDGE_KEY"
    printf '%s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' "$4" "${#content}" "$content"
}

two_requests_written_at_once_are_answered_in_their_order() {
    answer=$({ post echo first '' 'X-Request-Id: 1' && post echo second '' 'Connection: close'; } | raw 10)
    equal "$(printf '%s\n' "$answer" | grep -c 'HTTP/1.1 200 ')" 2 'the number of answers'
    equal "$(written "$answer")" 'You said: firstYou said: second' 'the text of both'
}

a_stream_and_a_question_written_at_once_are_answered_in_their_order() {
    answer=$({ post writer first "$streamed" 'X-Request-Id: 1' && post echo second '' 'Connection: close'; } | raw 10)
    equal "$(written "$answer")" "${WRITTEN}You said: second" 'the text of both'
}

a_request_written_in_small_pieces_is_read() {
    answer=$(post echo slowly '' 'Connection: close' | {
        while piece=$(dd bs=60 count=1 2>/dev/null && echo .) && [ "$piece" != . ]; do
            printf '%s' "${piece%.}"
            sleep 0.02
        done
    } | raw 10)
    equal "$(written "$answer")" 'You said: slowly' 'the text'
}

what_is_no_http_is_refused_and_harms_nobody() {
    contains "$(printf 'HELO there\r\n\r\n' | raw 10)" 'HTTP/1.1 400 '
    equal "$(written "$(chat "$(question writer hello)")")" "$WRITTEN" 'the text'
}

check 'keep-alive' a_connection_is_kept_after_answers_streams_and_errors
check 'pipelining' two_requests_written_at_once_are_answered_in_their_order
check 'pipelining' a_stream_and_a_question_written_at_once_are_answered_in_their_order
check 'raw sockets' a_request_written_in_small_pieces_is_read
check 'raw sockets' what_is_no_http_is_refused_and_harms_nobody
