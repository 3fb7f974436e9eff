#!/usr/bin/env bash
# How scripts/test.sh has cargo run a test binary: the tests on the live probe (tests/live) and those of a broker whose
# disk is full (fleet/tests) as root where that needs no password, all others as they are. A root test that does not run
# as root says so.
set -euo pipefail
case ${1##*/} in
live-* | full_disk-*)
    if [ "$(id -u)" -ne 0 ] && sudo --non-interactive true 2>/dev/null; then
        # Root's own cache directories: nothing in this user's home may come to belong to root.
        exec sudo --non-interactive --set-home --preserve-env=CI,RUST_BACKTRACE -- \
            env --default-signal=HUP,INT,TERM "$@"
    fi
    ;;
esac
# A shell starts what it runs in the background with SIGINT ignored, and nohup with SIGHUP. Programs inherit that, and
# the host heeds it:
# tests send it these signals.
exec env --default-signal=HUP,INT,TERM "$@"
