#!/usr/bin/env bash
# Prints which crates are in the program and in its bundled plugins, and the texts of their licences, each text once.
set -euo pipefail
cd "$(dirname "$0")/.."

tree() { # ARGUMENT...: names, versions and licences of what is linked
    cargo tree --locked --edges normal,no-proc-macro --prefix none --no-dedupe --format '{p}|{l}' "$@"
}
plugins=()
for manifest in plugins/*/Cargo.toml; do
    plugins+=(--package "$(basename "$(dirname "$manifest")")")
done
# Those of the registry: their names have no path behind them.
crates=$({
    tree --package retrans-host --features vendored
    tree "${plugins[@]}" --target wasm32-wasip2
} | sed '/^$/d; / (\//d' | LC_ALL=C sort -u)

# The directory of each crate, by name and version.
declare -A directories
while read -r manifest; do
    directory=${manifest%/Cargo.toml}
    directories[${directory##*/}]=$directory
done < <(cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*"' | cut -d'"' -f4)

echo "The program and its bundled plugins contain these crates. The texts of their licences follow, each once."
echo
declare -A owners files
order=()
while IFS='|' read -r crate licence; do
    read -r name version <<<"$crate"
    version=${version#v}
    printf '%s %s: %s\n' "$name" "$version" "$licence"
    directory=${directories[$name-$version]}
    # Three levels: libbpf, elfutils and zlib are below libbpf-sys, zstd is below zstd-sys.
    while IFS= read -r file; do
        digest=$(sha256sum <"$file")
        [ -n "${files[$digest]-}" ] || order+=("$digest")
        files[$digest]=${files[$digest]-$file}
        owners[$digest]+="$name $version, ${file#"$directory"/}"$'\n'
    done < <(find "$directory" -maxdepth 3 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'copyright*' \
        -o -iname 'notice*' \) ! -name '*.rs' ! -name '*.py' ! -path '*/doc/*' | LC_ALL=C sort)
done <<<"$crates"

for digest in "${order[@]}"; do
    printf '\n%s\n%s\n' "$(printf '%.0s-' {1..80})" "${owners[$digest]}"
    cat "${files[$digest]}"
done
