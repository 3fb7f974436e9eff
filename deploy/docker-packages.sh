#!/bin/sh
# Installs Debian packages in an image; with SNAPSHOT, as they were at that time. For deploy/Dockerfile.
set -eu
if [ -n "${SNAPSHOT:-}" ]; then
    rm -f /etc/apt/sources.list.d/debian.sources
    echo "deb [check-valid-until=no] http://snapshot.debian.org/archive/debian/$SNAPSHOT trixie main" \
        >/etc/apt/sources.list
fi
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
# Lists, logs and caches differ with each build.
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
