#!/usr/bin/env bash
# Installs what is missing, runs every test of the workspace, names those that were skipped and the programs that took
# longest, and sums up. Arguments go to cargo test.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
cargo test --workspace --no-fail-fast \
    --config 'target."cfg(all())".runner = "scripts/test-runner.sh"' "$@" 2>&1 |
    tee "$log" || status=$?

echo
# With one test thread the harness has the test's name on the same line. A test may say it twice.
skipped='skipped: ([a-z0-9_]+::)*root_[a-z0-9_]*: '
grep --extended-regexp --only-matching "$skipped.*" "$log" | awk '!seen[$0]++' || true
awk -v skipped="$skipped" '
    /^test result:/ { passed += $4; failed += $6; left_out += $8 }
    /^ +Running / { program = $2 " " $3 }
    /^ +Doc-tests / { program = "doc tests of " $2 }
    /^test result:/ && match($0, /finished in [0-9.]+s/) {
        seconds = substr($0, RSTART + 12, RLENGTH - 13) + 0
        if (seconds >= 20) printf "%d s: %s\n", seconds, program | "sort -rn"
    }
    # Another test runs them, in a process of its own.
    /^test .* ignored, a test below runs it/ { left_out-- }
    # They return early, so that the harness counts them as passed.
    match($0, skipped) && !seen[substr($0, RSTART, RLENGTH)]++ { passed--; left_out++ }
    END { close("sort -rn"); printf "%d passed, %d failed, %d skipped\n", passed, failed, left_out }
' "$log"
exit "$status"
