#!/usr/bin/env bash
# Makes the packages of the crates that are published, and builds each from its package: cargo package. Arguments are
# those of cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
# The package of the host has the sources of the SDK and of the bundled plugins in it.
trap 'rm -rf sources' EXIT
cargo run --quiet --locked --example package_sources -- sources
# cargo takes what it has built of a package from a registry as up to date for ever, also of the packages that it makes here:
# without this, an earlier build of the same version would be used.
rm -rf "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/retrans-event-* \
    "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/retrans-deliver-* \
    "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/retrans-plugin-sdk-* \
    "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/retrans-view-* \
    "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/retrans-deliver-*
cargo package --locked --allow-dirty \
    --package retrans-event --package retrans-plugin-sdk --package retrans-view --package retrans-deliver --package retrans-host-prerequisites \
    --package retrans-host "$@"
