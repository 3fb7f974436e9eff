#!/usr/bin/env bash
# Runs a command as root: as it is for root, else through sudo.
set -euo pipefail
if [ "$(id -u)" -eq 0 ]; then
    exec "$@"
elif command -v sudo >/dev/null; then
    exec sudo --set-home -- "$@"
else
    echo "${1##*/} needs root, and there is no sudo here; run make as root" >&2
    exit 1
fi
