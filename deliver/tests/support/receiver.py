"""A receiver of webhooks. Prints its port, then one JSON line for each request.

Arguments: --key KEY: checks the signature as the README of retrans-deliver says.
--certificate FILE --private-key FILE: TLS.
--answers A,B,…: the answers, in turn; the last one stays. An answer is a status, or
429:SECONDS (with Retry-After), 302:URL, never, close, endless (200 with a body without an end),
partial (200 of a collector of OTLP that refuses one record).
"""

import argparse
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("--key")
parser.add_argument("--certificate")
parser.add_argument("--private-key")
parser.add_argument("--answers", default="200")
parser.add_argument("--port", type=int, default=0)
options = parser.parse_args()
answers = options.answers.split(",")
lock = threading.Lock()


def is_genuine(key, header, body):
    parts = [part.split("=", 1) for part in header.split(",")]
    seconds = dict(parts)["t"]
    expected = hmac.new(key, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    genuine = any(name == "v1" and hmac.compare_digest(value, expected) for name, value in parts)
    fresh = abs(time.time() - int(seconds)) < 300
    return genuine and fresh


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer has two parts: with Nagle's algorithm, the second one waits for 40 ms.
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            request = {
                "at": time.monotonic(),
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode("utf-8" if "json" in self.headers["Content-Type"] else "latin-1"),
                "peer_port": self.client_address[1],
            }
            if options.key:
                header = self.headers["X-Retrans-Signature"]
                request["genuine"] = is_genuine(options.key.encode(), header, body)
            print(json.dumps(request), flush=True)
        status, _, value = answer.partition(":")
        if status == "never":
            time.sleep(3600)
        if status == "close":
            self.close_connection = True
            return
        self.send_response(int(status) if status.isdigit() else 200)
        if status == "endless":
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)
        if value:
            self.send_header("Location" if status == "302" else "Retry-After", value)
        text = f"this is {status}\x1b[2J".encode()
        if status == "partial":
            # Field 1, 11 bytes: field 1 is 1, field 2 has 7 bytes.
            text = b"\x0a\x0b\x08\x01\x12\x07too old"
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", options.port), Handler)
if options.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.private_key)
    # The handshake is made by the thread of the connection.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
