#!/usr/bin/env bash
# Installs what is missing, builds the host and shows a fleet at work: three hosts, a broker, two consumers, one of
# which is killed. RETRANS_HOST and NATS_SERVER name programs that are there: then they are used as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
host=${RETRANS_HOST-}
server=${NATS_SERVER-}
if [ -z "$host" ] || [ -z "$server" ]; then
    scripts/setup.sh fleet
    server=${server:-$(ls -d target/nats-server-2.*/nats-server)}
fi
if [ -z "$host" ]; then
    cargo build --release --locked --package retrans-host --bins
    host=$target/release/retrans-host
fi
exec scripts/as-root.sh scripts/fleet/demo.sh "$(realpath "$host")" "$(realpath "$server")"
