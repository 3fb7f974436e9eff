#!/usr/bin/env bash
# Installs what is missing, builds the host and shows it at work on a lossy link: see
# examples/demo.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
# Not --release: make test uses the same build, and dependencies are optimised in it.
cargo build --bin retrans-host --example demo
exec scripts/as-root.sh "${CARGO_TARGET_DIR:-target}/debug/examples/demo"
