# Models that take 20 s to boot: all of these wait side by side.
# shellcheck shell=sh disable=SC2154 # `streamed` is lib.sh's

# booted LOCATION PROMPT MORE: the answer has to come after the boot, and from one prediction.
booted() {
    answer=$(chat "$1" "$(question boots "$2" "$3")" -w '\n%{time_total}')
    equal "$(written "$answer")" 'Booted at last.' 'the text'
    echo "$answer" | tail -n 1 | awk '{ exit $1 < 19 }' || fail 'it did not boot'
    equal "$(statuses "$2")" succeeded 'the predictions'
}

a_whole_answer_waits_for_a_model_that_boots() {
    booted buffered 'boot, whole' ''
}

a_whole_answer_waits_on_http_1_0() {
    booted plain 'boot, plain' ''
}

a_stream_waits_for_a_model_that_boots() {
    booted kept 'boot, streamed' "$streamed"
}

signs_of_life_carry_a_stream_over_a_read_timeout_of_10_s() {
    booted impatient 'boot, impatient' "$streamed"
}

and_on_http_1_0_too() {
    booted impatient-plain 'boot, impatient and plain' "$streamed"
}

what_nginx_does_not_wait_for_is_cancelled() {
    equal "$(chat impatient "$(question boots 'boot, given up')" -o /dev/null -w '%{http_code}')" 504 "nginx's status"
    ends_as 'boot, given up' canceled
}

check_meanwhile 'models that boot for 20 s' a_whole_answer_waits_for_a_model_that_boots
check_meanwhile 'models that boot for 20 s' a_whole_answer_waits_on_http_1_0
check_meanwhile 'models that boot for 20 s' a_stream_waits_for_a_model_that_boots
check_meanwhile 'models that boot for 20 s' signs_of_life_carry_a_stream_over_a_read_timeout_of_10_s
check_meanwhile 'models that boot for 20 s' and_on_http_1_0_too
check_meanwhile 'models that boot for 20 s' what_nginx_does_not_wait_for_is_cancelled
