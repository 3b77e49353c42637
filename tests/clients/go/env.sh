# shellcheck shell=sh
# Sourced by install.sh and run.sh: modules and compiled packages are kept in $TOOLS, and Go asks nobody about them.
export GOMODCACHE="$TOOLS/modules" GOCACHE="$TOOLS/cache" GOTOOLCHAIN=local GOTELEMETRY=off GOWORK=off
export GOFLAGS='-mod=readonly -modcacherw'
