"""The server extension: what it adds to a start, and how fast it answers while a log pours in."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

from .harness import Row, at_most, at_most_above, at_most_bytes, interleaved, timed

RATE = 50_000
HOSTS, RUNS = 32, 1_000

_START = """
import sys, time
from jupyter_server.serverapp import ServerApp
app = ServerApp()
start = time.perf_counter()
options = ["--no-browser", "--allow-root", f"--ServerApp.jpserver_extensions={sys.argv[1]}"]
app.initialize(options, new_httpserver=False)
print(time.perf_counter() - start)
"""
_FLOOD = f"""
import time
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    start = time.monotonic()
    print(*(f'step={{n}} as a training prints it, loss=0.25' for n in range({RATE} // 10)), sep='\\n')
    time.sleep(max(0, 0.1 - (time.monotonic() - start)))
"""


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _start(home, "{}"), _start(home, "{'jupyter_remote': True}")  # the first ones write byte code
        without, with_it = interleaved(
            n, lambda: _start(home, "{}"), lambda: _start(home, "{'jupyter_remote': True}")
        )
        yield at_most_above("a server starts with the extension", "without", with_it, without, 0.050, n)
        _fill(home)
        with _Server(home) as server:
            server.ask("GET", "/hosts")
            count = 10 if quick else 50
            hosts = statistics.median(timed(lambda: server.ask("GET", "/hosts")) for _ in range(count))
            yield at_most(f"{HOSTS} hosts, as a page that opens asks for them", hosts, 0.100, count)
            runs = statistics.median(
                timed(lambda: server.ask("GET", "/runs?limit=1000")) for _ in range(count)
            )
            yield at_most(f"the newest {RUNS} runs", runs, 0.200, count)
            yield from _flood(server, 5 if quick else 20)


def _flood(server: _Server, seconds: int) -> Iterator[Row]:
    run = server.run(_FLOOD.replace("SECONDS", str(seconds)))
    page = _Watcher(server, run)
    waits = []
    while not page.complete.is_set():
        waits.append(timed(lambda: server.ask("GET", "/hosts")))
        time.sleep(0.05)
    slow = statistics.quantiles(waits, n=20)[-1]
    yield at_most(f"an answer while {RATE:,} lines a second come (95th percentile)", slow, 0.200, len(waits))
    total = page.total
    ranges = [at * total // 20 for at in range(20)]
    reads = [
        timed(lambda at=at: server.ask("GET", f"/runs/{run}/output?from_line={at}&lines=500"))  # type: ignore[misc]
        for at in ranges
    ]
    yield at_most(f"any 500 lines of {total:,}", statistics.median(reads), 0.100, len(reads))
    name = "what a page is sent of it, a second"
    yield at_most_bytes(name, page.bytes // seconds, 500_000)


def _start(home: Path, extensions: str) -> float:
    argv = [sys.executable, "-c", _START, extensions]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=_env(home), cwd=home)
    return float(done.stdout.splitlines()[-1])


def _env(home: Path) -> dict[str, str]:
    own = ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_REMOTE_CONFIG_DIR", "XDG_STATE_HOME")
    return {**os.environ, "JUPYTER_NO_CONFIG": "1", **dict.fromkeys(own, str(home))}


def _fill(home: Path) -> None:
    from jupyter_remote.history_store import Store

    (home / "hosts.yaml").write_text(
        "hosts:\n" + "".join(f"  h{n}: {{hostname: h{n}}}\n" for n in range(HOSTS))
    )
    Store(home / "remote" / "history.db").write(
        {"id": f"20251122-{n // 60:04d}{n % 60:02d}-{n:04x}", "host": f"h{n % HOSTS}", "state": "finished"}
        for n in range(RUNS)
    )


class _Server:
    """A server of its own for that home."""

    def __init__(self, home: Path) -> None:
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={self.port}"]
        argv += [f"--IdentityProvider.token={self.token}", "--ServerApp.ip=127.0.0.1"]
        argv += ["--ServerApp.jpserver_extensions={'jupyter_remote': True}"]
        self._process = subprocess.Popen(
            argv, cwd=home, env=_env(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> _Server:
        for _ in range(600):
            with contextlib.suppress(OSError):
                self.ask("GET", "/version")
                return self
            time.sleep(0.1)
        raise RuntimeError("the server does not start")

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.done("POST", "/hosts/local/refresh")
            for one in self.ask("GET", "/sessions")["sessions"]:
                self.done("DELETE", f"/hosts/local/sessions/{one['name']}")
        self._process.terminate()
        self._process.wait(30)

    def ask(self, method: str, route: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"token {self.token}"}
        raw = None if body is None else json.dumps(body)
        connection.request(method, f"/jupyter-remote/api{route}", raw, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def done(self, method: str, route: str, body: object = None) -> Any:
        operation = self.ask(method, route, body)
        while operation["state"] == "running":
            time.sleep(0.05)
            operation = self.ask("GET", f"/operations/{operation['id']}")
        return operation["result"]

    def run(self, code: str) -> str:
        return str(self.done("POST", "/runs", {"host": "local", "code": code})["run"]["id"])


class _Watcher:
    """A page that follows a run."""

    def __init__(self, server: _Server, run: str) -> None:
        url = f"ws://127.0.0.1:{server.port}/jupyter-remote/api/events?token={server.token}"
        self._socket = websocket.create_connection(url, timeout=60)
        self._socket.send(json.dumps({"subscribe": [f"output:{run}"]}))
        self.complete = threading.Event()
        self.bytes = self.total = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while not self.complete.is_set():
            text = self._socket.recv()
            message = json.loads(text)
            if message["subject"] == "output":
                self.bytes += len(text)
                self.total = message["total"]
                if message["complete"]:
                    self.complete.set()
        self._socket.close()
