#!/usr/bin/env bash
# Installs what is missing, builds the host and shows it at work on a lossy link: see demo/src/main.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
# The release build, which `cargo build --release` reuses: both packages at once and no other, so that their
# dependencies have the features of the host alone.
cargo build --release --locked --package retrans-host --package retrans-demo --bins
exec scripts/as-root.sh "${CARGO_TARGET_DIR:-target}/release/retrans-demo"
