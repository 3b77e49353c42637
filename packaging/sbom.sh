#!/bin/sh
# The bill of materials of a built program, as CycloneDX 1.5: the Debian packages that its libraries come from, with
# their versions. On standard output.
#
#   sh packaging/sbom.sh build/replibridge
set -eu

program=$1
version=$(sed -n 's/.*REPLIBRIDGE_VERSION "\(.*\)".*/\1/p' "$(dirname "$0")/../include/base/version.h")

# The packages of the libraries, a line each; a file's name may be known with or without /usr before it.
packages() {
    ldd "$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
        dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "${library#/usr}" 2>/dev/null ||
            echo "no package has $library" >&2
    done | cut -d: -f1 | sort -u
}

# shellcheck disable=SC1091 # every system has its own
. /etc/os-release
# shellcheck disable=SC2016,SC2046 # the format is dpkg-query's; the names are meant to be split
dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' $(packages) |
    awk -v program="$(basename "$program")" -v version="$version" -v release="$ID-$VERSION_ID" '
    BEGIN {
        printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\"metadata\":{\"component\":"
        printf "{\"type\":\"application\",\"name\":\"%s\",\"version\":\"%s\"}},\"components\":[", program, version
    }
    {
        encoded = $2
        gsub(/:/, "%3A", encoded)
        gsub(/\+/, "%2B", encoded)
        printf "%s\n{\"type\":\"library\",\"name\":\"%s\",\"version\":\"%s\",", (NR > 1 ? "," : ""), $1, $2
        printf "\"purl\":\"pkg:deb/debian/%s@%s?arch=%s&distro=%s\"}", $1, encoded, $3, release
    }
    END { print "\n]}" }'
