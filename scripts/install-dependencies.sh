#!/bin/sh
# Installs what is missing for building and testing on Debian and Ubuntu, and says nothing when nothing is.
#
#   sh scripts/install-dependencies.sh [build|demo|test|bench]
#
# build: compiler, make and the four libraries; demo: also curl; test (when nothing is said): also Check;
# bench: also whom and what `make bench` measures with.
# On other systems it names what is missing, to be installed by hand.
set -eu

need=${1:-test}
packages=''
missing=''

# lacks PACKAGE WHAT: notes the Debian package, and what it is for readers elsewhere.
lacks() {
    packages="$packages $1"
    missing="$missing
  - $2"
}

has_command() {
    command -v "$1" >/dev/null 2>&1
}

# A compiler without the C library's headers is as good as none.
can_compile() {
    has_command "${CC%% *}" && printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
        $CC -x c - -o /dev/null >/dev/null 2>&1
}

needs_library() {
    if ! has_command pkg-config || ! pkg-config --exists "$1" 2>/dev/null; then
        lacks "$2" "$3"
    fi
}

case $need in
build | demo | test | bench) ;;
*)
    echo "usage: sh scripts/install-dependencies.sh [build|demo|test|bench]" >&2
    exit 2
    ;;
esac

CC=${CC:-cc}
can_compile || lacks 'gcc libc6-dev' 'a C compiler (gcc or clang) with the C library'"'"'s headers'
has_command make || lacks make 'GNU make'
has_command pkg-config || lacks pkg-config 'pkg-config'
needs_library libmicrohttpd libmicrohttpd-dev 'libmicrohttpd, with its headers'
needs_library libcurl libcurl4-openssl-dev 'libcurl, the OpenSSL flavour, with its headers'
needs_library jansson libjansson-dev 'jansson, with its headers'
needs_library yaml-0.1 libyaml-dev 'libyaml, with its headers'
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || [ -e /etc/ssl/cert.pem ] ||
    lacks ca-certificates 'the certificates of the usual authorities (ca-certificates)'
[ "$need" = build ] || has_command curl || lacks curl 'the curl command'
[ "$need" = build ] || [ "$need" = demo ] ||
    needs_library check check 'Check (libcheck), the unit test library, with its headers'

# needs_program COMMAND PACKAGE WHAT: a daemon's place is often not in a user's path.
needs_program() {
    has_command "$1" || [ -x "/usr/sbin/$1" ] || lacks "$2" "$3"
}

if [ "$need" = bench ]; then
    needs_program wrk wrk 'wrk, which makes load'
    needs_program nginx nginx-light 'nginx, to compare with'
    needs_program haproxy haproxy 'HAProxy, to compare with'
    needs_program node nodejs 'Node.js, to compare with'
    needs_program openssl openssl 'the openssl command'
    needs_program python3 python3 'Python 3'
fi

# The flavours of libcurl exclude each other, and nobody's package is removed without being asked.
for flavour in gnutls nss; do
    if has_command dpkg-query && dpkg-query -W -f '${Status}' "libcurl4-$flavour-dev" 2>/dev/null |
        grep -q 'ok installed'; then
        echo "libcurl4-$flavour-dev is installed, but replibridge needs libcurl's OpenSSL flavour. Run" >&2
        echo "'apt-get install libcurl4-openssl-dev', which replaces it, then try again." >&2
        exit 1
    fi
done

[ -n "$missing" ] || exit 0

if ! has_command apt-get; then
    echo "Not everything that replibridge needs is installed. Please install with your system's package manager:$missing" >&2
    exit 1
fi
as_root=''
if [ "$(id -u)" -ne 0 ]; then
    if ! has_command sudo; then
        echo "Some packages are missing. As root, run: apt-get install$packages" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "Installing the missing packages:$packages"
lock='-o DPkg::Lock::Timeout=300'
# shellcheck disable=SC2086 # the lists are meant to be split into words
{
    # Without fresh lists the install below may still find everything; when it does not, its own message says so.
    $as_root apt-get $lock update -qq </dev/null || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $lock install -y -qq --no-install-recommends $packages \
        </dev/null >/dev/null
}
