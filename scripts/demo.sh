#!/usr/bin/env bash
# Installs what is missing, builds the host and shows it at work on a lossy link: retrans-host demo.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
cargo build --release --locked --package retrans-host --bins
target=${CARGO_TARGET_DIR:-target}
exec scripts/as-root.sh "$target/release/retrans-host" demo --dir "$target/demo"
