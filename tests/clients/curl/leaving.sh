# Clients that do not wait for the end, and have not said that they may come back: cancelled at once.
# shellcheck shell=sh disable=SC2154 # `streamed` is lib.sh's

leaving_a_stream_cancels_its_prediction_at_once() {
    answer=$(chat "$(question patient 'left a stream' "$streamed")" -N --max-time 1 2>&1 || true)
    contains "$(written "$answer")" 'on and on and '
    ends_as 'left a stream' canceled
}

not_waiting_for_a_whole_answer_cancels_its_prediction_at_once() {
    chat "$(question patient 'left whole')" --max-time 1 2>/dev/null && fail 'it was answered'
    ends_as 'left whole' canceled
}

check 'leaving early' leaving_a_stream_cancels_its_prediction_at_once
check 'leaving early' not_waiting_for_a_whole_answer_cancels_its_prediction_at_once
