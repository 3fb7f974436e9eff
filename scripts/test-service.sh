#!/usr/bin/env bash
# Boots the tree of a Debian system, in which the package is installed, in a container with a systemd of its own, and
# runs the service there: start, an alert in the journal, reload, watchdog, a journal that restarts, a wrong
# configuration. test-service.sh TREE. Needs root and systemd-nspawn. The tree is changed.
set -euo pipefail
readonly TREE=${1:?the tree of a system}
readonly UNIT=retrans-host.service
# What the unit needs beyond nspawn's default.
readonly CALLS="bpf perf_event_open landlock_create_ruleset landlock_add_rule landlock_restrict_self"

log=$(mktemp)
# Capabilities beyond those of nspawn's default are what the unit keeps. Nothing is registered with this machine's own
# systemd, if it has one.
systemd-nspawn --quiet --directory="$TREE" --boot --register=no --keep-unit --private-network --console=pipe \
    --capability=CAP_BPF,CAP_PERFMON --system-call-filter="$CALLS" </dev/null >"$log" 2>&1 &
nspawn=$!
leader=
finish() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ] && [ -n "$leader" ]; then
        inside systemctl status --no-pager --lines=0 "$UNIT" || true
        inside journalctl --no-pager --quiet --lines=30 || true
    fi
    # The first signal asks for an orderly end.
    [ -z "$leader" ] || kill -s RTMIN+4 "$leader" 2>/dev/null || true
    wait_for 20 has_ended || kill -KILL "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
    [ "$status" -eq 0 ] || cat "$log"
    rm -f "$log"
    exit "$status"
}
trap finish EXIT

fail() {
    echo "test-service.sh: $*" >&2
    exit 1
}
wait_for() { # SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}
has_ended() {
    ! kill -0 "$nspawn"
}
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 "$@" </dev/null
}
find_leader() {
    leader=$(pgrep --parent "$nspawn" --exact systemd)
}
property() { # NAME
    inside systemctl show --property="$1" --value "$UNIT"
}
is() { # NAME VALUE
    [ "$(property "$1")" = "$2" ]
}
journal_has() { # PRIORITY WORDS: a message of the service with exactly this priority
    inside journalctl --no-pager --quiet --unit="$UNIT" --priority="$1..$1" --output=cat |
        grep --quiet --fixed-strings "$2"
}
done_with() {
    echo "service: $*"
}

wait_for 30 find_leader || fail "nspawn has not started systemd"
# It fails if a unit has failed, which is no matter of this test.
wait_for 60 inside systemctl is-system-running --wait || [ -n "$(inside systemctl is-system-running)" ] ||
    fail "systemd has not booted"

# What the tests need, in place of the configuration of the package: one SYN that is sent again is an alert.
cat >"$TREE/etc/retrans-host/config.toml" <<'END'
[listen]
address = "127.0.0.1:9435"

[record]
file = "/var/lib/retrans-host/lossy.rtc"

[[plugin]]
file = "threshold-alert"
settings = { threshold = 1 }
END

inside systemctl start "$UNIT" || fail "the service does not start"
is ActiveState active || fail "it is not active"
property StatusText | grep --quiet '^watching TCP retransmits' || fail "its status is: $(property StatusText)"
main=$(property MainPID)
status=$(inside cat "/proc/$main/status")
[ "$(awk '/^Uid:/ { print $2 }' <<<"$status")" -ge 61184 ] || fail "it has no user of its own"
[ "$(awk '/^Seccomp:/ { print $2 }' <<<"$status")" -eq 2 ] || fail "it is not confined"
done_with "it is ready, as a dynamic user"

inside retrans-host check --live >/dev/null || fail "no retransmit can be forced"
wait_for 20 journal_has warning "retransmit-threshold: 1 segment" || fail "no alert is in the journal as a warning"
! inside journalctl --no-pager --quiet --unit="$UNIT" --output=cat | grep '^[0-9]\{4\}-[0-9-]*T' ||
    fail "a message in the journal has a time of its own"
done_with "an alert is in the journal, as a warning"

inside systemctl reload "$UNIT" || fail "the reload fails"
is MainPID "$main" || fail "the reload has started another process"
wait_for 20 is SubState running || fail "it is $(property SubState) after the reload"
done_with "it has read its configuration again"

inside systemctl restart systemd-journald
inside retrans-host check --live >/dev/null
sleep 1
is MainPID "$main" || fail "a journal that restarts has ended the service"
done_with "a journal that restarts does not end it"

# Events cannot flow in a process that is stopped.
inside sh -c "mkdir -p /run/systemd/system/$UNIT.d
    printf '[Service]\nWatchdogSec=4s\nRestartSec=1s\n' >/run/systemd/system/$UNIT.d/test.conf
    systemctl daemon-reload && systemctl restart $UNIT"
main=$(property MainPID)
sleep 6
is MainPID "$main" || fail "the watchdog has ended a service that works"
inside sh -c "kill -STOP $main"
wait_for 30 is NRestarts 1 || fail "the watchdog has not started it again"
wait_for 60 is ActiveState active || fail "it is not active after the watchdog"
[ -n "$(inside find /var/lib/retrans-host/ -name 'lossy.rtc.1')" ] || fail "the capture was not moved aside"
for capture in lossy.rtc.1 lossy.rtc.2; do
    inside retrans-host inspect "/var/lib/retrans-host/$capture" >/dev/null 2>&1 || fail "$capture cannot be read"
done
done_with "the watchdog has started it again, and captures were moved aside"

inside systemctl stop "$UNIT" || fail "it does not stop"
is Result success || fail "it has ended with $(property Result)"
done_with "it has stopped"

echo 'threshhold = 1' >>"$TREE/etc/retrans-host/config.toml"
! inside systemctl start "$UNIT" 2>/dev/null || fail "it has started with a wrong configuration"
sleep 2
is ExecMainStatus 2 && is ActiveState failed || fail "systemd tries again although the configuration is wrong"
journal_has err "threshhold" || fail "the journal does not tell what is wrong"
done_with "a wrong configuration is an error in the journal, and not tried again"
