# Streamed answers.
# shellcheck shell=sh disable=SC2154 # `streamed` and `host` are lib.sh's

# whole_stream OPTION…: all of the text comes, and the end.
whole_stream() {
    answer=$(chat "$(question writer hello "$streamed")" "$@")
    equal "$(written "$answer")" "$WRITTEN" 'the text'
    equal "$(printf '%s\n' "$answer" | grep . | tail -n 1)" 'data: [DONE]' 'the last line'
}

a_stream_comes_whole_with_and_without_buffering() {
    whole_stream
    whole_stream -N
}

every_line_of_a_stream_is_data_or_empty() {
    others=$(chat "$(question thinker hello "$streamed")" -N | grep -v '^data: ' | grep . || true)
    equal "$others" '' 'what else is there'
}

a_stream_begins_long_before_it_ends() {
    times=$(chat "$(question writer hello "$streamed")" -N -o /dev/null -w '%{time_starttransfer} %{time_total}')
    echo "$times" | awk '{ exit $2 - $1 < 0.08 }' || fail "it began and ended at $times s"
}

the_headers_of_a_stream_keep_proxies_from_holding_it_back() {
    headers=$(chat "$(question writer hello "$streamed")" -D - -o /dev/null | tr -d '\r' | tr '[:upper:]' '[:lower:]')
    contains "$headers" 'content-type: text/event-stream; charset=utf-8'
    contains "$headers" 'cache-control: no-cache'
    contains "$headers" 'x-accel-buffering: no'
    contains "$headers" 'transfer-encoding: chunked'
}

a_stream_that_breaks_ends_with_an_error_and_without_done() {
    answer=$(chat "$(question breaking hello "$streamed")")
    contains "$(printf '%s\n' "$answer" | grep . | tail -n 1)" 'data: {"error":{"message":"'
    lacks "$answer" '[DONE]'
}

http_1_0_gets_whole_answers_and_streams_without_chunks() {
    equal "$(written "$(chat "$(question writer hello)" --http1.0)")" "$WRITTEN" 'the whole answer'
    whole_stream --http1.0 --raw
    lacks "$(chat "$(question writer hello "$streamed")" --http1.0 -i | tr '[:upper:]' '[:lower:]')" 'transfer-encoding'
}

compression_is_offered_and_not_needed() {
    equal "$(written "$(chat "$(question writer hello)" --compressed)")" "$WRITTEN" 'the whole answer'
    whole_stream --compressed
}

check 'streams (with and without -N)' a_stream_comes_whole_with_and_without_buffering
check 'streams (with and without -N)' every_line_of_a_stream_is_data_or_empty
check 'streams (with and without -N)' a_stream_begins_long_before_it_ends
check 'streams (with and without -N)' the_headers_of_a_stream_keep_proxies_from_holding_it_back
check 'streams (with and without -N)' a_stream_that_breaks_ends_with_an_error_and_without_done
check 'HTTP/1.0' http_1_0_gets_whole_answers_and_streams_without_chunks
check '--compressed' compression_is_offered_and_not_needed
