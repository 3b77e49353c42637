# Request headers as other programs write them.
# shellcheck shell=sh

headers_are_read_in_any_case() {
    answer=$(curl -sS --max-time 10 -X POST "$REPLIBRIDGE_URL/v1/chat/completions" \
        -H 'content-type: Application/JSON; Charset=UTF-8' -H "AUTHORIZATION: bearer $REPLIBRIDGE_KEY" \
        -H 'accept: */*' -H 'Postman-Token: 0f0f0f0f-0000-4000-8000-000000000000' -H 'user-agent: PostmanRuntime/7.43.0' \
        -H 'X-REQUEST-ID: in-any-case' -d "$(question writer hello)" -i | tr -d '\r')
    contains "$answer" 'x-request-id: in-any-case'
    contains "$answer" "$WRITTEN"
}

the_content_type_does_not_matter() {
    for kind in 'Content-Type: text/plain' 'Content-Type: application/x-www-form-urlencoded' 'Content-Type:'; do
        equal "$(written "$(call /v1/chat/completions -H "$kind" -d "$(question writer hello)")")" "$WRITTEN" "with $kind"
    done
}

many_headers_are_fine() {
    set --
    count=0
    while [ "$count" -lt 40 ]; do
        set -- "$@" -H "X-Trace-$count: 0123456789abcdef0123456789abcdef"
        count=$((count + 1))
    done
    equal "$(written "$(chat "$(question writer hello)" "$@")")" "$WRITTEN" 'the text'
}

check 'odd headers' headers_are_read_in_any_case
check 'odd headers' the_content_type_does_not_matter
check 'odd headers' many_headers_are_fine
