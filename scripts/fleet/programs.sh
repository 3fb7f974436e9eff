# shellcheck shell=bash
# Sets $host and $server to the paths of the host and of nats-server: those that RETRANS_HOST and NATS_SERVER name, or what
# is installed and built here. To be sourced at the root of the repository.
host=${RETRANS_HOST-}
server=${NATS_SERVER-}
if [ -z "$host" ] || [ -z "$server" ]; then
    scripts/setup.sh fleet
    server=${server:-$(ls -d target/nats-server-2.*/nats-server)}
fi
if [ -z "$host" ]; then
    cargo build --release --locked --package retrans-host --bins
    host=${CARGO_TARGET_DIR:-target}/release/retrans-host
fi
host=$(realpath "$host")
server=$(realpath "$server")
