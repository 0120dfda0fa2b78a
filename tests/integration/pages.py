"""A Jupyter server with the extension, as a process of its own, and a page that talks to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import websocket
from hosts import PATIENCE_S

BASE = "/jupyter-remote/api"

Json = dict[str, Any]


class Answer:
    """What a server said.

    Args:
        status: of HTTP.
        headers: of it.
        body: all of it.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:500]!r}>"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """One server.

    Args:
        process: it.
        port: where it listens.
        token: what lets in.
        root: its folder.
        log: what it prints.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, token: str, root: Path, log: Path
    ) -> None:
        self.process = process
        self.port = port
        self.token = token
        self.root = root
        self.log = log

    def ask(
        self,
        method: str,
        route: str,
        body: object = None,
        /,
        *,
        headers: dict[str, str] | None = None,
        token: str | None = None,
        **query: object,
    ) -> Answer:
        """One request, below the base of the routes."""
        asked = f"?{urlencode(query)}" if query else ""
        raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"Authorization": f"token {self.token if token is None else token}", **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, BASE + route + asked, raw, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def get(self, path: str, /, **query: object) -> Json:
        """A document."""
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer
        return dict(answer.json)

    def do(self, path: str, body: object = None, *, method: str = "POST") -> Json:
        """Starts an operation, waits for its end, and returns it."""
        answer = self.ask(method, path, body)
        assert answer.status == 202, answer
        return self.ended(answer.json["id"])

    def done(self, path: str, body: object = None, *, method: str = "POST") -> Json:
        """The same, for one that must succeed; returns its result."""
        operation = self.do(path, body, method=method)
        assert operation["state"] == "done", operation
        return dict(operation["result"])

    def ended(self, identity: str) -> Json:
        """The operation, when it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while (operation := self.get(f"/operations/{identity}"))["state"] == "running":
            assert time.monotonic() < deadline, operation
            time.sleep(0.02)
        return operation

    def prompt(self) -> Json:
        """The question that waits."""
        deadline = time.monotonic() + PATIENCE_S
        while not (prompts := self.get("/prompts")["prompts"]):
            assert time.monotonic() < deadline, "nothing was asked"
            time.sleep(0.02)
        return dict(prompts[0])

    def run(self, code: str, host: str = "local", **options: object) -> str:
        """Starts a run and returns its id."""
        result = self.done("/runs", {"host": host, "code": code, **options})
        return str(result["run"]["id"])

    def await_run(self, run_id: str) -> Json:
        """The run, when it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while (run := self.get(f"/runs/{run_id}"))["state"] in ("queued", "starting", "running"):
            assert time.monotonic() < deadline, run
            time.sleep(0.05)
        return run

    @contextlib.contextmanager
    def page(self, *, since: int | None = None, server: str = "", **headers: str) -> Iterator[Page]:
        """A page that is connected."""
        query = "" if since is None else f"&since={since}&server={quote(server)}"
        url = f"ws://127.0.0.1:{self.port}{BASE}/events?token={self.token}{query}"
        page = Page(websocket.create_connection(url, timeout=PATIENCE_S, header=headers or None))
        try:
            yield page
        finally:
            page.close()

    def stop(self) -> float:
        """Ends it as a user does, and returns how long that took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return time.monotonic() - began


class Page:
    """The page's end of a websocket; a thread takes what comes."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._came: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self.seen: list[Json] = []
        self.bytes = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def say(self, **message: object) -> None:
        """Sends a message."""
        self._socket.send(json.dumps(message))

    def next(self, wanted: Callable[[Json], object]) -> Json:
        """The next message that is wanted; the ones before it are in `seen`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"it did not come; there came {self.seen[-20:]}"
            with contextlib.suppress(queue.Empty):
                message = self._came.get(timeout=left)
                assert message is not None, "the server closed the socket"
                self.seen.append(message)
                if wanted(message):
                    return message

    def subject(self, subject: str, **fields: object) -> Json:
        """The next message about a subject."""
        return self.next(
            lambda one: one["subject"] == subject and all(one.get(k) == v for k, v in fields.items())
        )

    def cut(self) -> None:
        """Breaks the link, without a word."""
        self._socket.sock.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._socket.close(timeout=1)
        self._thread.join(5)

    def _read(self) -> None:
        try:
            while text := self._socket.recv():
                self.bytes += len(text)
                self._came.put(json.loads(text))
        except (websocket.WebSocketException, OSError):
            pass
        self._came.put(None)


def launch(root: Path, *options: str, env: dict[str, str] | None = None) -> Server:
    """Starts a server for that folder."""
    token = secrets.token_hex(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = root.parent / f"server-{port}.log"
    root.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"]
    argv += [
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
    ]
    argv += ["--ServerApp.jpserver_extensions={'jupyter_remote': True}", "--ServerApp.ip=127.0.0.1"]
    argv += ["--RemoteServerApp.check_answers=True", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=root,
            env={**os.environ, **(env or {})},
        )
    server = Server(process, port, token, root, log)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if server.ask("GET", "/version").status == 200:
                return server
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            server.process.kill()
            server.process.wait()
            raise RuntimeError(f"the server does not start:\n{log.read_text()}")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module: it takes a second or two to start."""
    one = launch(tmp_path_factory.mktemp("server") / "work")
    try:
        yield one
    finally:
        one.stop()
    assert "Traceback" not in one.log.read_text(), one.log.read_text()[-5000:]


@pytest.fixture
def served(server: Server) -> Iterator[Server]:
    """The same, with neither sessions nor links nor hosts left of the tests before."""
    yield server
    tidy(server)


def tidy(server: Server) -> None:
    """Ends sessions and links, and forgets hosts."""
    for host in server.get("/hosts")["hosts"]:
        name = host["name"]
        if host["state"] == "connected":
            server.do(f"/hosts/{name}/refresh")
            for session in server.get("/sessions", host=name)["sessions"]:
                server.do(f"/hosts/{name}/sessions/{session['name']}", method="DELETE")
            server.do(f"/hosts/{name}/disconnect")
        if host["defined_in"] not in ("built-in", "ssh config"):
            assert server.ask("DELETE", f"/hosts/{name}").status == 204
