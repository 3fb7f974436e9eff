#!/usr/bin/env bash
# Installs the package in fresh trees of Debian 12 and 13, first without systemd, then with it; uses, upgrades, removes
# and purges it there. test-deb.sh [PACKAGE]: by default, the package that scripts/deb.sh makes.
#
# Needs root, for chroot and for the probe. Everything is below a tmpfs in a mount namespace of its own, which ends with
# this process: on this machine nothing is mounted, and nothing is left behind. What debootstrap makes is kept in
# target/trees, as archives. It fetches packages from the mirror of this machine's apt, or from that in DEBIAN_MIRROR.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1-}" != --in-namespace ]; then
    package=${1:-$(scripts/deb.sh)}
    scripts/setup.sh packages >&2
    # The mail of no person is in a package that DEBEMAIL did not name one for, and it closes no bug of Debian.
    lintian --fail-on error,warning --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
        --suppress-tags initial-upload-closes-no-bugs "$package"
    echo "lintian: neither errors nor warnings"
    exec scripts/as-root.sh unshare --mount --propagation private -- \
        env --default-signal=INT,TERM,HUP DEBIAN_MIRROR="${DEBIAN_MIRROR-}" "$0" --in-namespace "$package"
fi

package=$(realpath "$2")
version=$(dpkg-deb --field "$package" Version)
readonly RELEASES=(bookworm trixie)
# What the service scores in `systemd-analyze security`, in tenths, at most.
readonly MAX_EXPOSURE=21
trees=$PWD/target/trees
mkdir -p "$trees"
scratch=$(mktemp -d)
# The directory is of the outer file system, all below it is not.
trap 'umount --lazy "$scratch"; rmdir "$scratch"' EXIT
mount -t tmpfs -o mode=0755 none "$scratch"
tree=$scratch/tree

passed=0 failed=0
check() { # WHAT COMMAND...: counts whether it succeeds
    local what=$1 output status
    shift
    # In a condition, a command that fails within a function would not end it.
    set +e
    output=$(set -e; "$@" 2>&1)
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$what" "$output"
    fi
}
# A command in the tree. No cache is left there.
inside() {
    chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 XDG_CACHE_HOME=/tmp/cache \
        DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}
sh_inside() { # SCRIPT
    inside sh -euc "$1"
}

mirror() {
    if [ -n "${DEBIAN_MIRROR-}" ]; then
        echo "$DEBIAN_MIRROR"
    elif ! apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$'; then
        echo "test-deb.sh: this machine's apt uses no mirror of Debian: set DEBIAN_MIRROR=http://…/debian" >&2
        return 1
    fi
}

unpack() { # ARCHIVE
    rm -rf --one-file-system "$tree"
    mkdir "$tree"
    tar --extract --file="$trees/$1.tar" --directory="$tree" --numeric-owner
}
pack() { # ARCHIVE: the tree, whole or not at all
    tar --create --file="$trees/$1.new" --directory="$tree" --numeric-owner --one-file-system .
    chown --reference="$trees/../.." "$trees/$1.new"
    mv "$trees/$1.new" "$trees/$1.tar"
}
mount_kernel() {
    mount -t proc proc "$tree/proc"
    mount --rbind --make-rslave /sys "$tree/sys"
}
unmount_kernel() {
    umount "$tree/proc"
    umount --lazy "$tree/sys"
}

make_trees() { # RELEASE: without systemd, and with it and what the demo needs
    local release=$1
    if [ ! -f "$trees/$release.tar" ]; then
        echo "making a tree of $release"
        rm -rf --one-file-system "$tree"
        debootstrap --variant=minbase "$release" "$tree" "$(mirror)" >"$trees/$release.log" 2>&1 || {
            tail -n 20 "$trees/$release.log"
            return 1
        }
        inside apt-get clean
        pack "$release"
    fi
    if [ ! -f "$trees/$release-full.tar" ]; then
        echo "making a tree of $release with systemd"
        unpack "$release"
        cp --dereference /etc/resolv.conf "$tree/etc/resolv.conf"
        mount_kernel
        # No service starts in it.
        inside apt-get install --yes --no-install-recommends systemd iproute2 nftables \
            >"$trees/$release-full.log" 2>&1 || {
            tail -n 20 "$trees/$release-full.log"
            return 1
        }
        unmount_kernel
        inside apt-get clean
        pack "$release-full"
    fi
}

# All files, but the lists of dpkg: what it knows of a package that was purged is checked by itself.
list_files() {
    find "$tree" -xdev -path "$tree/var/lib/dpkg" -prune -o -path "$tree/var/log/*.log" -prune \
        -o -path "$tree/tmp/*" -prune -o -path "$tree/run/*" -prune -o -printf '%y %m %U:%G %P %l\n' | sort
}
is_as_before() {
    list_files | diff "$scratch/before" -
    [ -z "$(compgen -G "$tree/var/lib/dpkg/info/retrans-host.*")" ]
    [ -z "$(grep '^Package: retrans-host$' "$tree/var/lib/dpkg/status")" ]
}

install_package() { # FILE OPTION...
    cp "$1" "$tree/tmp/package.deb"
    inside dpkg "${@:2}" --install /tmp/package.deb
}
# The package as an older version, with another configuration: as it would have been.
make_older() {
    dpkg-deb --raw-extract "$package" "$scratch/older"
    sed -i 's/^Version: .*/Version: 0.0.9-1/' "$scratch/older/DEBIAN/control"
    echo '# An older default.' >>"$scratch/older/etc/retrans-host/config.toml"
    dpkg-deb --root-owner-group --build -Znone "$scratch/older" "$scratch/older.deb" >/dev/null
}

is_whole() {
    sh_inside 'cd /tmp
        retrans-host man --dir made
        for page in made/*; do
            zcat "/usr/share/man/man1/${page##*/}.gz" | cmp - "$page"
        done
        [ "$(ls made | wc -l)" -eq "$(ls /usr/share/man/man1/retrans-host* | wc -l)" ]
        retrans-host completions bash | cmp - /usr/share/bash-completion/completions/retrans-host
        retrans-host completions zsh | cmp - /usr/share/zsh/vendor-completions/_retrans-host
        retrans-host completions fish | cmp - /usr/share/fish/vendor_completions.d/retrans-host.fish
        retrans-host --quiet plugin new mine
        diff -r mine/vendor /usr/share/retrans-host/sdk
        retrans-host --quiet plugin new other --sdk /usr/share/retrans-host/sdk/retrans-plugin-sdk
        cd /usr/share/doc/retrans-host
        zcat third-party-licences.txt.gz changelog.gz changelog.Debian.gz | grep -q .
        [ -s copyright ] && [ -s README.md ] && [ -s docs/deploying.md ]'
    inside bash -euc '. /usr/share/bash-completion/completions/retrans-host; complete -p retrans-host'
}
replays() {
    local capture
    for capture in tests/captures/*.rtc; do
        cp "$capture" "$tree/tmp/"
        sh_inside "retrans-host --quiet replay /tmp/${capture##*/} --plugin json-print" >"$scratch/lines"
        # Each capture is of one cause, which its events have.
        grep -q '"type":"retransmit"' "$scratch/lines"
        diff "$scratch/lines" <(target/stage/usr/bin/retrans-host --quiet replay "$capture" --plugin json-print)
    done
}
lacks_programs() {
    ! inside retrans-host demo --dir /tmp/demo 2>"$scratch/said"
    grep --quiet 'apt-get install iproute2' "$scratch/said"
}
demonstrates() {
    inside retrans-host --quiet demo --dir /tmp/demo | grep 'as many as the kernel itself counted'
    [ -s "$tree/tmp/demo/report.html" ]
}
has_version() {
    [ "$(inside retrans-host --version)" = "retrans-host ${version%-*}" ]
}

use() {
    check "it runs: --version" has_version
    check "check: the probe can be loaded" inside retrans-host check
    check "a replay of each capture, with json-print" replays
    check "its manual pages, completions, SDK and documents" is_whole
    check "its configuration" inside retrans-host config check /etc/retrans-host/config.toml
}

without_systemd() { # RELEASE
    echo "$1, without systemd:"
    unpack "$1"
    mount_kernel
    list_files >"$scratch/before"
    check "installed, without any other package" install_package "$package"
    use
    check "removed: the configuration stays" sh_inside 'dpkg --remove retrans-host
        [ -f /etc/retrans-host/config.toml ] && [ ! -e /usr/bin/retrans-host ] && [ ! -e /usr/share/retrans-host ]'
    check "installed again" install_package "$package"
    check "the demo tells which package it needs" lacks_programs
    check "purged" inside dpkg --purge retrans-host
    check "nothing is left" is_as_before
    unmount_kernel
}

exposure() {
    # Without a cgroup or a bus: it reads the unit.
    inside systemd-analyze security --offline=true --no-pager --threshold="$MAX_EXPOSURE" retrans-host.service
}
verified() {
    local said
    said=$(inside systemd-analyze verify --man=no retrans-host.service 2>&1)
    [ -z "$said" ] || { echo "$said"; return 1; }
}
is_enabled() { # STATE
    [ "$(inside systemctl is-enabled retrans-host)" = "$1" ]
}
is_default() { # FILE: whether it is the configuration of this version
    cmp "$tree/etc/retrans-host/$1" target/stage/etc/retrans-host/config.toml
}

change_configuration() {
    echo '# Of this site.' >>"$tree/etc/retrans-host/config.toml"
    cp "$tree/etc/retrans-host/config.toml" "$scratch/changed.toml"
}
# As systemd makes them with DynamicUser=.
make_state() {
    mkdir "$tree"/var/{lib,cache}/private/retrans-host
    echo '{}' >"$tree/var/lib/private/retrans-host/alerts.jsonl"
    ln -s private/retrans-host "$tree/var/lib/retrans-host"
    ln -s private/retrans-host "$tree/var/cache/retrans-host"
}

with_systemd() { # RELEASE
    echo "$1, with systemd:"
    unpack "$1-full"
    mount_kernel
    list_files >"$scratch/before"
    check "an older version installed" install_package "$scratch/older.deb"
    check "the service is not enabled" is_enabled disabled
    check "upgraded" install_package "$package"
    check "a configuration without changes is replaced" is_default config.toml
    check "purged" inside dpkg --purge retrans-host
    check "nothing is left" is_as_before

    check "an older version installed" install_package "$scratch/older.deb"
    check "its configuration changed" change_configuration
    check "the service enabled" inside systemctl enable retrans-host
    check "upgraded, with --force-confold" install_package "$package" --force-confold
    check "a changed configuration is kept" cmp "$tree/etc/retrans-host/config.toml" "$scratch/changed.toml"
    check "the new one is beside it" is_default config.toml.dpkg-dist
    check "the service is still enabled" is_enabled enabled
    use
    check "the demo" demonstrates
    check "systemd-analyze verify says nothing" verified
    check "systemd-analyze security: at most ${MAX_EXPOSURE%?}.${MAX_EXPOSURE#?}" exposure
    inside systemd-analyze security --offline=true --no-pager retrans-host.service 2>/dev/null | tail -n 1

    check "the service's directories made" make_state
    check "removed: what the service wrote stays" sh_inside 'dpkg --remove retrans-host
        [ -f /var/lib/retrans-host/alerts.jsonl ] && [ ! -e /usr/bin/retrans-host ]'
    check "purged" inside dpkg --purge retrans-host
    check "nothing is left" is_as_before
    unmount_kernel
}

# In a tree of its own: what systemd writes is not of the package.
booted() { # RELEASE
    echo "$1, booted:"
    unpack "$1-full"
    check "installed" install_package "$package"
    check "the service under a systemd of its own" scripts/test-service.sh "$tree"
}

for release in "${RELEASES[@]}"; do
    make_trees "$release"
done
make_older
for release in "${RELEASES[@]}"; do
    without_systemd "$release"
    with_systemd "$release"
    booted "$release"
done
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
