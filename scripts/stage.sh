#!/usr/bin/env bash
# Builds the host as it is passed on, and lays out all files that are installed with it below target/stage, where
# Debian has them: for scripts/deb.sh and scripts/dist.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(scripts/release.sh)
readonly STAGE=target/stage
umask 022
rm -rf "$STAGE"

add() { # FILE... DIRECTORY
    install -D --mode=0644 --target-directory="$STAGE/${*: -1}" "${@:1:$#-1}"
}
install -D --mode=0755 --target-directory="$STAGE/usr/bin" "$program"
# As Debian does it.
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$STAGE/usr/bin/retrans-host"
add deploy/systemd/retrans-host.service usr/lib/systemd/system
add deploy/systemd/config.toml etc/retrans-host

host=$PWD/$STAGE/usr/bin/retrans-host
mkdir -p "$STAGE"/usr/share/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$host" man --dir "$STAGE/usr/share/man/man1"
"$host" completions bash >"$STAGE/usr/share/bash-completion/completions/retrans-host"
"$host" completions zsh >"$STAGE/usr/share/zsh/vendor-completions/_retrans-host"
"$host" completions fish >"$STAGE/usr/share/fish/vendor_completions.d/retrans-host.fish"

# The SDK, as the program has it for `plugin new`.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && "$host" --quiet plugin new sdk)
mkdir -p "$STAGE/usr/share/retrans-host"
cp -r "$scratch/sdk/vendor" "$STAGE/usr/share/retrans-host/sdk"

readonly DOC=usr/share/doc/retrans-host
# Links between these documents are those of the repository.
add README.md SECURITY.md "$DOC"
add docs/*.md "$DOC/docs"
add docs/images/*.png "$DOC/docs/images"
find deploy/compose.yaml deploy/grafana deploy/kubernetes deploy/prometheus -type f | while read -r file; do
    add "$file" "$DOC/$(dirname "$file")"
done
cp CHANGELOG.md "$STAGE/$DOC/changelog"
scripts/licences.sh >"$STAGE/$DOC/third-party-licences.txt"
gzip --no-name --best "$STAGE"/usr/share/man/man1/* "$STAGE/$DOC"/{changelog,third-party-licences.txt}
# Files that programs have written may have other modes.
chmod -R u=rwX,go=rX "$STAGE"
