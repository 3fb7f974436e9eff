#!/usr/bin/env bash
# The toolchain of plugins in Python, and what is made with it.
#   python.sh setup   installs it: Python from the distribution, componentize-py into target/languages/python/venv
#   python.sh build   makes target/languages/python/{filter,transform,alert,stateful,faulty}.wasm
#   python.sh test    runs the tests of the SDK and of the samples
#   python.sh path    prints the directory that must be in PATH
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly ROOT=$PWD
readonly SDK=$ROOT/plugin-sdk/python
readonly OUT=$ROOT/target/languages/python
readonly VENV=$OUT/venv
readonly REQUIREMENTS=$SDK/project/requirements.txt
# The sources are left as they are.
export PYTHONDONTWRITEBYTECODE=1

fail() {
    echo "python.sh: $*" >&2
    exit 1
}

setup() {
    if cmp --silent "$REQUIREMENTS" "$VENV/installed.txt" && "$VENV/bin/python3" --version >/dev/null 2>&1; then
        return
    fi
    local missing=()
    command -v python3 >/dev/null || missing+=(python3 python3-venv)
    if [ ${#missing[@]} -eq 0 ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || fail "these are missing, named as in Debian: ${missing[*]}." \
            "This is no Debian or Ubuntu: install them with its own package manager, then try again."
        echo "python.sh: installing ${missing[*]}" >&2
        scripts/as-root.sh apt-get update --quiet </dev/null
        scripts/as-root.sh env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends "${missing[@]}" </dev/null
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$(python3 --version) is too old: Python 3.11 or later is needed, as in Debian 12 or Ubuntu 24.04"
    echo "python.sh: installing componentize-py into ${VENV#"$ROOT"/}" >&2
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
        --require-hashes --requirement "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/installed.txt"
}

# Builds the plugin in a directory, unless nothing has changed since it was built.
component() { # NAME DIRECTORY
    local name=$1 project=$OUT/projects/$1 sources
    sources=$(cd "$SDK" && find retrans "$2" project/requirements.txt -name __pycache__ -prune -o -type f -print |
        sort | xargs sha256sum)
    if [ -f "$OUT/$name.wasm" ] && [ "$sources" = "$(cat "$project/built.txt" 2>/dev/null)" ]; then
        return
    fi
    rm -rf "$project"
    mkdir -p "$project"
    # As in a project: componentize-py leaves compiled files beside the sources.
    cp -R "$SDK/$2"/*.py "$SDK/retrans" "$project"
    printf '[project]\nname = "%s"\nversion = "0.1.0"\n' "$name" >"$project/pyproject.toml"
    (cd "$project" && "$VENV/bin/python3" -m retrans --output "$OUT/$name.wasm")
    echo "$sources" >"$project/built.txt"
}

build() {
    for name in filter transform alert stateful; do
        component "$name" "samples/$name"
    done
    component faulty tests/faulty
}

run_tests() {
    export PYTHONPATH=$SDK
    echo "the SDK:"
    "$VENV/bin/python3" -m unittest discover --start-directory "$SDK/tests"
    for name in filter transform alert stateful; do
        echo "the sample $name:"
        (cd "$SDK/samples/$name" && "$VENV/bin/python3" -m unittest)
    done
}

case ${1-} in
setup) setup ;;
build) setup && build ;;
test) setup && run_tests ;;
path) echo "$VENV/bin" ;;
*) fail "expected setup, build, test or path" ;;
esac
