#!/usr/bin/env bash
# The demo of a fleet, as root: demo.sh RETRANS-HOST NATS-SERVER.
#
# Three hosts (network namespaces) send to one peer over links that lose every eighth segment. An agent for each host
# publishes its retransmits to a broker. Two consumers run threshold-alert over all hosts, with a threshold that no host
# reaches alone. The one that has the peer's partition is killed; the other one goes on with its state, and raises the
# alert. All processes, namespaces and files are gone at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"
# shellcheck source=scripts/fleet/common.sh
. scripts/fleet/common.sh
[ $# -eq 2 ] || fail "two arguments are needed: the programs retrans-host and nats-server"
readonly HOST=$1 SERVER=$2

readonly HOSTS=(host-a host-b host-c)
# What each transfer sends. Of seven new segments one is lost, with those that are sent again: 20 of 140.
readonly PORT=5201 CONNECTIONS=10 SEGMENTS=14
# Three hosts send about 60 segments again in each of two transfers, each of them about 40 in both. So no host alone
# reaches the threshold, and the second transfer alone does not.
readonly THRESHOLD=90
readonly RULE=(--plugin threshold-alert --set "threshold=$THRESHOLD" --set window=60s)
# The common peer is in partition 0 of 4, and those that each host has for itself are in others.
readonly PARTITIONS=4 PEER=10.77.0.10 PEER_PARTITION=0
readonly OWN_PEERS=(10.77.0.11 10.77.0.12 10.77.0.13)
readonly ADDRESSES=(10.77.0.101 10.77.0.102 10.77.0.103)
# A consumer takes a partition 6 s after its owner was last heard of.
readonly TAKE_OVER=10

namespaces=()
directory=$(mktemp --directory --tmpdir retrans-fleet-XXXXXX)
clean_up() {
    local status=$? namespace
    trap '' INT TERM
    kill_started
    for namespace in "${namespaces[@]}"; do
        ip netns delete "$namespace" || true
    done
    if [ "$status" -ne 0 ]; then
        tail --lines=12 "$directory"/*.err >&2 || true
    fi
    rm --recursive --force "$directory"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command in a namespace.
within() { # NAME COMMAND...
    local name=$1
    shift
    ip netns exec "retrans-fleet-$$-$name" "$@"
}

add_namespace() { # NAME
    ip netns add "retrans-fleet-$$-$1"
    namespaces+=("retrans-fleet-$$-$1")
    within "$1" ip link set dev lo up
}

# The network: a namespace with the peers, whose bridge has a link to each host's namespace.
make_network() {
    local number name address
    add_namespace peers
    within peers ip link add name bridge type bridge
    within peers ip link set dev bridge up
    for address in "$PEER" "${OWN_PEERS[@]}"; do
        within peers ip address add "$address/24" dev bridge
    done
    within peers nft add table inet demo
    within peers nft add chain inet demo input '{ type filter hook input priority 0 ; }'
    for number in "${!HOSTS[@]}"; do
        name=${HOSTS[number]}
        add_namespace "$name"
        within "$name" ip link add name to-peers type veth peer name "$name" netns "retrans-fleet-$$-peers"
        # No GSO: a packet is one segment, for the rule that loses packets as well.
        within "$name" ip link set dev to-peers gso_max_segs 1 gso_max_size 1600 up
        within "$name" ip address add "${ADDRESSES[number]}/24" dev to-peers
        within peers ip link set dev "$name" master bridge up
        # The receiver loses segments as they come in: a packet that the sender itself drops is an error to it.
        within peers nft add rule inet demo input ip saddr "${ADDRESSES[number]}" tcp dport "$PORT" \
            meta length '>' 600 numgen inc mod 8 == 4 drop
    done
    start peers ip netns exec "retrans-fleet-$$-peers" python3 scripts/fleet/transfer.py receive "$PORT"
    wait_for 10 "the receiver listens" test -s "$directory/peers.out"
}

# Each host sends to the common peer and to one of its own. Their processes are in $senders.
start_transfers() { # SECONDS
    local number
    senders=()
    for number in "${!HOSTS[@]}"; do
        start "sender-${HOSTS[number]}" ip netns exec "retrans-fleet-$$-${HOSTS[number]}" \
            python3 scripts/fleet/transfer.py send "$PORT" "$SEGMENTS" "$1" \
            "$PEER*$CONNECTIONS" "${OWN_PEERS[number]}*3"
        senders+=("$started_pid")
    done
}

wait_for_transfers() {
    local sender
    for sender in "${senders[@]}"; do
        wait_for_end 40 "a transfer" "$sender"
        wait "$sender" || fail "a transfer failed"
    done
}

# A sum over the lines of JSON that agents have printed: retransmits, or the segments that they sent again. To one peer,
# or with an empty PEER to all.
printed() { # events|segments PEER HOST...
    local what=$1 peer=$2
    local destination=${peer:+"\"destination\":{\"ip\":\"$peer\","}
    shift 2
    (cd "$directory" && cat "${@/%/.out}") | awk -v what="$what" -v destination="$destination" '
        index($0, "{\"type\":\"retransmit\",") && index($0, destination) {
            events++
            match($0, /"segments":[0-9]+/)
            segments += substr($0, RSTART + 11, RLENGTH - 11)
        }
        END { print (what == "events" ? events : segments) + 0 }'
}

# What the kernel has counted in a namespace: RetransSegs.
counted_by_kernel() { # HOST
    # A line of names, and one of numbers.
    # shellcheck disable=SC2016 # awk's fields
    within "$1" awk '$1 == "Tcp:" { if (at) print $at; for (i = 1; i <= NF; i++) if ($i == "RetransSegs") at = i }' \
        /proc/net/snmp
}

ask() {
    python3 scripts/fleet/broker.py "$broker" "$@"
}

# A sum over the snapshots of all partitions, or of one. A snapshot counts for all consumers that have had its
# partition, the killed one as well.
in_snapshots() { # COLUMN [PARTITION]
    ask counts | awk -v column="$1" -v only="${2-}" 'only == "" || $1 == only { sum += $column } END { print sum + 0 }'
}
readonly RECEIVED=2 DELIVERED=3 DUPLICATE=4

have_owners() {
    local partition
    for ((partition = 0; partition < PARTITIONS; partition++)); do
        [ -n "$(ask owner "$partition")" ] || return 1
    done
    # Each has its share.
    [ "$(owners | sort --unique | wc --lines)" -eq 2 ]
}

owners() {
    local partition
    for ((partition = 0; partition < PARTITIONS; partition++)); do
        ask owner "$partition"
    done
}

owner_is() { # NAME
    [ "$(ask owner "$PEER_PARTITION")" = "$1" ]
}

snapshots_have() { # EVENTS [PARTITION]
    [ "$(in_snapshots "$DELIVERED" "${2-}")" -ge "$1" ]
}

# The alerts of both consumers, without repetitions: one that fires is raised again after a takeover.
alerts_of_consumers() {
    cat "$directory"/consumer-*.alerts 2>/dev/null | grep '"state":"firing"' |
        awk 'match($0, /"labels":\{[^}]*\}/) && !seen[substr($0, RSTART, RLENGTH)]++'
}

number_of_alerts() {
    alerts_of_consumers | wc --lines
}

is_alerted() {
    [ "$(number_of_alerts)" -ge 1 ]
}

for program in ip nft python3; do
    command -v "$program" >/dev/null || fail "the program $program is missing, which the demo needs"
done
make_network
start_broker "$SERVER"
"$HOST" fleet init "$broker" --partitions "$PARTITIONS" >"$directory/init.out" 2>"$directory/init.err"

echo "A fleet of its own: three hosts (network namespaces), one peer that all of them reach ($PEER), and links that lose
every eighth segment. No other traffic of this machine is watched. The broker is nats-server on loopback.
Rule on each host and on the fleet: $THRESHOLD segments sent again to one peer within 60 s.
"
declare -A consumers agents
for name in consumer-1 consumer-2; do
    start "$name" "$HOST" consume "$broker" --name "$name" --from-beginning "${RULE[@]}" \
        --alerts-file "$directory/$name.alerts"
    consumers[$name]=$started_pid
done
for name in "${HOSTS[@]}"; do
    start "$name" "$HOST" --netns "retrans-fleet-$$-$name" "${RULE[@]}" --plugin json-print \
        --alerts-file "$directory/$name.alerts" \
        --publish "$broker" --publish-name "$name" --publish-partitions "$PARTITIONS"
    agents[$name]=$started_pid
done
for name in "${!agents[@]}" "${!consumers[@]}"; do
    wait_for 20 "$name runs" grep --quiet "Ctrl-C ends" "$directory/$name.err"
done
wait_for 15 "both consumers have partitions" have_owners

start_transfers 2
wait_for_transfers
first=$(printed events "$PEER" "${HOSTS[@]}")
first_segments=$(printed segments "$PEER" "${HOSTS[@]}")
wait_for 10 "the state of the peer's partition is saved" snapshots_have "$first" "$PEER_PARTITION"
victim=$(ask owner "$PEER_PARTITION")
case $victim in
    consumer-1) survivor=consumer-2 ;;
    consumer-2) survivor=consumer-1 ;;
    *) fail "partition $PEER_PARTITION has no owner" ;;
esac
echo "First transfer: the fleet sent $first_segments segments again to $PEER. $victim has its partition, and has" \
    "saved its state."

start_transfers 6
more_is_seen() {
    [ "$(printed events "$PEER" "${HOSTS[@]}")" -ge $((first + 6)) ]
}
wait_for 10 "the second transfer is under way" more_is_seen
at_kill=$(printed segments "$PEER" "${HOSTS[@]}")
kill -KILL "${consumers[$victim]}"
wait "${consumers[$victim]}" 2>/dev/null || true
killed=$EPOCHREALTIME
echo "Second transfer: after $((at_kill - first_segments)) more of them, $victim is killed (kill -9)."
wait_for "$TAKE_OVER" "$survivor has taken the partition" owner_is "$survivor"
taken=$EPOCHREALTIME
awk -v killed="$killed" -v taken="$taken" -v name="$survivor" 'BEGIN {
    printf "%s has the partition %.1f s later, and goes on with the state.\n", name, taken - killed
}'
wait_for_transfers
wait_for 15 "an alert is raised" is_alerted

for name in "${HOSTS[@]}"; do
    kill -TERM "${agents[$name]}"
done
for name in "${HOSTS[@]}"; do
    wait_for_end 10 "$name" "${agents[$name]}"
    wait "${agents[$name]}" || fail "$name failed"
done
published=0
for name in "${HOSTS[@]}"; do
    ledger=$(grep "^ledger: published" "$directory/$name.err")
    [[ $ledger =~ events=([0-9]+)\ acknowledged=([0-9]+)\ dropped=0\ spooled=0 ]] || fail "$name: $ledger"
    [ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[2]}" ] || fail "$name: $ledger"
    published=$((published + BASH_REMATCH[1]))
done
wait_for 10 "all events are consumed" snapshots_have "$published"
status=$("$HOST" fleet status "$broker") || fail "fleet status failed"
kill -TERM "${consumers[$survivor]}"
wait_for_end 10 "$survivor" "${consumers[$survivor]}"
wait "${consumers[$survivor]}" || fail "$survivor failed"

echo
echo "retrans-host fleet status, after the agents have ended:"
sed 's/^/  /; s/ *$//' <<<"$status"
echo
echo "Ledgers of the agents, and of the consumer that is left (since it began):"
for name in "${HOSTS[@]}" "$survivor"; do
    sed --quiet "s/^ledger: \(published\|fleet\)/  $name: &/p" "$directory/$name.err" | sed 's/ledger: //'
done
read=$(sed --quiet 's/^ledger: fleet received=\([0-9]*\).*/\1/p' "$directory/$survivor.err")
received=$(in_snapshots "$RECEIVED")
delivered=$(in_snapshots "$DELIVERED")
duplicate=$(in_snapshots "$DUPLICATE")
echo "  both consumers, by the states of all partitions: received=$received delivered=$delivered duplicate=$duplicate"

echo
echo "What the same rule saw:"
kernel=0
largest=0
for name in "${HOSTS[@]}"; do
    alone=$(printed segments "$PEER" "$name")
    [ "$alone" -le "$largest" ] || largest=$alone
    kernel=$((kernel + $(counted_by_kernel "$name")))
    alerts=$(cat "$directory/$name.alerts" 2>/dev/null | wc --lines)
    echo "  $name alone: $alone segments sent again to $PEER, $alerts alerts"
done
total=$(printed segments "$PEER" "${HOSTS[@]}")
seen=$(printed segments "" "${HOSTS[@]}")
echo "  the fleet: $total segments sent again to $PEER, $(number_of_alerts) alert:"
sed --quiet 's/^.* WARNING /    &/p' "$directory/$victim.err" "$directory/$survivor.err"
# No check: some virtual machines run no BPF program in a softirq that interrupts their first process.
echo "To all peers, the agents saw $seen segments sent again; the kernel itself counted $kernel (RetransSegs)."

echo
check() { # WHAT CONDITION...
    local what=$1
    shift
    "$@" || fail "this does not hold: $what"
    echo "  yes: $what"
}
is_one_about_the_peer() {
    [ "$(number_of_alerts)" -eq 1 ] &&
        alerts_of_consumers | grep --quiet --fixed-strings "\"labels\":{\"peer\":\"$PEER\"}"
}
was_raised_by_survivor() {
    [ -s "$directory/$survivor.alerts" ] && [ ! -s "$directory/$victim.alerts" ]
}
echo "Checked:"
check "no host alone reached $THRESHOLD (the most is $largest), and none raised an alert" \
    test "$largest" -lt "$THRESHOLD" -a -z "$(cat "$directory"/host-*.alerts 2>/dev/null)"
check "the second transfer alone, $((total - first_segments)) segments to $PEER, does not reach it" \
    test $((total - first_segments)) -lt "$THRESHOLD"
check "$survivor has read $read of $published events: those of the first transfer it has from the state" \
    test "$read" -le $((published - first))
check "one alert was raised, and it is about $PEER" is_one_about_the_peer
check "$survivor raised it, and the killed $victim did not" was_raised_by_survivor
check "consumed = published: $delivered of $published events, and $duplicate duplicates" \
    test "$delivered" -eq "$published" -a "$received" -eq $((delivered + duplicate))
