"""Many hosts asked at once: `status` of 16 and `setup` of 8 beside one of them, and the probe in round trips.

The hosts are aliases of one sshd on this machine, whose `nvidia-smi` takes a second, as one without
persistence mode does: what is measured is whether anything waits for anything else, and less this machine's
processors, which all of them share with the client.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.integration.proxy import Proxy

from .harness import Measurement, Row, at_most_above, at_most_times, beside, interleaved, timed
from .host import BenchHost, echo, open_host

HOSTS = 16
SET_UP = 8
SLOW_S = 1.0
ROUND_TRIP_S = 0.200

_SLOW = """#!/bin/sh
sleep {seconds}
echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
exit 9
"""


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 7
    with open_host() as host, _slow(host) as port, _in(host.scratch):
        names = [f"h{number:02d}" for number in range(HOSTS)]
        for name in names:
            host.server.alias(name, HostName="127.0.0.1", Port=port)
        yield from _status(names, n)
        yield from _setup(names[:SET_UP], n)
    with open_host() as host:
        yield from _probe(host, n)


def _status(names: list[str], n: int) -> Iterator[Row]:
    from jupyter_remote.many import ask_all
    from jupyter_remote.pool import connect

    def status(hosts: list[str]) -> None:
        for name, answer in ask_all(hosts, lambda remote: remote.status()):
            if isinstance(answer, Exception):
                raise RuntimeError(name) from answer

    def close() -> None:
        for name in names:
            connect(name).close()

    def cold(hosts: list[str]) -> float:
        close()
        return timed(lambda: status(hosts))

    status(names)
    many, *single = interleaved(n, lambda: timed(lambda: status(names)), *_each(names, status))
    peer = "the slowest of three of them"
    yield at_most_times(f"status of {HOSTS} hosts, links open", peer, many, max(single), 1.5, n)
    many, one = interleaved(n, lambda: cold(names), lambda: cold(names[:1]))
    yield at_most_times(f"status of {HOSTS} hosts, no link open", "one of them", many, one, 1.5, n)
    close()


def _each(names: list[str], status: Callable[[list[str]], None]) -> list[Measurement]:
    return [partial(timed, partial(status, [name])) for name in names[:3]]


def _setup(names: list[str], n: int) -> Iterator[Row]:
    from jupyter_remote.config import Config
    from jupyter_remote.hosts.setup import prepare, read_target
    from jupyter_remote.many import at_once

    here = Path.cwd()

    def prepare_all(hosts: list[str]) -> None:
        targets = [read_target(name, Config.load(here)) for name in hosts]
        for answer in at_once(targets, lambda target: prepare(target, here)):
            if isinstance(answer, Exception) or answer.examination.problem is not None:
                raise RuntimeError(str(answer))

    prepare_all(names)
    many, one = interleaved(
        n, lambda: timed(lambda: prepare_all(names)), lambda: timed(lambda: prepare_all(names[:1]))
    )
    yield beside(f"setup of {len(names)} hosts", "one of them", many, one, n)


def _probe(host: BenchHost, n: int) -> Iterator[Row]:
    from jupyter_remote.config import Config
    from jupyter_remote.connection import Connection
    from jupyter_remote.hosts import probing

    with Proxy(host.server.port, delay=ROUND_TRIP_S / 2) as proxy:
        key = f"[127.0.0.1]:{host.server.port}"
        host.server.alias("far", HostName="127.0.0.1", Port=proxy.port, HostKeyAlias=key)
        opened = [Connection.open(Config.load().host(name)) for name in ("far", "direct")]
        far, near = (partial(timed, partial(probing.ask, one, "~/x")) for one in opened)
        try:
            with echo(BenchHost(host.server, host.scratch, "far")) as round_trip:
                far(), near(), round_trip()
                ours, here, trip = interleaved(n, far, near, lambda: timed(round_trip))
        finally:
            for one in opened:
                one.close()
    title = f"probe of a host {ROUND_TRIP_S * 1000:.0f} ms away"
    yield at_most_above(title, "1 round trip + the probe nearby", ours, here + trip, ROUND_TRIP_S / 2, n)


@contextlib.contextmanager
def _slow(host: BenchHost) -> Iterator[int]:
    """The port of a server on which `nvidia-smi` takes its time."""
    folder = host.server.new_home()
    (folder / "nvidia-smi").write_text(_SLOW.format(seconds=SLOW_S))
    (folder / "nvidia-smi").chmod(0o755)
    server = host.server.start(env={"PATH": f"{folder}:/usr/bin:/bin"})
    yield server.port


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
