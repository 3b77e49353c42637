# Models that take 20 s to boot: all of these wait side by side.
# shellcheck shell=sh disable=SC2154 # `streamed` is lib.sh's

# booted PROMPT MORE: asks; the answer has to come after the boot, and from one prediction.
booted() {
    answer=$(chat "$(question boots "$1" "$2")" -w '\n%{time_total}')
    equal "$(written "$answer")" 'Booted at last.' 'the text'
    echo "$answer" | tail -n 1 | awk '{ exit $1 < 19 }' || fail 'it did not boot'
    equal "$(statuses "$1")" succeeded 'the predictions'
}

a_whole_answer_waits_for_a_model_that_boots() {
    booted 'boot, whole' ''
}

a_stream_shows_signs_of_life_while_a_model_boots() {
    booted 'boot, streamed' "$streamed"
    signs=$(echo "$answer" | grep -c '^: starting')
    [ "$signs" -ge 2 ] || fail "there were $signs comments in 20 s"
}

http_1_0_waits_too() {
    equal "$(written "$(chat "$(question boots 'boot, old' "$streamed")" --http1.0)")" 'Booted at last.' 'the text'
}

check_meanwhile 'models that boot for 20 s' a_whole_answer_waits_for_a_model_that_boots
check_meanwhile 'models that boot for 20 s' a_stream_shows_signs_of_life_while_a_model_boots
check_meanwhile 'models that boot for 20 s' http_1_0_waits_too
