#!/usr/bin/env bash
# Installs what the build, the tests and the demo need and this machine lacks. Says nothing where
# nothing is missing. "setup.sh kernels": also what make kernels needs.
set -euo pipefail
cd "$(dirname "$0")/.."
# Where Debian has ip and nft, which is not on every user's path.
export PATH="$PATH:/usr/sbin:/sbin"

fail() {
    echo "setup: $*" >&2
    exit 1
}

missing=()
needs_command() { # PACKAGE COMMAND
    command -v "$2" >/dev/null || missing+=("$1")
}
needs_header() { # PACKAGE HEADER
    echo "#include <$2>" | cc -E -x c - >/dev/null 2>&1 || missing+=("$1")
}
needs_command clang clang
needs_command gcc cc
needs_command make make
needs_command pkg-config pkg-config
needs_command iproute2 ip
needs_command iproute2 nstat
needs_command nftables nft
needs_header libc6-dev stdio.h
needs_header libelf-dev libelf.h
needs_header zlib1g-dev zlib.h
if [ "${1-}" = kernels ]; then
    needs_command dpkg dpkg-deb
    needs_command util-linux setpriv
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
fi

if [ ${#missing[@]} -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    command -v apt-get >/dev/null || fail "these are missing, named as in Debian: ${missing[*]}." \
        "This is no Debian or Ubuntu: install them with its own package manager, then try again."
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing: ${missing[*]}." \
            "Run as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    install=(apt-get install --yes --no-install-recommends "${missing[@]}")
    # A fresh machine has no package lists, an old one has stale ones.
    "${as_root[@]}" apt-get update --quiet </dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null
fi

command -v rustup >/dev/null || fail "rustup is missing; https://rustup.rs says how to install it"
channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
installed=$(rustup component list --installed --toolchain "$channel" 2>/dev/null || true)
for component in rustfmt clippy rust-std-wasm32-wasip2; do
    if ! grep -q "^$component" <<<"$installed"; then
        echo "setup: installing Rust $channel with rustfmt, clippy and wasm32-wasip2" >&2
        rustup toolchain install "$channel" --profile minimal --no-self-update \
            --component rustfmt --component clippy --target wasm32-wasip2
        break
    fi
done
