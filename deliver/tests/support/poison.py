"""Forwards requests to an Alertmanager, and gives the label `poison` of an alert a name that it refuses.

Arguments: the port of the Alertmanager. Prints its own port, then the number of alerts and the status of each request.
"""

import http.client
import http.server
import json
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number = len(json.loads(body))
        body = body.replace(b'"poison":', b'"poi.son":')
        upstream = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        upstream.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
        answer = upstream.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        print(number, answer.status, flush=True)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
