# Whole answers, errors, models, and what is free of keys.
# shellcheck shell=sh

a_question_is_answered() {
    answer=$(chat "$(question writer hello)")
    equal "$(written "$answer")" "$WRITTEN" 'the text'
    contains "$answer" '"object":"chat.completion"'
    contains "$answer" '"finish_reason":"stop"'
}

every_path_to_chat_answers() {
    for path in /v1/chat/completions /chat/completions '/v1/chat/completions?api-version=2024-10-21' \
        /openai/deployments/writer/chat/completions /engines/acme%2Ftiny-writer/chat/completions; do
        equal "$(written "$(call "$path" -d "$(question writer hello)")")" "$WRITTEN" "the text at $path"
    done
}

a_model_is_found_with_its_slash_raw_and_escaped() {
    contains "$(call /v1/models/acme/tiny-writer)" '"id":"acme/tiny-writer"'
    contains "$(call /models/acme%2Ftiny-writer)" '"id":"acme/tiny-writer"'
    contains "$(call /v1/models)" '"id":"acme/tiny-writer"'
}

# error STATUS CODE OPTION…: a call to chat/completions ends as that error, in JSON.
error() {
    wanted="$1 application/json"
    code=$2
    shift 2
    answer=$(call /v1/chat/completions -w '\n%{http_code} %{content_type}' "$@")
    equal "$(printf '%s\n' "$answer" | tail -n 1)" "$wanted" 'the status and type'
    contains "$answer" '{"error":{"message":"'
    contains "$answer" "\"code\":$code}}"
}

errors_are_json_with_their_status() {
    error 400 null -d '{"model":'
    error 400 '"invalid_value"' -d '{"model":"writer","messages":[]}'
    error 400 '"missing_required_parameter"' -d '{"model":"writer"}'
    error 400 '"content_policy_violation"' -d "$(question unsafe hello)"
    error 404 '"model_not_found"' -d "$(question nobody hello)"
    error 422 '"prediction_failed"' -d "$(question failing hello)"
    error 503 '"upstream_transient_failure"' -d "$(question busy hello)"
    error 504 '"timeout"' -d "$(question late hello)"
}

keys_are_asked_for() {
    body=$(curl -sS --max-time 10 -w '%{http_code}' "$REPLIBRIDGE_URL/v1/models")
    contains "$body" '"code":null}}401'
    body=$(curl -sS --max-time 10 -w '%{http_code}' -H 'Authorization: Bearer wrong' "$REPLIBRIDGE_URL/v1/models")
    contains "$body" '"code":"invalid_api_key"}}401'
    body=$(curl -sS --max-time 10 -w '%{http_code}' -H 'Authorization: Bearer writer-key' -d "$(question echo hello)" \
        "$REPLIBRIDGE_URL/v1/chat/completions")
    contains "$body" '"code":"model_not_allowed"}}403'
}

a_model_over_its_limit_says_when_to_come_back() {
    chat "$(question limited hello)" >/dev/null
    answer=$(chat "$(question limited hello)" -i | tr -d '\r')
    contains "$answer" 'HTTP/1.1 429 '
    seconds=$(printf '%s\n' "$answer" | sed -n 's/^retry-after: //Ip')
    echo "$seconds" | awk '{ exit $1 < 1 || $1 > 60 }' || fail "retry-after is $seconds"
}

health_and_metrics_ask_for_no_key() {
    equal "$(curl -sS --max-time 10 "$REPLIBRIDGE_URL/health/liveliness")" '"I'"'"'m alive!"' 'liveliness'
    for path in /health /health/liveness /health/readiness /healthz /readyz /metrics; do
        equal "$(curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$REPLIBRIDGE_URL$path")" 200 "the status of $path"
    done
}

check 'whole answers' a_question_is_answered
check 'whole answers' every_path_to_chat_answers
check 'models' a_model_is_found_with_its_slash_raw_and_escaped
check 'errors' errors_are_json_with_their_status
check 'errors' keys_are_asked_for
check 'errors' a_model_over_its_limit_says_when_to_come_back
check 'health' health_and_metrics_ask_for_no_key
