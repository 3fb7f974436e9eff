#!/bin/sh
# Makes the pictures of the README from a generated capture: docs/images/report.png.
# Needs a release build of the host (cargo build --release) and Debian's package chromium.
set -eu
cd "$(dirname "$0")/.."
host=$(realpath "${CARGO_TARGET_DIR:-target}")/release/retrans-host
command -v chromium > /dev/null || {
    echo "pictures.sh: chromium is missing: apt-get install chromium" >&2
    exit 1
}
[ -x "$host" ] || {
    echo "pictures.sh: $host is missing: cargo build --release" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$host" --quiet generate lossy.rtc --events 20k --connections 300 --seed 7 --census 1s --gaps
"$host" --quiet report lossy.rtc --plugin threshold-alert --set threshold=60 --set window=10s -o report.html 2> /dev/null
cd "$OLDPWD"
mkdir -p docs/images
# Without the sandbox of chromium: it does not start as root, and the page is of this script.
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$scratch/profile" \
    --force-device-scale-factor=0.8 --window-size=1100,1560 --screenshot="$PWD/docs/images/report.png" \
    "file://$scratch/report.html" 2> /dev/null
ls -l docs/images/report.png
