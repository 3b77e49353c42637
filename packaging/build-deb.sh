#!/bin/sh
# Builds the Debian package from the files that git knows, in a folder of its own: BUILD/deb. Two runs of the same
# sources give the same bytes.
#
#   BUILD=build sh packaging/build-deb.sh
set -eu
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
mkdir -p "$BUILD/deb"
folder=$(cd "$BUILD/deb" && pwd)
tree=$folder/replibridge
rm -rf "$tree" "$folder"/replibridge_*
mkdir -p "$tree"
# Also what is changed or new and not committed yet; nothing that is ignored.
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - --ignore-failed-read | tar -xf - -C "$tree"
cp -R packaging/debian "$tree/debian"

version=$(sed -n 's/.*REPLIBRIDGE_VERSION "\(.*\)".*/\1/p' include/base/version.h)
grep -q "^replibridge ($version)" packaging/debian/changelog || {
    echo "packaging/debian/changelog does not begin with version $version of include/base/version.h" >&2
    exit 1
}

cd "$tree"
dpkg-buildpackage -us -uc -b >"$folder/build.log" 2>&1 || {
    tail -n 30 "$folder/build.log" >&2
    exit 1
}
ls "$folder"/replibridge_*.deb
