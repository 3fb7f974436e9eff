#!/usr/bin/env bash
# Prints what a fleet costs by role on this machine: AGENTS=200 replays of RATE=60 events a second for DURATION=60 s, one
# broker, and CONSUMERS="1 2 4" in turn. WAVES=2 runs half of the agents at a time, where memory is short. RETRANS_HOST
# and NATS_SERVER name programs that are there: then they are used as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/fleet/programs.sh
. scripts/fleet/programs.sh
exec python3 scripts/fleet/bench.py "$host" "$server"
