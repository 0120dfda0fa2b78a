"""Ports of a host, reached from here: what goes through, what ends when, and who may connect."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import psutil
import pytest
from cuts import open_remote, way_to
from hosts import Place, await_true, make_place
from nbclient import NotebookClient
from proxy import Proxy
from sshd import SshHost

import jupyter_remote
from jupyter_remote import forward_records
from jupyter_remote.cli import main
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


# The fronts.

TERMINAL = [sys.executable, "-c", "import sys; from jupyter_remote.cli import main; sys.exit(main())"]


def test_a_terminal_shows_the_address_and_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    port = str(web.server_port)

    def start(*words: str) -> tuple[subprocess.Popen[str], str]:
        program = subprocess.Popen([*TERMINAL, "forward", *words], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        return program, program.stdout.readline()

    first, line = start("local", port)
    url = line.split()[0]
    assert line == f"{url} leads to local:{port} (port {port} is taken here)\n"
    second, _ = start("local", port)
    third, _ = start("local", port)
    with urllib.request.urlopen(f"{url}x", timeout=30) as answer:
        assert answer.read() == b"/x"

    def listed() -> list[int]:
        capsys.readouterr()
        assert main(["forward", "--list", "--json"]) == 0
        return [one["process"]["pid"] for one in json.loads(capsys.readouterr().out)["forwards"]]

    assert listed() == [first.pid, second.pid, third.pid]
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 0
    second.kill()
    second.wait(30)
    assert listed() == [third.pid], "one that was killed is not believed"
    assert main(["forward", "--stop", "gpu1"]) == 0 and third.poll() is None
    assert main(["forward", "--stop", "local", port]) == 0
    assert third.wait(30) == 0
    assert listed() == [] and not list(forward_records.folder().iterdir())
    for program in (first, second, third):
        assert program.stdout is not None
        program.stdout.close()


def test_a_notebook_goes_on_at_once(tmp_path: Path, web: Web) -> None:
    cells = [
        "%load_ext jupyter_remote",
        f"%remote forward local {web.server_port}",
        "import urllib.request, jupyter_remote.forward_records as known\n"
        "((_, facts),) = known.running()\n"
        "print(urllib.request.urlopen(facts['url'] + 'nb').read())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    (shown,) = notebook.cells[1].outputs
    url = shown.data["text/plain"].split()[0]
    assert f'<a href="{url}" target="_blank"' in shown.data["text/html"]
    assert notebook.cells[2].outputs[0].text == "b'/nb'\n"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=30)
    assert not list(forward_records.running())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("local",), "no port of local named"),
        (("local", "99999"), "99999 is not a port"),
        (("local", "80", "--to", "a:b"), "HOST, HOST:PORT or [IPV6]:PORT"),
        (("local", "80", "--local-port", "99999"), "99999 is not a port"),
        ((), "no host named"),
    ],
)
def test_wrong_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["forward", *words]) == 2
    assert said in capsys.readouterr().err
    jupyter_remote.connect("local").close()
