# Whole answers and errors.
# shellcheck shell=sh disable=SC2154 # `everywhere` and others are lib.sh's

a_question_is_answered_through_every_location() {
    for location in $everywhere deaf; do
        answer=$(chat "$location" "$(question writer hello)")
        equal "$(written "$answer")" "$WRITTEN" "the text through $location"
    done
}

a_model_is_found_with_its_slash_raw_and_escaped() {
    for location in $everywhere; do
        contains "$(call "$location" /v1/models/acme/tiny-writer)" '"id":"acme/tiny-writer"'
        contains "$(call "$location" /v1/models/acme%2Ftiny-writer)" '"id":"acme/tiny-writer"'
    done
}

the_daemons_headers_come_through() {
    headers=$(chat plain "$(question writer hello)" -D - -o /dev/null -H 'X-Request-Id: my-own-id' | tr -d '\r')
    contains "$headers" 'x-request-id: my-own-id'
    contains "$headers" 'x-replibridge-usage: reported'
    contains "$headers" 'x-replicate-prediction-id: '
}

# error LOCATION STATUS CODE OPTION…: ends as that error of the daemon, and not as one of nginx.
error() {
    location=$1
    wanted="$2 application/json"
    code=$3
    shift 3
    answer=$(call "$location" /v1/chat/completions -w '\n%{http_code} %{content_type}' "$@")
    equal "$(printf '%s\n' "$answer" | tail -n 1)" "$wanted" "the status and type through $location"
    contains "$answer" '{"error":{"message":"'
    contains "$answer" "\"code\":$code}}"
}

errors_keep_their_status_and_their_sentence() {
    for location in plain buffered unbuffered kept; do
        error "$location" 400 null -d '{"model":'
        error "$location" 404 '"model_not_found"' -d "$(question nobody hello)"
        error "$location" 422 '"prediction_failed"' -d "$(question failing hello)"
        contains "$answer" 'The model tripped over its own feet.'
        error "$location" 422 '"prediction_failed"' -d "$(question failing hello "$streamed")"
        error "$location" 503 '"upstream_transient_failure"' -d "$(question busy hello)"
        error "$location" 504 '"timeout"' -d "$(question late hello)"
    done
}

a_wrong_key_is_refused_by_the_daemon() {
    # shellcheck disable=SC2034 # `call` uses it
    key=wrong-key
    for location in plain buffered unbuffered kept; do
        error "$location" 401 '"invalid_api_key"' -d "$(question writer hello)"
    done
}

a_model_over_its_limit_says_when_to_come_back() {
    chat plain "$(question limited hello)" >/dev/null
    seconds=$(chat plain "$(question limited hello)" -D - -o /dev/null | tr -d '\r' | sed -n 's/^retry-after: //Ip')
    echo "$seconds" | awk '{ exit $1 < 1 || $1 > 60 }' || fail "retry-after is $seconds"
}

a_body_over_the_limit_is_refused_by_the_daemon() {
    head -c 9000000 /dev/zero | tr '\0' ' ' >"$SCRATCH/large"
    for location in plain buffered unbuffered kept; do
        error "$location" 413 '"request_too_large"' --data-binary "@$SCRATCH/large"
    done
}

check 'whole answers' a_question_is_answered_through_every_location
check 'models' a_model_is_found_with_its_slash_raw_and_escaped
check 'headers' the_daemons_headers_come_through
check 'errors' errors_keep_their_status_and_their_sentence
check 'errors' a_wrong_key_is_refused_by_the_daemon
check 'errors' a_model_over_its_limit_says_when_to_come_back
check 'large bodies' a_body_over_the_limit_is_refused_by_the_daemon
