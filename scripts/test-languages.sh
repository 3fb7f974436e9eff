#!/usr/bin/env bash
# Builds the samples of each SDK with the toolchain of its language, which it installs where it is missing, runs the native
# tests, then compares the samples with those in Rust (tests/languages). Arguments go to cargo test. LANGUAGES="c go" takes
# fewer languages, and no comparison.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
read -r -a languages <<<"${LANGUAGES:-c go python javascript}"

# As make test builds it: another selection of packages has other features, and would build all dependencies again.
cargo test --quiet --locked --workspace --no-run --test languages
RETRANS_HOST=$PWD/${CARGO_TARGET_DIR:-target}/debug/retrans-host
export RETRANS_HOST
for language in "${languages[@]}"; do
    echo "languages: $language"
    "scripts/languages/$language.sh" setup
    "scripts/languages/$language.sh" build
    "scripts/languages/$language.sh" test
    PATH="$("scripts/languages/$language.sh" path):$PATH"
done
export PATH
[ -n "${LANGUAGES-}" ] || cargo test --workspace --test languages \
    --config 'target."cfg(all())".runner = "scripts/test-runner.sh"' "$@"
