#!/usr/bin/env bash
# Prints what the samples cost in each language, beside Rust: CPU time an event in batches of 1, 64 and 256 events, time of
# compilation, memory. Arguments name samples: filter, transform, alert, stateful; all without.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
readonly TARGET=${CARGO_TARGET_DIR:-target}
cargo build --quiet --locked --release --workspace --bin retrans-host
export RETRANS_HOST=$PWD/$TARGET/release/retrans-host
languages=(c go python javascript)
for language in "${languages[@]}"; do
    "scripts/languages/$language.sh" setup
    "scripts/languages/$language.sh" build
done
# Not optimised for size alone, as projects of plugin new are.
cargo build --quiet --locked --release --package retrans-plugin-sdk --examples --target wasm32-wasip2
declare -A in_rust=([filter]=service [transform]=networks [alert]=slow_peers [stateful]=kind_summary)
# With what the generated events give each sample to do, as in tests/languages.
declare -A settings=(
    [filter]='--set port=5432'
    [transform]='--set networks=["10.2.0.0/23","2001:db8:2::80/121"]'
    [alert]='--set timeout=500ms --set hold=2s'
    [stateful]='--set every=5s'
)
[ $# -gt 0 ] || set -- filter transform alert stateful
for sample in "$@"; do
    echo "== $sample"
    compared=()
    for language in "${languages[@]}"; do
        compared+=(--compare "$language=$TARGET/languages/$language/$sample.wasm")
    done
    read -r -a options <<<"${settings[$sample]}"
    "$RETRANS_HOST" plugin bench "rust=$TARGET/wasm32-wasip2/release/examples/${in_rust[$sample]}.wasm" \
        "${options[@]}" --limit memory=128MiB "${compared[@]}"
    echo
done
