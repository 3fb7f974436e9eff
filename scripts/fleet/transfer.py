#!/usr/bin/env python3
"""Small transfers for the demo of a fleet: a receiver, and a sender each of whose writes is one segment.

transfer.py receive PORT                               prints a line when it listens, and ends with its parent's signal
transfer.py send PORT SEGMENTS SECONDS PEER*NUMBER...  sends SEGMENTS segments over NUMBER connections to each PEER
"""

import socket
import sys
import threading
import time

# More than a packet of a handshake or an acknowledgement has: the rule that loses packets spares those.
SEGMENT = b"Z" * 700
# The longest that a transfer waits for data, whose time-outs double.
PATIENCE = 30.0


def receive(port):
    listener = socket.create_server(("", port), backlog=128)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=drain, args=(connection,), daemon=True).start()


def drain(connection):
    """Reads to the end, and says then that everything has arrived."""
    with connection:
        while connection.recv(1 << 16):
            pass
        connection.sendall(b".")


def send(port, segments, seconds, peers):
    connections = []
    for peer in peers:
        address, number = peer.split("*")
        connections += [socket.create_connection((address, port), PATIENCE) for _ in range(int(number))]
    for connection in connections:
        # Each write is a segment. MSG_EOR: the kernel would append data to a segment that waits.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(segments):
        for connection in connections:
            connection.send(SEGMENT, socket.MSG_EOR)
        time.sleep(seconds / segments)
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
    for connection in connections:
        if connection.recv(1) != b".":
            sys.exit(f"data did not arrive at {connection.getpeername()[0]}")


def main():
    what, port, *arguments = sys.argv[1:]
    if what == "receive":
        receive(int(port))
    elif what == "send":
        segments, seconds, *peers = arguments
        send(int(port), int(segments), float(seconds), peers)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
