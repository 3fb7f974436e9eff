#!/usr/bin/env bash
# Checks licences, bans and sources of the dependencies against deny.toml: of the workspace and of fuzz/. Fails too
# where a Cargo.lock is not up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
readonly CARGO_DENY=0.20.2

if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
    echo "setup: installing cargo-deny $CARGO_DENY" >&2
    # Unoptimised: 73 s of CPU time, without the LTO of its own profile. A check takes 2 s. --force, because
    # another version may be there.
    cargo install cargo-deny --locked --debug --force --version "$CARGO_DENY"
fi

check() { # MANIFEST ARGUMENT...
    local manifest=$1
    shift
    echo "$manifest:"
    # From this directory: in fuzz/ rustup would take the nightly Rust, which need not be installed.
    cargo deny --locked --workspace --manifest-path "$manifest" --config "$PWD/deny.toml" \
        check --hide-inclusion-graph "$@" licenses bans sources
}
# The fuzz targets depend on the host, so all exceptions must be in use there.
check Cargo.toml --allow license-exception-not-encountered
check fuzz/Cargo.toml
