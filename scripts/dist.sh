#!/usr/bin/env bash
# Makes target/dist/retrans-host-VERSION-ARCHITECTURE-linux.tar.gz, for distributions without a package of their own,
# and SHA256SUMS beside it. The same commit gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
scripts/stage.sh >&2

readonly DIST=target/dist
version=$(target/stage/usr/bin/retrans-host --version | cut -d' ' -f2)
name=retrans-host-$version-$(uname -m)-linux
umask 022
rm -rf "$DIST"
mkdir -p "$DIST"
cp -r target/stage/usr "$DIST/$name"
cp -r target/stage/etc "$DIST/$name/etc"
# Where zsh itself looks.
mv "$DIST/$name/share/zsh/vendor-completions" "$DIST/$name/share/zsh/site-functions"
mv "$DIST/$name/share/fish/vendor_completions.d" "$DIST/$name/share/fish/completions"
cp LICENSE-APACHE LICENSE-MIT deploy/debian/copyright "$DIST/$name/share/doc/retrans-host/"
# Everything that could differ between two machines is set: order, times, owners, modes.
tar --directory="$DIST" --create --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "$name" | gzip --no-name --best >"$DIST/$name.tar.gz"
rm -rf "${DIST:?}/$name"
cd "$DIST"
sha256sum "$name.tar.gz" | tee SHA256SUMS
libc=$(objdump -T ../stage/usr/bin/retrans-host | grep -o 'GLIBC_[0-9.]*' | sort --version-sort | tail -n 1)
echo "$DIST/$name.tar.gz, for Linux with glibc ${libc#GLIBC_} or later"
