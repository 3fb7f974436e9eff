#!/usr/bin/env python3
"""Reads what a fleet keeps in its broker, for the demo and the benchmark: a client of NATS for one request at a time.

broker.py URL owner PARTITION   prints the name of the consumer that has the partition, or nothing
broker.py URL counts            prints partition, received, delivered and duplicate events of each snapshot
"""

import base64
import json
import socket
import sys

TIMEOUT = 5.0


class Broker:
    """A connection. Requests have answers of one message."""

    def __init__(self, url):
        host, port = url.removeprefix("nats://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), TIMEOUT)
        self.lines = self.socket.makefile("rb")
        self.expect(b"INFO")
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB _INBOX.me 1\r\n')

    def expect(self, word):
        """Reads to the next line that begins with one of these words, and returns it."""
        while True:
            line = self.lines.readline()
            if not line:
                raise ConnectionError("the broker has closed the connection")
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise ConnectionError(f"the broker says {line.decode().strip()}")
            elif line.startswith(word):
                return line.split()

    def request(self, subject, body):
        """Sends an object to a subject of JetStream's interface, and returns its answer."""
        data = json.dumps(body).encode()
        self.socket.sendall(f"PUB {subject} _INBOX.me {len(data)}\r\n".encode() + data + b"\r\n")
        words = self.expect((b"MSG", b"HMSG"))
        payload = self.lines.read(int(words[-1]) + 2)
        if words[0] == b"HMSG":
            raise ConnectionError(f"nothing answers {subject}: JetStream is off")
        return json.loads(payload)

    def last(self, bucket, key):
        """The bytes of a value in a bucket, or None."""
        answer = self.request(f"$JS.API.STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": f"$KV.{bucket}.{key}"})
        if "message" not in answer:
            return None
        return base64.b64decode(answer["message"].get("data", ""))

    def owner(self, partition):
        """The name of the consumer that has the partition, or None."""
        value = self.last("retrans_leases", f"p.{partition}")
        lease = json.loads(value) if value else {"released": True}
        return None if lease.get("released") else lease["name"]

    def partitions(self):
        """The number of partitions."""
        return json.loads(self.last("retrans_settings", "fleet"))["partitions"]

    def counts(self, partition):
        """The counters of the partition's snapshot: over all consumers that have had it."""
        value = self.last("retrans_state", f"p.{partition}")
        return json.loads(value.split(b"\n")[1])["counts"] if value else {}

    def subjects(self, stream, pattern):
        """The number of messages on each subject of a stream."""
        answer = self.request(f"$JS.API.STREAM.INFO.{stream}", {"subjects_filter": pattern})
        return answer["state"].get("subjects") or {}


def main():
    url, what, *arguments = sys.argv[1:]
    broker = Broker(url)
    if what == "owner":
        print(broker.owner(int(arguments[0])) or "")
    elif what == "counts":
        for partition in range(broker.partitions()):
            counts = broker.counts(partition)
            print(partition, *(counts.get(name, 0) for name in ("received", "delivered", "duplicate")))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
