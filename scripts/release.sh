#!/usr/bin/env bash
# Builds the host as it is passed on, in packages and archives, and prints the path of the program. It needs the C
# library alone, and has no paths of this machine in it: the same commit, built by the same compilers, gives the same
# bytes in each directory.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh release >&2
CARGO_ENCODED_RUSTFLAGS=$(scripts/rustflags.sh)
export CARGO_ENCODED_RUSTFLAGS
# Build scripts of C libraries heed the time of the commit, so that each commit would compile wasmtime anew; what they
# make has no time in it.
unset SOURCE_DATE_EPOCH
cargo build --release --locked --features vendored --bin retrans-host >&2
echo "${CARGO_TARGET_DIR:-target}/release/retrans-host"
