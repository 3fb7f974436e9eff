#!/usr/bin/env bash
# Installs what is missing, builds the host and shows a fleet at work: three hosts, a broker, two consumers, one of
# which is killed. RETRANS_HOST and NATS_SERVER name programs that are there: then they are used as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/fleet/programs.sh
. scripts/fleet/programs.sh
exec scripts/as-root.sh scripts/fleet/demo.sh "$host" "$server"
