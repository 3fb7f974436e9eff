#!/usr/bin/env bash
# Read by the demo of a fleet: processes that end with the script, and conditions that are waited for. The script sets
# $directory, where files are made, and calls kill_started at its end.
# shellcheck disable=SC2154 # the script's directory
# shellcheck disable=SC2034 # used by the script

# Processes that were started, by their numbers.
started=()

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Starts a program in the background, with its output in files of this name; its number is in $started_pid.
start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$directory/$name.out" 2>"$directory/$name.err" </dev/null &
    started_pid=$!
    started+=("$started_pid")
}

# Waits until a command succeeds, for this number of seconds at most.
wait_for() { # SECONDS WHAT COMMAND...
    local seconds=$1 what=$2
    local end=$((SECONDS + seconds))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "not within $seconds s: $what"
        sleep 0.1
    done
}

# Waits until a process has ended by itself or by a signal that was sent to it.
wait_for_end() { # SECONDS NAME PID
    wait_for "$1" "$2 has ended" has_ended "$3"
}

has_ended() { # PID
    ! kill -0 "$1" 2>/dev/null
}

# Kills every process that was started and is still there.
kill_started() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
}

# Starts a server of NATS on free ports of loopback, and waits until it can be used: $broker is its address.
start_broker() { # PROGRAM
    cat >"$directory/nats.conf" <<END
listen: "127.0.0.1:-1"
ports_file_dir: "$directory"
jetstream { store_dir: "$directory/store", sync_interval: always }
END
    start nats "$1" --config "$directory/nats.conf"
    wait_for 10 "the server of NATS listens" test -s "$directory/nats-server_$started_pid.ports"
    broker=$(grep -o 'nats://[0-9.:]*' "$directory/nats-server_$started_pid.ports")
}
