#!/usr/bin/env bash
# The toolchain of plugins in C, and what is made with it.
#   c.sh setup   installs it from the distribution: clang with the target wasm32-wasi, and a native compiler for tests
#   c.sh build   makes target/languages/c/{filter,transform,alert,stateful,faulty}.wasm
#   c.sh test    runs the tests of the SDK and of the samples
#   c.sh path    prints a directory for PATH: nothing is needed beside the distribution's
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly SDK=$PWD/plugin-sdk/c
readonly OUT=$PWD/target/languages/c
export RETRANS_HOST=${RETRANS_HOST:-$PWD/target/release/retrans-host}

fail() {
    echo "c.sh: $*" >&2
    exit 1
}

can_build() {
    local clang
    for clang in clang clang-19; do
        # As the Makefile of a project does.
        if echo 'int tried;' | "$clang" --target=wasm32-wasi -mexec-model=reactor -flto -x c - -o /dev/null 2>/dev/null; then
            return
        fi
    done
    return 1
}

setup() {
    if can_build && command -v cc make >/dev/null; then
        return
    fi
    local packages=(make gcc libc6-dev clang lld wasi-libc libclang-rt-dev-wasm32)
    command -v apt-get >/dev/null || fail "these are missing, named as in Debian: ${packages[*]}." \
        "This is no Debian or Ubuntu: install them with its own package manager, then try again."
    echo "c.sh: installing ${packages[*]}" >&2
    scripts/as-root.sh apt-get update --quiet </dev/null
    scripts/as-root.sh env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${packages[@]}" </dev/null
    can_build || fail "clang cannot build for wasm32-wasi, although its packages are installed"
}

# Makes a project of a sample, as plugin new does.
project() { # NAME DIRECTORY
    local project=$OUT/projects/$1
    mkdir -p "$project"
    cp -R "$SDK/retrans" "$project/"
    for file in "$SDK/project/Makefile" "$SDK/$2"/*.c; do
        sed "s/{{name}}/$1/g; s/{{summary}}/A sample/g" "$file" >"$project/$(basename "$file")"
    done
    [ "$1" != faulty ] || sed -i 's/plugin\.c/faulty.c/g' "$project/Makefile"
    echo "$project"
}

build() {
    local name directory project
    for name in filter transform alert stateful faulty; do
        directory=samples/$name
        [ "$name" != faulty ] || directory=tests/faulty
        project=$(project "$name" "$directory")
        make --silent --directory "$project"
        cp "$project/$name.wasm" "$OUT/$name.wasm"
    done
}

# With all warnings, and the sanitizers. Memory that a plugin keeps until it ends is no leak.
run_tests() {
    export ASAN_OPTIONS=detect_leaks=0
    local name project sources
    mkdir -p "$OUT/tests"
    sources=$(find "$SDK/retrans" -name '*.c' ! -name bindings.c)
    echo "the SDK:"
    # shellcheck disable=SC2086 # a list of files
    cc -std=c11 -g -Wall -Wextra -Wconversion -Wno-missing-field-initializers -Werror -fsanitize=address,undefined -I"$SDK" \
        "$SDK/tests/plugin.c" "$SDK/tests/test.c" $sources -o "$OUT/tests/sdk"
    "$OUT/tests/sdk"
    for name in filter transform alert stateful; do
        echo "the sample $name:"
        project=$(project "$name" "samples/$name")
        make --silent --directory "$project" clean
        make --silent --directory "$project" test \
            CFLAGS="-std=c11 -Wall -Wextra -Wconversion -Wno-missing-field-initializers -Werror -fsanitize=address,undefined -I."
    done
}

case ${1-} in
setup) setup ;;
build) setup && build ;;
test) setup && run_tests ;;
path) echo /usr/bin ;;
*) fail "expected setup, build, test or path" ;;
esac
