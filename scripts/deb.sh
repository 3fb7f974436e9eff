#!/usr/bin/env bash
# Makes a package for Debian and Ubuntu in target/debian, and prints its path. DEBFULLNAME and DEBEMAIL name its
# maintainer. It runs where the C library is not older than that of this machine: build on the oldest release that is
# wanted.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh packages >&2
readonly CARGO_DEB=3.8.0

if [ "$(cargo deb --version 2>/dev/null)" != "cargo-deb $CARGO_DEB" ]; then
    echo "setup: installing cargo-deb $CARGO_DEB" >&2
    # Unoptimised, as cargo-deny (scripts/deny.sh).
    cargo install cargo-deb --locked --debug --force --version "$CARGO_DEB" >&2
fi

# The time of all files in the package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
scripts/stage.sh >&2

maintainer=$(sed -n '/^\[package.metadata.deb\]/,/^\[/s/^maintainer = "\(.*\)"$/\1/p' Cargo.toml)
[ -z "${DEBEMAIL-}" ] || maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"
version=$(target/stage/usr/bin/retrans-host --version | cut -d' ' -f2)
# The package's own changes: none that the changelog of the program does not have.
cat >target/changelog.Debian <<END
retrans-host ($version-1) unstable; urgency=medium

  * What is new is in changelog.gz.

 -- $maintainer  $(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
cargo deb --quiet --compress-system --no-build --no-strip --locked --maintainer "$maintainer" --deb-revision 1
