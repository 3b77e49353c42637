# Connections to the daemon that nginx keeps open.
# shellcheck shell=sh disable=SC2154 # `nginx` and others are lib.sh's

# ports: the local ports of nginx's connections to the daemon that are open now.
ports() {
    ss -Htnp state established dst "${REPLIBRIDGE_URL#http://}" | grep "pid=$nginx," | awk '{ print $3 }' | sort
}

one_connection_serves_answers_streams_and_errors_in_turn() {
    chat kept "$(question writer hello)" >/dev/null
    before=$(ports)
    [ -n "$before" ] || fail 'no connection was kept'
    for model in writer failing echo nobody breaking; do
        chat kept "$(question "$model" hello)" >/dev/null
        chat kept "$(question "$model" hello "$streamed")" >/dev/null
    done
    equal "$(ports)" "$before" 'the connections'
}

check 'keep-alive to the daemon' one_connection_serves_answers_streams_and_errors_in_turn
