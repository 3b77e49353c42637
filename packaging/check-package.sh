#!/bin/sh
# Looks at everything that is installed, as the tools of those who install it do: the Debian package by lintian, the
# service by systemd, the manual by mandoc, the completion by bash; and that two builds give the same bytes.
#
#   sh packaging/check-package.sh        (needs debhelper, lintian, mandoc, systemd, python3)
set -eu
cd "$(dirname "$0")/.."

export BUILD="${BUILD:-build}"
passed=0
failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# check WHAT COMMAND…: counts, and shows what a failing command said.
check() {
    what=$1
    shift
    if "$@" >"$folder/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $what"
        cat "$folder/said"
    fi
}

# quiet COMMAND…: succeeds when it says nothing, which is how some tools tell of a clean file.
quiet() {
    ! "$@" 2>&1 | grep .
}

installed_files() {
    (cd "$1" && find . -type f | sort)
}

build_elsewhere() {
    mkdir -p "$1"
    git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - --ignore-failed-read |
        tar -xf - -C "$1"
    make -s -C "$1" BUILD=build build/replibridge build/replibridge.yaml.5
}

completes() {
    bash -c '. packaging/completion/replibridge.bash
        COMP_WORDS=(replibridge --he) COMP_CWORD=1
        _replibridge
        [ "${COMPREPLY[*]}" = "--health --help" ]'
}

# What dpkg does with a service that runs.
script_says() {
    dpkg-deb -e "$BUILD"/deb/replibridge_*.deb "$folder/scripts" && grep -q "deb-systemd-invoke $2" "$folder/scripts/$1"
}

make -s BUILD="$BUILD" "$BUILD/replibridge" "$BUILD/replibridge.yaml.5"

root=$folder/root
check 'make install' make -s BUILD="$BUILD" DESTDIR="$root" PREFIX=/usr install
for file in bin/replibridge lib/systemd/system/replibridge.service share/man/man1/replibridge.1 \
    share/man/man5/replibridge.yaml.5 share/bash-completion/completions/replibridge \
    share/doc/replibridge/config.yaml.example; do
    check "$file is installed" test -s "$root/usr/$file"
done
check 'the installed program runs' "$root/usr/bin/replibridge" --version
for page in man1/replibridge.1 man5/replibridge.yaml.5; do
    check "$page is well-formed" quiet mandoc -T lint -W warning "$root/usr/share/man/$page"
done
check 'bash completes its options' completes

# The tool looks for the program where the unit says.
unit=$folder/replibridge.service
sed "s|/usr/bin/replibridge|$root/usr/bin/replibridge|" "$root/usr/lib/systemd/system/replibridge.service" >"$unit"
check 'the unit is well-formed' quiet systemd-analyze verify --man=no "$unit"
check 'the unit exposes little (1.5 at most)' systemd-analyze security --offline=yes --threshold=15 "$unit"

check 'make uninstall' make -s BUILD="$BUILD" DESTDIR="$root" PREFIX=/usr uninstall
check 'nothing is left' quiet installed_files "$root"

check 'the Debian package is built' make -s BUILD="$BUILD" deb
check 'lintian accepts the package' lintian --allow-root --fail-on error,warning "$BUILD"/deb/replibridge_*.deb
check 'an upgrade restarts the service' script_says postinst "[\$]_dh_action"
check 'and does not stop it long before' sh -c "! grep -q 'deb-systemd-invoke stop' '$folder/scripts/preinst' 2>/dev/null"
check 'who removes the package stops the service' script_says prerm stop
check 'the bill of materials is JSON' sh -c "sh packaging/sbom.sh $BUILD/replibridge | python3 -m json.tool"

check 'it builds in one folder' build_elsewhere "$folder/one"
check 'it builds in another' build_elsewhere "$folder/far/from/it"
check 'both programs are the same' cmp "$folder/one/build/replibridge" "$folder/far/from/it/build/replibridge"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
