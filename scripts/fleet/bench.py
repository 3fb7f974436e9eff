#!/usr/bin/env python3
"""What a fleet costs by role: bench.py RETRANS-HOST NATS-SERVER.

Agents are replays of generated captures in real time. With each number of consumers, a new broker gets what all of them
publish; it ends when the consumers have taken all of it. Environment: AGENTS, DURATION (seconds), RATE (events a second
and agent), CONSUMERS (numbers of them), PARTITIONS, WAVES, HOSTS (for the arithmetic at the end), RULE (the plugin),
SYNC (sync_interval of the server).
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from broker import Broker

# What `generate` makes, in events a second of its recorded time.
GENERATED_RATE = 625
# How long the roles are watched without agents: what they cost without events.
IDLE = 5.0
PATIENCE = 120.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def number(name, default):
    return int(os.environ.get(name, default))


AGENTS = number("AGENTS", 200)
DURATION = number("DURATION", 60)
RATE = number("RATE", 60)
CONSUMERS = [int(word) for word in os.environ.get("CONSUMERS", "1 2 4").split()]
PARTITIONS = number("PARTITIONS", 32)
WAVES = number("WAVES", 1)
HOSTS = number("HOSTS", 10_000)
SYNC = os.environ.get("SYNC", "always")
RULE = os.environ.get("RULE", "threshold-alert")


class Process:
    """A process that ends with this program."""

    all = []

    def __init__(self, directory, name, *command):
        self.name = name
        self.log = directory / f"{name}.err"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        self.usage = None
        Process.all.append(self)

    def cpu(self):
        """CPU seconds so far, or of the whole run."""
        if self.usage:
            return self.usage.ru_utime + self.usage.ru_stime
        with open(f"/proc/{self.child.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def memory(self):
        """Resident bytes, and those of them that are its share of pages in several processes."""
        with open(f"/proc/{self.child.pid}/smaps_rollup", encoding="utf-8") as file:
            text = file.read()
        return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) << 10 for name in ("Rss", "Pss"))

    def wait(self):
        """Waits until it has ended, and takes note of what it used."""
        if self.usage is None:
            _, status, self.usage = os.wait4(self.child.pid, 0)
            self.child.returncode = os.waitstatus_to_exitcode(status)
            if self.child.returncode:
                sys.exit(f"{self.name} ended with {self.child.returncode}: {self.log.read_text()[-2000:]}")

    def stop(self):
        """Ends it with a signal."""
        self.child.terminate()
        self.wait()

    def kill(self):
        """Ends it, however it does."""
        if self.usage is None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def wait_for(what, condition):
    """Waits until the condition is true."""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.1)
    return result


class Server:
    """A broker on free ports of loopback, set up for a fleet."""

    def __init__(self, directory, host, program):
        configuration = directory / "nats.conf"
        # By default as `fleet server-config` says: what is acknowledged is on the disk.
        configuration.write_text(
            'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\n'
            f'ports_file_dir: "{directory}"\n'
            f'jetstream {{ store_dir: "{directory}/store", sync_interval: {SYNC} }}\n'
        )
        self.process = Process(directory, "nats", program, "--config", str(configuration))
        ports = directory / f"nats-server_{self.process.child.pid}.ports"
        wait_for("the server listens", lambda: ports.exists() and ports.read_text().endswith("}"))
        ports = json.loads(ports.read_text())
        self.url, self.monitoring = ports["nats"][0], ports["monitoring"][0]
        subprocess.run(
            [host, "fleet", "init", self.url, "--partitions", str(PARTITIONS)], check=True, stdout=subprocess.DEVNULL
        )
        self.broker = Broker(self.url)

    def stream(self):
        """What the server says of the stream of frames."""
        with urllib.request.urlopen(f"{self.monitoring}/jsz?streams=1&consumers=1", timeout=10) as answer:
            accounts = json.load(answer)["account_details"]
        return next(stream for stream in accounts[0]["stream_detail"] if stream["name"] == "RETRANS")

    def lag(self):
        """Messages that consumers have not got yet."""
        return sum(consumer["num_pending"] for consumer in self.stream().get("consumer_detail") or [])

    def owners(self):
        """The name of the consumer of each partition."""
        return [self.broker.owner(partition) for partition in range(PARTITIONS)]

    def sum(self):
        """The counters of all partitions."""
        counts = {}
        for partition in range(PARTITIONS):
            for name, value in self.broker.counts(partition).items():
                counts[name] = counts.get(name, 0) + value
        return counts

    def bytes_of_ticks(self, ticks):
        """Bytes that this number of ticks takes in the files of the stream: length, sequence, time, subject, headers, checksum."""
        body = {"last_by_subj": "retrans.v1.tick.0"}
        tick = self.broker.request("$JS.API.STREAM.MSG.GET.RETRANS", body)["message"]
        headers = len(base64.b64decode(tick.get("hdrs", "")))
        data = len(base64.b64decode(tick.get("data", "")))
        return ticks * (30 + (4 if headers else 0) + len(tick["subject"]) + headers + data)


def make_captures(directory, host):
    """A capture for each agent: of all generated connections every N-th, so that its rate is the wanted one."""
    captures = []
    for agent in range(AGENTS):
        whole, capture = directory / "whole.rtc", directory / f"agent-{agent}.rtc"
        events = str(GENERATED_RATE * DURATION)
        generate = ["generate", str(whole), "--force", "--quiet", "--events", events, "--seed", str(agent + 1)]
        sample = ["replay", str(whole), "--quiet", "--sample", f"1/{max(1, GENERATED_RATE // RATE)}"]
        sample += ["--record", str(capture)]
        for arguments in (generate, sample):
            subprocess.run([host, *arguments], check=True, stdout=subprocess.DEVNULL)
        captures.append(str(capture))
    return captures


def agent(directory, host, server, name, capture, *more):
    """Starts an agent."""
    publish = ["--publish", server.url, "--publish-name", name, "--publish-partitions", str(PARTITIONS)]
    return Process(directory, name, host, "replay", capture, "--speed", "1x", *publish, *more)


def acknowledged(agents):
    """Events that the broker has stored, by the ledgers of the agents."""
    total = 0
    for one in agents:
        ledger = re.search(r"^ledger: published .*$", one.log.read_text(), re.M)[0]
        counts = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", ledger)}
        if counts["events"] != counts["acknowledged"]:
            print(f"  {one.name}: {ledger}")
        total += counts["acknowledged"]
    return total


def run(directory, host, program, captures, consumers):
    """Measures with this number of consumers."""
    directory.mkdir()
    server = Server(directory, host, program)
    # What an agent costs until it has published its first event.
    first = agent(directory, host, server, "start", captures[0], "--count", "1")
    first.wait()
    names = [f"consumer-{one}" for one in range(consumers)]
    chain = ["--from-beginning", "--plugin", RULE]
    members = [Process(directory, name, host, "consume", server.url, "--name", name, *chain) for name in names]
    wait_for("each consumer has partitions", lambda: set(server.owners()) == set(names))
    before, begun = [server.process.cpu(), sum(one.cpu() for one in members)], time.monotonic()
    server_alone = server.process.memory()
    time.sleep(IDLE)
    idle = time.monotonic() - begun
    at_idle = [server.process.cpu(), sum(one.cpu() for one in members)]
    idle = [(now - then) / idle for now, then in zip(at_idle, before)]

    begun, agents, memory = time.monotonic(), [], {}
    for wave in range(WAVES):
        running = [agent(directory, host, server, f"agent-{at}", captures[at]) for at in range(wave, AGENTS, WAVES)]
        agents += running
        time.sleep(DURATION / 2)
        memory = {
            "agent": [one.memory() for one in running],
            "server": [server.process.memory()],
            "consumer": [one.memory() for one in members],
        }
        for one in running:
            one.wait()
    elapsed, lag = time.monotonic() - begun, server.lag()
    stored = acknowledged(agents)
    # That of the first one.
    wait_for("all events are consumed", lambda: server.sum().get("received", 0) >= stored + 1)
    drained = time.monotonic() - begun - elapsed
    in_all = time.monotonic() - begun
    at_end = [server.process.cpu(), sum(one.cpu() for one in members)]
    used = [end - start - per_second * in_all for end, start, per_second in zip(at_end, at_idle, idle)]
    for one in members:
        one.stop()
    counts = server.sum()
    frames = sum(server.broker.subjects("RETRANS", "retrans.v1.ev.>").values())
    ticks = sum(server.broker.subjects("RETRANS", "retrans.v1.tick.>").values())
    result = {
        "consumers": consumers,
        "events": stored,
        "elapsed": elapsed,
        "frames": frames,
        "bytes": server.stream()["state"]["bytes"] - server.bytes_of_ticks(ticks),
        "lag": lag,
        "drained": drained,
        "counts": counts,
        "cpu": {
            "agent": sum(one.cpu() for one in agents),
            "start": first.cpu() * AGENTS,
            "server": used[0],
            "consumer": used[1],
        },
        "idle": {"server": idle[0], "consumer": idle[1]},
        "memory": memory,
        "server_alone": server_alone[0],
    }
    server.broker.socket.close()
    server.process.stop()
    return result


def mib(size):
    return f"{size / 2**20:.0f} MiB"


def table(results):
    """Prints the results, a column for each number of consumers."""

    def row(name, value):
        print(f"{name:<58}" + "".join(f"{value(result):>14}" for result in results))

    def cpu(role, of="events"):
        return lambda result: f"{result['cpu'][role] / result[of] * 1e6:.1f}"

    def idle(role):
        return lambda result: f"{result['idle'][role] * 100:.1f}"

    def resident(role, which, of):
        def value(result):
            sizes = [size[which] for size in result["memory"][role]]
            return mib(sum(sizes) / (len(sizes) if of == "each" else 1))

        return value

    row("consumers", lambda result: result["consumers"])
    row("events published", lambda result: result["events"])
    row("events a second", lambda result: f"{result['events'] / result['elapsed']:.0f}")
    row("frames a second", lambda result: f"{result['frames'] / result['elapsed']:.0f}")
    row("events a frame", lambda result: f"{result['events'] / result['frames']:.2f}")
    row("frames an event", lambda result: f"{result['frames'] / result['events']:.3f}")
    row("bytes an event in the stream", lambda result: f"{result['bytes'] / result['events']:.0f}")
    row("CPU seconds a million events: agents", cpu("agent"))
    row("  of these, until an agent has published its first event", cpu("start"))
    row("CPU seconds a million events: server", cpu("server"))
    row("CPU seconds a million events: consumers together", cpu("consumer"))
    row("CPU seconds a million frames: server", cpu("server", "frames"))
    row("CPU seconds a million frames: consumers together", cpu("consumer", "frames"))
    row("beside it, without events, % of a core: server", idle("server"))
    row("beside it, without events, % of a core: consumers", idle("consumer"))
    row("lag when the agents ended, messages", lambda result: result["lag"])
    row("all was consumed after, seconds", lambda result: f"{result['drained']:.1f}")
    row("late / duplicate events", lambda result: "{late} / {duplicate}".format(**result["counts"]))
    row("resident: an agent", resident("agent", 0, "each"))
    row("resident: agents together, shared pages once", resident("agent", 1, "all"))
    row("resident: server", resident("server", 0, "all"))
    row("resident: a consumer", resident("consumer", 0, "each"))
    cores = os.cpu_count()
    print(f"\nAll roles ran on the {cores} cores of this machine: no scaling is shown, and none is claimed.")


def arithmetic(result):
    """What the numbers of the first run make of many hosts."""
    events, cpu = result["events"], result["cpu"]
    measured = events / result["elapsed"]
    rate = measured / AGENTS * WAVES
    wanted = HOSTS * rate
    factor = wanted / measured
    frames = result["frames"] / events
    size = result["bytes"] / events
    alone, with_agents = result["server_alone"], result["memory"]["server"][0][0]
    per_agent = (with_agents - alone) * WAVES / AGENTS
    agents = (cpu["agent"] - cpu["start"]) / events
    idle = result["idle"]
    cores = {role: cpu[role] / events for role in ("server", "consumer")}
    lines = [
        f"{HOSTS:,} hosts with {rate:.1f} events a second each, by the run with {result['consumers']} consumers:",
        f"  events     {HOSTS:,} x {rate:.1f} = {wanted:,.0f} a second",
        f"  frames     {wanted:,.0f} x {frames:.3f} = {wanted * frames:,.0f} a second; here: {measured * frames:,.0f}",
        f"  stream     {wanted:,.0f} x {size:.0f} bytes = {wanted * size / 1e6:,.1f} MB a second, "
        f"{wanted * size * 86400 / 1e12:,.2f} TB in 24 h, on each replica",
        f"  an agent   {rate:.1f} x {agents * 1e6:.1f} us = {rate * agents * 100:.2f} % of a core, without its start",
        *(
            f"  {role:<10} {wanted:,.0f} x {cores[role] * 1e6:.1f} us + {idle[role]:.2f} = "
            f"{wanted * cores[role] + idle[role]:,.1f} cores"
            for role in cores
        ),
        f"  memory     {mib(alone)} + {HOSTS:,} x {per_agent / 1024:.0f} KiB = {mib(alone + HOSTS * per_agent)} in the "
        "server at most: its caches are in it",
        f"This is {factor:,.0f} times what was measured: arithmetic. That costs grow in proportion is assumed, and "
        "not shown.",
    ]
    print("", *lines, sep="\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    _, host, program = sys.argv
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="retrans-fleet-") as directory:
        directory = Path(directory)
        try:
            load = f"{AGENTS} agents of {RATE} events a second each for {DURATION} s"
            print(f"{load}, {PARTITIONS} partitions, {RULE}, sync_interval {SYNC}, {host}")
            captures = make_captures(directory, host)
            results = []
            for consumers in CONSUMERS:
                print(f"running with {consumers} consumers", flush=True)
                results.append(run(directory / f"with-{consumers}", host, program, captures, consumers))
            print()
            table(results)
            arithmetic(results[0])
            for result in results:
                counts = result["counts"]
                # One more, of the agent that was started first.
                if counts["received"] - counts["duplicate"] != result["events"] + 1:
                    sys.exit(f"{result['events'] + 1} events were published, and consumed were: {counts}")
        finally:
            for process in Process.all:
                process.kill()


if __name__ == "__main__":
    main()
