"""Ports of a host, reached from here: what goes through, what ends when, and who may connect."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from cuts import open_remote, way_to
from hosts import Place, await_true, make_place
from proxy import Proxy
from sshd import SshHost

from jupyter_remote import forward_records
from jupyter_remote.config import Config
from jupyter_remote.errors import UsageError
from jupyter_remote.forward import Forward
from jupyter_remote.remote import Remote

BIG = 200_000_000


class Answers(BaseHTTPRequestHandler):
    """Small things, a large one, and a connection that becomes a duplex stream, as a websocket does."""

    protocol_version = "HTTP/1.1"
    big = b""

    def do_GET(self) -> None:
        if self.path == "/duplex":
            self.send_response(101)
            self.end_headers()
            while data := self.connection.recv(1 << 16):
                self.connection.sendall(data[::-1])
            self.close_connection = True
            return
        body = self.big if self.path == "/big" else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        digest = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            digest.update(piece)
            left -= len(piece)
        body = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Web(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 256


@pytest.fixture
def web() -> Iterator[Web]:
    """A real HTTP server on the host's loopback address (the host is this machine)."""
    with Web(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def way(ssh_host: SshHost) -> Iterator[Proxy]:
    with way_to(ssh_host) as proxy:
        yield proxy


def get(forward: Forward, path: str) -> bytes:
    with urllib.request.urlopen(forward.url.rstrip("/") + path, timeout=30) as answer:
        return bytes(answer.read())


def dial(forward: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forward.local_port), 30)


def duplex(forward: Forward) -> socket.socket:
    """A connection that gives back what it gets, backwards."""
    line = dial(forward)
    line.sendall(b"GET /duplex HTTP/1.1\r\nHost: x\r\n\r\n")
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        seen += line.recv(1)
    return line


def says(line: socket.socket, text: bytes) -> bool:
    line.sendall(text)
    seen = b""
    while len(seen) < len(text) and (data := line.recv(1 << 16)):
        seen += data
    return seen == text[::-1]


def is_reset(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b"never"
    except ConnectionResetError:
        return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def test_http_comes_through_every_transport(place: Place, web: Web) -> None:
    with place.remote.forward(web.server_port) as forward:
        assert get(forward, "/one") == b"/one"
        content = os.urandom(3_000_000)
        request = urllib.request.Request(forward.url, content)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.read().decode() == hashlib.sha256(content).hexdigest()
        with closing(duplex(forward)) as line:
            for number in range(50):
                assert says(line, b"message %d" % number)
        await_true(lambda: forward.connections == 0)
    assert forward.ended.is_set()
    with pytest.raises(ConnectionRefusedError):
        dial(forward)


def test_a_host_that_a_command_leads_to(tmp_path: Path, web: Web) -> None:
    options = {"type": "command", "command": ["env", "A=1"], "workspace": str(tmp_path / "mirror")}
    with (
        Remote(Config.load(tmp_path).host("local", options), tmp_path) as remote,
        remote.forward(web.server_port) as forward,
    ):
        assert get(forward, "/two") == b"/two"


def test_a_server_that_forbids_forwarding(ssh_host: SshHost, tmp_path: Path, web: Web) -> None:
    server = ssh_host.start(["AllowTcpForwarding no"])
    ssh_host.alias("strict", HostName="127.0.0.1", Port=server.port)
    options = {"transport": "paramiko", "workspace": f"~/{tmp_path.name}"}
    with (
        Remote(Config.load(tmp_path).host("strict", options), tmp_path) as remote,
        remote.forward(web.server_port) as forward,
    ):
        assert get(forward, "/three") == b"/three"


def test_a_hundred_connections_at_once(local: Place, web: Web) -> None:
    with local.remote.forward(web.server_port) as forward:
        together = threading.Barrier(100)

        def talk(number: int) -> bytes:
            with closing(duplex(forward)) as line:
                together.wait(30)  # all are open now
                assert says(line, b"%d" % number * 1000)
            return get(forward, f"/{number}")

        with ThreadPoolExecutor(100) as pool:
            assert list(pool.map(talk, range(100))) == [b"/%d" % number for number in range(100)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["paramiko", "openssh"])
def test_a_large_answer_arrives_whole_and_nothing_else_waits_for_it(
    request: pytest.FixtureRequest, ssh_host: SshHost, tmp_path: Path, web: Web, kind: str
) -> None:
    for place in make_place(request, tmp_path, kind):
        Answers.big = os.urandom(1 << 20) * (BIG >> 20)
        with place.remote.forward(web.server_port) as forward, closing(duplex(forward)) as line:
            digest = hashlib.sha256()
            answers = 0
            with urllib.request.urlopen(f"{forward.url}big", timeout=60) as answer:
                while piece := answer.read(1 << 20):
                    digest.update(piece)
                    if answers < 20:
                        # Meanwhile, over the same link:
                        assert says(line, b"quick") and "load" in place.remote.status()
                        answers += 1
            assert digest.digest() == hashlib.sha256(Answers.big).digest()
            sent = urllib.request.Request(forward.url, Answers.big)
            with urllib.request.urlopen(sent, timeout=60) as answer:
                assert answer.read().decode() == digest.hexdigest()
    Answers.big = b""


def test_each_side_ends_in_its_own_time(local: Place) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        local.remote.forward(server.getsockname()[1]) as forward,
        dial(forward) as near,
    ):
        far, _ = server.accept()
        with far:
            near.sendall(b"question")
            near.shutdown(socket.SHUT_WR)
            assert far.recv(100) + far.recv(100) == b"question", "and then the end"
            far.sendall(b"answer")
            assert near.recv(100) == b"answer"
            far.shutdown(socket.SHUT_WR)
            assert near.recv(100) == b""
        await_true(lambda: forward.connections == 0)


def test_who_goes_in_the_middle_is_noticed_on_the_other_side(local: Place) -> None:
    linger = b"\1\0\0\0\0\0\0\0"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        local.remote.forward(server.getsockname()[1]) as forward,
    ):
        near = dial(forward)
        far, _ = server.accept()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        near.close()
        far.settimeout(30)
        assert is_reset(far)
        far.close()
        with dial(forward) as near:
            far, _ = server.accept()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            far.close()
            assert is_reset(near)
        await_true(lambda: forward.connections == 0)


@pytest.mark.parametrize("writer", ["far", "near"])
def test_what_nobody_reads_waits_and_ends_with_the_forward(local: Place, writer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward = local.remote.forward(server.getsockname()[1])
        near = dial(forward)
        far, _ = server.accept()
        with near, far:
            writes, reads = (far, near) if writer == "far" else (near, far)
            writes.settimeout(0.3)
            with pytest.raises(TimeoutError):
                while True:
                    writes.sendall(bytes(1 << 16))
            assert "load" in local.remote.status(), "the link is free for others"
            forward.close()
            for one in (writes, reads):
                one.settimeout(30)
                with pytest.raises(ConnectionResetError):
                    while one.recv(1 << 20):
                        pass


@pytest.mark.parametrize("kind", ["paramiko", "openssh"])
def test_new_connections_work_again_when_the_link_is_back(
    way: Proxy, tmp_path: Path, web: Web, kind: str
) -> None:
    with open_remote(kind, tmp_path) as remote, remote.forward(web.server_port) as forward:
        line = duplex(forward)
        assert says(line, b"before")
        way.refuse()
        with line:
            assert is_reset(line)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(get, forward, "/waits")
            await_true(lambda: forward.connections == 1)
            way.accept()
            assert waiting.result(30) == b"/waits"
        assert forward.error == ""


def test_a_port_where_nothing_listens_yet(local: Place, capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with local.remote.forward(port) as forward:
        with dial(forward) as line:
            assert is_reset(line)
        await_true(lambda: forward.error)
        assert forward.error == f"local: nothing listens on port {port}"
        ((_, told),) = forward_records.running()
        assert told["error"] == forward.error
        with Web(("127.0.0.1", port), Answers) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            assert get(forward, "/now") == b"/now"
            assert (local.remote.listening() or {})[port]
            server.shutdown()
            thread.join()
        await_true(lambda: not forward.error)


def test_only_this_machines_loopback_address_listens(local: Place, web: Web) -> None:
    taken = web.server_port
    with (
        local.remote.forward(taken, local_port=taken) as forward,
        local.remote.forward(taken, ipv6=True) as both,
        local.remote.forward(taken, to="::1") as other,
    ):
        assert forward.local_port != taken
        found = [
            one.laddr for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN
        ]
        wanted = [("127.0.0.1", port) for port in (forward.local_port, both.local_port, other.local_port)]
        assert sorted(found) == sorted([*wanted, ("::1", both.local_port), ("127.0.0.1", taken)])
        with socket.create_connection(("::1", both.local_port), 30) as line:
            line.sendall(b"GET /six HTTP/1.0\r\n\r\n")
            assert line.recv(9) == b"HTTP/1.1 "
        with dial(other) as line:
            assert is_reset(line)
        await_true(lambda: other.error == f"local: nothing listens on port {taken} of ::1")


@pytest.mark.parametrize(
    ("port", "options"),
    [(70000, {}), (1, {"local_port": 70000}), (0, {})],
)
def test_what_is_no_port(local: Place, port: int, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="is not a port"):
        local.remote.forward(port, **options)
