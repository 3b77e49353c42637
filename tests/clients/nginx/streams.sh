# Streamed answers: they have to flow, whatever nginx has been told about buffers.
# shellcheck shell=sh disable=SC2154 # `everywhere` and others are lib.sh's

a_stream_comes_whole_through_every_location() {
    for location in $everywhere deaf; do
        answer=$(chat "$location" "$(question writer hello "$streamed")" -N)
        equal "$(written "$answer")" "$WRITTEN" "the text through $location"
        equal "$(printf '%s\n' "$answer" | grep . | tail -n 1)" 'data: [DONE]' "the last line through $location"
    done
}

# so_far LOCATION: what has come of a stream without end when its client leaves.
so_far() {
    written "$(chat "$1" "$(question endless "so far, $1" "$streamed")" -N --max-time 2 2>/dev/null || true)"
}

a_stream_flows_with_buffering_on_and_off() {
    for location in $everywhere; do
        contains "$(so_far "$location")" 'on and on and '
    done
}

an_nginx_that_ignores_x_accel_buffering_holds_it_back() {
    equal "$(so_far deaf)" '' 'what has come'
}

a_stream_that_breaks_ends_with_an_error_and_without_done() {
    for location in $everywhere; do
        answer=$(chat "$location" "$(question breaking hello "$streamed")")
        contains "$(printf '%s\n' "$answer" | grep . | tail -n 1)" 'data: {"error":{"message":"'
        contains "$answer" 'The model fell asleep in mid-sentence.'
        lacks "$answer" '[DONE]'
    done
}

leaving_cancels_the_prediction_at_once() {
    for location in plain buffered unbuffered kept; do
        chat "$location" "$(question patient "left $location" "$streamed")" -N --max-time 1 >/dev/null 2>&1 || true
        ends_as "left $location" canceled
        chat "$location" "$(question patient "whole, left $location")" --max-time 1 >/dev/null 2>&1 || true
        ends_as "whole, left $location" canceled
    done
}

check 'streams (buffering on and off)' a_stream_comes_whole_through_every_location
check 'streams (buffering on and off)' a_stream_flows_with_buffering_on_and_off
check 'streams (buffering on and off)' an_nginx_that_ignores_x_accel_buffering_holds_it_back
check 'errors in streams' a_stream_that_breaks_ends_with_an_error_and_without_done
check 'leaving early' leaving_cancels_the_prediction_at_once
