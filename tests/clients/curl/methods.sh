# HEAD, OPTIONS, and methods that are wrong.
# shellcheck shell=sh

head_tells_what_get_would() {
    for path in /v1/models /v1/models/acme/tiny-writer /health /healthz; do
        got=$(call "$path" -o /dev/null -D - | tr -d '\r' | sed -n '1p;/^Content-Length/Ip;/^Content-Type/Ip')
        head=$(call "$path" -I | tr -d '\r' | sed -n '1p;/^Content-Length/Ip;/^Content-Type/Ip')
        equal "$head" "$got" "HEAD $path"
    done
}

a_wrong_method_is_told_the_right_one() {
    for method in GET PUT DELETE; do
        answer=$(call /v1/chat/completions -X "$method" -i | tr -d '\r')
        contains "$answer" 'HTTP/1.1 405 '
        contains "$answer" 'Allow: POST'
        contains "$answer" '"code":"method_not_supported"'
    done
}

# preflight ORIGIN: as a browser asks, which sends no key.
preflight() {
    curl -sS --max-time 10 -i -X OPTIONS "$REPLIBRIDGE_URL/v1/chat/completions" -H "Origin: $1" \
        -H 'Access-Control-Request-Method: POST' \
        -H 'Access-Control-Request-Headers: authorization,content-type,x-stainless-lang' |
        tr -d '\r' | tr '[:upper:]' '[:lower:]'
}

a_page_that_may_call_is_told_so() {
    answer=$(preflight http://page.example)
    contains "$answer" 'http/1.1 204 '
    contains "$answer" 'access-control-allow-origin: http://page.example'
    contains "$answer" 'access-control-allow-headers: authorization,content-type,x-stainless-lang'
    contains "$(echo "$answer" | grep '^access-control-allow-methods')" 'post'
}

another_page_is_not() {
    lacks "$(preflight http://other.example)" 'access-control-allow-origin'
    lacks "$(chat "$(question writer hello)" -i -H 'Origin: http://other.example')" 'http://other.example'
}

# may_be_read OPTION…: the page may read the answer and its request id.
may_be_read() {
    answer=$("$@" -i -H 'Origin: http://page.example' | tr -d '\r' | tr '[:upper:]' '[:lower:]')
    contains "$answer" 'access-control-allow-origin: http://page.example'
    contains "$(echo "$answer" | grep '^access-control-expose-headers')" 'x-request-id'
}

answers_streams_and_errors_may_be_read_by_the_page() {
    may_be_read chat "$(question writer hello)"
    may_be_read chat "$(question writer hello ',"stream":true')"
    may_be_read chat "$(question nobody hello)"
    may_be_read curl -sS --max-time 10 "$REPLIBRIDGE_URL/v1/models"
}

check 'HEAD' head_tells_what_get_would
check 'OPTIONS and CORS' a_wrong_method_is_told_the_right_one
check 'OPTIONS and CORS' a_page_that_may_call_is_told_so
check 'OPTIONS and CORS' another_page_is_not
check 'OPTIONS and CORS' answers_streams_and_errors_may_be_read_by_the_page
