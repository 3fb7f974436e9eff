#!/usr/bin/env bash
# Fuzzes what others hand to the host: fuzz.sh SECONDS [TARGET...], by default every target. Says of
# each how much was tried and whether anything was found, and fails if anything was.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?how many seconds for each target?}
shift
readonly CARGO_FUZZ=0.13.2
# Grown corpora stay there from run to run; those in fuzz/corpus are where they begin.
readonly GROWN=target/fuzz/corpus
readonly ARTIFACTS=target/fuzz/artifacts

nightly=$(scripts/setup-nightly.sh)
if [ "$(cargo fuzz --version 2>/dev/null)" != "cargo-fuzz $CARGO_FUZZ" ]; then
    echo "setup: installing cargo-fuzz $CARGO_FUZZ" >&2
    cargo install cargo-fuzz --locked --version "$CARGO_FUZZ"
fi

# No sanitizer: what runs here is safe Rust (of the two casts that are not, Miri sees more), and code
# made by wasmtime, which AddressSanitizer does not know.
cargo_fuzz() { # SUBCOMMAND ARGUMENT...
    local subcommand=$1
    shift
    cargo "+$nightly" fuzz "$subcommand" --sanitizer none --target-dir target/fuzz "$@"
}

longest() { # TARGET: bytes of an input
    case $1 in
    record) echo 1024 ;;
    capture) echo 65536 ;;
    *) echo 4096 ;;
    esac
}

if [ $# -eq 0 ]; then
    mapfile -t targets < <(cargo "+$nightly" fuzz list)
else
    targets=("$@")
fi
cargo_fuzz build

mkdir -p target/fuzz/logs
status=0
summary=()
for target in "${targets[@]}"; do
    grown=$GROWN/$target artifacts=$ARTIFACTS/$target log=target/fuzz/logs/$target.log
    mkdir -p "$grown" "$artifacts" "fuzz/corpus/$target"
    corpora=("$grown" "fuzz/corpus/$target")
    [ "$target" != capture ] || corpora+=(tests/captures)
    echo "$target: $seconds seconds"
    found="nothing found"
    # A second more than a call may take, many times over; memory is bounded in the targets as well.
    cargo_fuzz run "$target" "${corpora[@]}" -- -max_total_time="$seconds" \
        -max_len="$(longest "$target")" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$artifacts/" >"$log" 2>&1 || {
        status=1
        found="FAILED, see $log"
        tail -n 20 "$log" >&2
    }
    summary+=("$(awk -v target="$target" -v found="$found" '
        /^stat::number_of_executed_units:/ { executions = $2 }
        /^stat::average_exec_per_sec:/ { speed = $2 }
        /^stat::peak_rss_mb:/ { memory = $2 }
        match($0, /cov: [0-9]+ ft: [0-9]+/) { split(substr($0, RSTART, RLENGTH), coverage, " ") }
        END {
            printf "%-9s  %9d executions  %6d/s  coverage %6d edges %6d features  %4d MiB  %s\n",
                target, executions, speed, coverage[2], coverage[4], memory, found
        }' "$log")")
done
echo
printf '%s\n' "${summary[@]}"
exit "$status"
