#!/bin/sh
# Makes the root folder of an image without a distribution: a program, what it links to, and the few files that the C
# library and the TLS library look for.
#
#   sh docker/collect.sh FOLDER PROGRAM
set -eu

root=$1
program=$2

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
cp "$program" "$root/usr/bin/"

# The loader is found by its absolute name, the libraries in the folders that it knows; links become files.
ldd "$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'replibridge:x:65532:65532::/nonexistent:/sbin/nologin\n' >"$root/etc/passwd"
printf 'replibridge:x:65532:\n' >"$root/etc/group"

# What the libraries are and where they come from, for those who look for known weaknesses in images.
mkdir -p "$root/usr/share/doc/replibridge"
sh "$(dirname "$0")/../packaging/sbom.sh" "$program" >"$root/usr/share/doc/replibridge/sbom.json"
