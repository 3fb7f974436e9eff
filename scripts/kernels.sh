#!/usr/bin/env bash
# Runs the live tests on other kernels in virtual machines (tests/kernels). Arguments are those of its command.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh kernels
# With the whole workspace: the features of shared dependencies are the same as in all other builds.
cargo build --quiet --locked --workspace --bin kernels
exec target/debug/kernels "$@"
