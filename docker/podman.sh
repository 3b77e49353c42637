# Settings with which podman builds and runs where it is not at home: as root without all of root's rights, without
# systemd, without a registry. To be sourced; everything lies in $IMAGE_FOLDER. Needs root.
#
# shellcheck shell=sh
export IMAGE_FOLDER="${IMAGE_FOLDER:-${TMPDIR:-/tmp}/replibridge-image}"
mkdir -p "$IMAGE_FOLDER/tmp"
export TMPDIR="$IMAGE_FOLDER/tmp"
export CONTAINERS_STORAGE_CONF="$IMAGE_FOLDER/storage.conf" CONTAINERS_CONF="$IMAGE_FOLDER/containers.conf"

cat >"$CONTAINERS_STORAGE_CONF" <<STORAGE
[storage]
driver = "${STORAGE_DRIVER:-overlay}"
runroot = "$IMAGE_FOLDER/run"
graphroot = "$IMAGE_FOLDER/storage"
STORAGE

# A root that may not raise its limits needs them named; crun fails on machines with both kinds of cgroups, runc does not.
cat >"$CONTAINERS_CONF" <<CONTAINERS
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONTAINERS
