"""Looking at runs: the first byte after a link is back, a finished run of 100 MB, the end of a huge log.

The peers are what the same machine does at the same time: a connection and its agent from nothing, the bare
channel, the round trip of one byte.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.proxy import Proxy
from tests.integration.sshd import HOST

from .harness import Row, at_least_share, at_most_above, interleaved, timed
from .host import BenchHost, echo, open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote

AWAY_S = 9.0
TICKS = "import time\nwhile True: print(time.monotonic(), flush=True); time.sleep(0.005)"


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    with open_host() as host, echo(host) as round_trip:
        workspace = host.scratch / "empty"
        workspace.mkdir()
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        try:
            yield _restored(host, workspace, 2 if quick else 7)
            yield _attached(host, remote, (10 if quick else 100) << 20, 2 if quick else 5)
            yield _tail(host, remote, (100 << 20) if quick else (2 << 30), round_trip, 3 if quick else 15)
        finally:
            remote.stop_sessions()
            remote.close()


def _restored(host: BenchHost, workspace: Path, n: int) -> Row:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    with Proxy(host.server.port) as proxy:
        host.server.alias("away", HostName=HOST, Port=proxy.port)
        with host.server.known_hosts.open("a") as file:
            keys = host.server.servers[0].public_keys
            file.writelines(f"[{HOST}]:{proxy.port} {key}\n" for key in keys)
        settings = Config.load(workspace).host("away", {"connect_timeout": 2})
        with Remote(settings, workspace) as remote:
            run = remote.run_cell(TICKS, fresh=True)
            newest = [0.0]  # when the host printed what was seen last; it has the clock of this machine

            def view() -> None:
                for event in run.events():
                    if event.kind == "stdout" and event.text.endswith("\n"):
                        newest[0] = float(event.text.split()[-1])

            viewer = threading.Thread(target=view, daemon=True)
            viewer.start()

            def back() -> float:
                proxy.refuse()
                time.sleep(AWAY_S)  # the outage that is measured, not a wait for anything
                proxy.accept()
                start = time.monotonic()
                while newest[0] < start:
                    time.sleep(0.001)
                return time.monotonic() - start

            def connect() -> float:
                with Remote(settings, workspace) as fresh:
                    return timed(fresh.connection)

            ours, peer = interleaved(n, back, connect)
            run.stop()
            viewer.join(30)
    return at_most_above(f"first byte after {AWAY_S:g} s without a link", "connect", ours, peer, 1.2, n)


def _attached(host: BenchHost, remote: Remote, size: int, n: int) -> Row:
    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    code = f"line = 'x' * 99\nfor i in range({size // 100}): print(line)"
    run = remote.run_cell(code).wait()
    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    log = f"{remote.info['state']}/runs/{run.id}/output.log"

    def attach() -> float:
        seen = 0
        start = time.perf_counter()
        for event in remote.attach(run.id).events():
            seen += len(event.raw)
        if seen != size // 100 * 100:
            raise RuntimeError(f"{seen} bytes arrived")
        return seen / (time.perf_counter() - start)

    def bare() -> float:
        start, seen = time.perf_counter(), 0
        channel = transport.open(f"cat {log}")
        while data := channel.read(1 << 17):
            seen += len(data)
        channel.close()
        return seen / (time.perf_counter() - start)

    bare()
    ours, peer = interleaved(n, attach, bare)
    transport.close()
    return at_least_share(
        f"attach to a finished run of {size >> 20} MiB", "cat, bare channel", ours, peer, 0.5, n
    )


def _tail(host: BenchHost, remote: Remote, size: int, round_trip: object, n: int) -> Row:
    from jupyter_remote.whereabouts import find_run

    run = remote.run_cell("print('made for its log')").wait()
    folder = Path(remote.info["state"]) / "runs" / run.id
    line = b"y" * 99 + b"\n"
    with (folder / "output.log").open("wb") as file:
        file.truncate(size - 1000 * len(line))  # a hole reads as one long line
        file.seek(0, 2)
        file.write(line * 1000)
    with (folder / "events.jsonl").open("a") as events:
        fields = {"seq": run.seq + 1, "t": 0, "kind": "stdout", "at": 0, "n": size}
        events.write(json.dumps(fields) + "\n")

    def logs() -> float:
        def look() -> None:
            found = find_run(run.id)
            if b"".join(found.remote().log(found.id, 100)) != line * 100:
                raise RuntimeError("the log ends otherwise")

        return timed(look)

    def three() -> float:
        return timed(lambda: [round_trip() for _ in range(3)])  # type: ignore[operator]

    ours, peer = interleaved(n, logs, three)
    return at_most_above(f"logs --tail 100 of {size >> 20} MiB", "3 round trips", ours, peer, 0.05, n)
