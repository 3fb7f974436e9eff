#!/usr/bin/env bash
# Prints options of rustc that keep paths of this machine out of what it compiles, in the form of
# CARGO_ENCODED_RUSTFLAGS, in which paths may have blanks. build/paths.rs has the same for the bundled plugins.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
# The last one that fits is taken.
options=(
    "--remap-path-prefix=$PWD=."
    "--remap-path-prefix=$(realpath -m "${CARGO_TARGET_DIR:-target}")=./target"
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    # Where the sources of the standard library are if they are installed, and what they are called if not.
    "--remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$commit"
)
(IFS=$'\x1f' && echo "${options[*]}")
