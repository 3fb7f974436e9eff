#!/usr/bin/env bash
# Installs what is missing, builds the host and shows it at work on a lossy link: see
# examples/demo.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
# What make test builds as well, and with the same features: neither --release nor a part of it.
# Dependencies are optimised all the same.
cargo build --workspace --bins --examples
exec scripts/as-root.sh "${CARGO_TARGET_DIR:-target}/debug/examples/demo"
