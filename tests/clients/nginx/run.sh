#!/bin/sh
# nginx as a reverse proxy in front of the daemon.
# shellcheck disable=SC1090,SC1091 # what is sourced is checked by itself
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for tool in nginx curl ss; do
    command -v "$tool" >/dev/null || { echo "needs $tool" && exit 77; }
done
. "$CHECKS/checks.sh"
. ./lib.sh
start_nginx
for subject in waiting answers streams keeping; do
    . "./$subject.sh"
done
finish nginx "$(nginx -v 2>&1 | sed 's/.*nginx.//')"
