#!/usr/bin/env bash
# Makes the packages of the crates that are published, and builds each from its package: cargo package. Arguments are
# those of cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
# In the order in which they can be published.
readonly PACKAGES=(
    retrans-event retrans-plugin-sdk retrans-view retrans-deliver retrans-fleet retrans-host-prerequisites
    retrans-host
)
readonly BUILT="${CARGO_TARGET_DIR:-target}/debug"
# The package of the host has the sources of the SDK and of the bundled plugins in it.
trap 'rm -rf sources' EXIT
# With the whole workspace, as the tests: it is built already.
cargo build --quiet --locked --workspace --example package_sources
"$BUILT/examples/package_sources" sources
chosen=()
for package in "${PACKAGES[@]}"; do
    chosen+=(--package "$package")
    # cargo takes what it has built of a package from a registry as up to date for ever, also of the packages that it
    # makes here: without this, an earlier build of the same version would be used.
    rm -rf "$BUILT/.fingerprint/$package"-*
done
# The directory sources/ is not in the repository.
cargo package --locked --allow-dirty "${chosen[@]}" "$@"
