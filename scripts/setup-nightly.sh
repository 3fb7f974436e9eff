#!/usr/bin/env bash
# Installs the nightly Rust that fuzz/ is pinned to, where it is missing, and prints its name.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh >&2

channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' fuzz/rust-toolchain.toml)
installed=$(rustup component list --installed --toolchain "$channel" 2>/dev/null || true)
for component in clippy miri rust-src rustfmt; do
    if ! grep -q "^$component" <<<"$installed"; then
        echo "setup: installing Rust $channel with clippy, miri, rust-src and rustfmt" >&2
        rustup toolchain install "$channel" --profile minimal --no-self-update \
            --component clippy --component miri --component rust-src --component rustfmt >&2
        break
    fi
done
echo "$channel"
