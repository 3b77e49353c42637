# Ways to send a body.
# shellcheck shell=sh disable=SC2154 # `streamed` is lib.sh's

# long_question MEGABYTES: a file with a question of that size.
long_question() {
    file=$SCRATCH/question.$1
    {
        printf '{"model":"writer","messages":[{"role":"user","content":"'
        head -c "$(($1 * 1000000))" /dev/zero | tr '\0' 'x'
        printf '"}]}'
    } >"$file"
    echo "$file"
}

a_client_that_expects_100_continue_is_told_to_go_on_at_once() {
    trace=$(chat "$(question writer hello)" -v -H 'Expect: 100-continue' -w '\n%{time_total}' 2>&1)
    contains "$trace" 'HTTP/1.1 100 Continue'
    contains "$trace" "$WRITTEN"
    echo "$trace" | tail -n 1 | awk '{ exit $1 > 0.9 }' || fail 'curl had to wait for the 100'
}

a_body_of_two_megabytes_arrives() {
    answer=$(call /v1/chat/completions --data-binary "@$(long_question 2)" -w '\n%{time_total}')
    equal "$(written "$answer")" "$WRITTEN" 'the text'
}

a_body_over_the_limit_is_refused_before_it_is_sent() {
    answer=$(call /v1/chat/completions -H 'Expect: 100-continue' --data-binary "@$(long_question 9)" \
        -w '\n%{http_code} %{size_upload}')
    contains "$answer" '"code":"request_too_large"'
    equal "$(echo "$answer" | tail -n 1)" '413 0' 'the status and the bytes sent'
}

a_wrong_key_is_refused_before_the_body_is_sent() {
    answer=$(curl -sS --max-time 10 -H 'Authorization: Bearer wrong' -H 'Expect: 100-continue' \
        --data-binary "@$(long_question 7)" -w '\n%{http_code} %{size_upload}' "$REPLIBRIDGE_URL/v1/chat/completions")
    equal "$(echo "$answer" | tail -n 1)" '401 0' 'the status and the bytes sent'
}

a_chunked_body_is_read() {
    for more in '' "$streamed"; do
        answer=$(chat "$(question writer hello "$more")" -H 'Transfer-Encoding: chunked')
        equal "$(written "$answer")" "$WRITTEN" 'the text'
    done
}

a_chunked_body_over_the_limit_is_refused() {
    answer=$(call /v1/chat/completions -H 'Transfer-Encoding: chunked' --data-binary "@$(long_question 9)" \
        -w '\n%{http_code}' 2>/dev/null || true)
    equal "$(echo "$answer" | tail -n 1)" 413 'the status'
}

a_body_from_a_pipe_is_read() {
    answer=$(question writer hello | call /v1/chat/completions -X POST -T -)
    equal "$(written "$answer")" "$WRITTEN" 'the text'
}

check 'Expect: 100-continue' a_client_that_expects_100_continue_is_told_to_go_on_at_once
check 'Expect: 100-continue' a_body_of_two_megabytes_arrives
check 'Expect: 100-continue' a_body_over_the_limit_is_refused_before_it_is_sent
check 'Expect: 100-continue' a_wrong_key_is_refused_before_the_body_is_sent
check 'chunked uploads' a_chunked_body_is_read
check 'chunked uploads' a_chunked_body_over_the_limit_is_refused
check 'chunked uploads' a_body_from_a_pipe_is_read
