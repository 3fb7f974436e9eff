#!/usr/bin/env bash
# Runs the tests of the crate that casts references, under Miri. What else is unsafe in this
# repository calls the kernel or compiled WebAssembly, which Miri cannot run. Arguments go to cargo
# miri test.
set -euo pipefail
cd "$(dirname "$0")/.."
nightly=$(scripts/setup-nightly.sh)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
# Without isolation: proptest looks for its folder of regressions.
MIRIFLAGS="${MIRIFLAGS:--Zmiri-disable-isolation}" \
    cargo "+$nightly" miri test --package retrans-event --no-fail-fast "$@" 2>&1 |
    tee "$log" || status=$?

echo
awk '
    /^test result:/ { passed += $4; failed += $6; skipped += $8 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }
' "$log"
exit "$status"
