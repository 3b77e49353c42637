#!/bin/sh
# Makes the image debian:bookworm-slim from Debian's archive, for machines that reach the archive but no registry.
# Needs root, podman and debootstrap; does nothing when podman has the image already.
#
#   sh docker/base-image.sh [SUITE]
#   sh docker/base-image.sh --try       also runs it once: can this machine run containers?
set -eu
cd "$(dirname "$0")/.."
. docker/podman.sh

if [ "${1:-}" = --try ]; then
    sh docker/base-image.sh
    exec podman run --rm --network host docker.io/library/debian:bookworm-slim true
fi

suite=${1:-bookworm}
name=docker.io/library/debian:$suite-slim
podman image exists "$name" && exit 0

# The archive that this machine installs from, unless another is named.
# shellcheck disable=SC2016 # the name is apt's, not the shell's
archive=${ARCHIVE:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}
archive=${archive%/}
root=$IMAGE_FOLDER/root-$suite
rm -rf "$root"
debootstrap --variant=minbase "$suite" "$root" "$archive" >"$IMAGE_FOLDER/debootstrap.log" || {
    tail -n 5 "$IMAGE_FOLDER/debootstrap.log" >&2
    exit 1
}

# What the slim image leaves out; and no package stays behind in a layer.
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/var/lib/apt/lists/* \
    "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*
find "$root/usr/share/doc" -type f ! -name copyright -delete
cat >"$root/etc/apt/apt.conf.d/slim" <<'APT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT
printf 'deb %s %s main\n' "$archive" "$suite" >"$root/etc/apt/sources.list"

tar -C "$root" --numeric-owner --sort=name -c . | podman import --change 'CMD ["sh"]' - "$name" >/dev/null
rm -rf "$root"
