"""A port of the host: how fast a large answer comes, and how long a small one takes, beside `ssh -L`."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from .harness import Row, at_least_share, beside, interleaved, timed
from .host import BenchHost, open_host

_MB = 1_000_000
_SERVER = """
import http.server, os, sys
large = os.urandom(1 << 20) * (int(sys.argv[1]) >> 20)
class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, or the kernel waits 40 ms between them
    def do_GET(self):
        body = large if self.path == "/large" else b"small"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
print(server.server_port, flush=True)
server.serve_forever()
"""


def measure(quick: bool) -> Iterator[Row]:
    size, n, requests = (100 * _MB, 1, 50) if quick else (200 * _MB, 3, 200)
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    with open_host() as host, _server(size) as port, _ssh(host, port) as peer:
        for transport in ("paramiko", "openssh"):
            options = {"transport": transport, "workspace": "~/forward"}
            with (
                Remote(Config.load().host(host.name, options), host.scratch) as remote,
                remote.forward(port, local_port=0) as forward,
            ):
                ours = forward.local_port
                large = interleaved(n, lambda: timed(lambda: _get(ours)), lambda: timed(lambda: _get(peer)))  # noqa: B023
                name = f"{size // _MB} MB through a forwarded port, {transport}"
                yield at_least_share(name, "ssh -L", size / large[0], size / large[1], 0.5, n)
                mine, theirs = interleaved(n, lambda: _small(ours, requests), lambda: _small(peer, requests))  # noqa: B023
                name = f"small request through a forwarded port, {transport}"
                yield beside(name, "ssh -L", mine, theirs, n)


def _get(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/large")
    answer = connection.getresponse()
    while answer.read(1 << 20):
        pass
    connection.close()


def _small(port: int, requests: int) -> float:
    """The median of requests over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask() -> None:
        connection.request("GET", "/small")
        connection.getresponse().read()

    ask()
    times = [timed(ask) for _ in range(requests)]
    connection.close()
    return median(times)


@contextlib.contextmanager
def _server(size: int) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(size)], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.kill()


@contextlib.contextmanager
def _ssh(host: BenchHost, port: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        here: int = probe.getsockname()[1]
    command = host.ssh()
    command[1:1] = ["-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{port}"]
    with subprocess.Popen(command) as program:
        try:
            for _ in range(500):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", here)):
                    break
                time.sleep(0.02)
            yield here
        finally:
            program.kill()
