"""One large file: what a rename, an edit and going back put on the wire; how fast a new one moves.

The peer of the throughput is the same bytes through a channel of the same transport into a file.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from .harness import Row, at_least_share, at_most_bytes, timed
from .host import BenchHost, open_host
from .trees import counted, make_random_file

_MB = 1_000_000
_PIECE = 1 << 17

# A client of its own, so that its memory is its own: prints the seconds of the sync and its peak in bytes.
# Linux hands down in ru_maxrss what the process that started it has ever held, but not in VmHWM.
_CLIENT = """
import re, resource, sys, time
from pathlib import Path
from jupyter_remote.config import Config
from jupyter_remote.remote import Remote
host, folder, mirror = sys.argv[1:]
options = {"workspace": mirror, "transport": "paramiko", "sync": {"max_file_size": "10G"}}
with Remote(Config.load().host(host, options), Path(folder)) as remote:
    remote.info
    start = time.perf_counter()
    remote.sync()
    seconds = time.perf_counter() - start
if sys.platform == "linux":
    peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(seconds, peak, flush=True)
"""


def measure(quick: bool) -> Iterator[Row]:
    with open_host() as host:
        yield from _wire_bytes(host, 50 * _MB if quick else 500 * _MB)
        yield from _throughput(host, 100 * _MB if quick else 1000 * _MB, 1 if quick else 3)


def _wire_bytes(host: BenchHost, size: int) -> Iterator[Row]:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    folder = host.scratch / "one"
    file = make_random_file(folder / "data.bin", size)
    options = {"workspace": "~/one", "sync": {"max_file_size": "10G"}}
    appended, inserted = size // 50, 1000
    with Remote(Config.load().host(host.name, options), folder) as remote:
        remote.sync()
        named = f"{size // _MB} MB file"

        with counted(remote) as wire:
            file = file.rename(folder / "renamed.bin")
            remote.sync()
        yield at_most_bytes(f"on the wire: {named} renamed", wire.total, 10_000, "its size", size)

        with counted(remote) as wire:
            with file.open("ab") as stream:
                stream.write(make_random_file(host.scratch / "more", appended).read_bytes())
            remote.sync()
        limit = appended * 12 // 10
        name = f"on the wire: {appended // _MB} MB appended to a {named}"
        yield at_most_bytes(name, wire.total, limit, "its size", size)

        with counted(remote) as wire:
            _insert(file, size // 2, b"x" * inserted)
            remote.sync()
        yield at_most_bytes(f"on the wire: 1 kB inserted in a {named}", wire.total, 3 * _MB, "its size", size)

        with counted(remote) as wire:
            file = file.rename(folder / "anew.bin")
            _insert(file, size // 3, b"y" * inserted)
            remote.sync()
        name = f"on the wire: {named} renamed, and 1 kB inserted"
        # 1 MB, and what the host tells of its blocks: 32 bytes each.
        yield at_most_bytes(name, wire.total, _MB + size // 250, "its size", size)

        other = make_random_file(host.scratch / "other", size)
        old = file.rename(host.scratch / "old")
        other.rename(file)
        remote.sync()
        with counted(remote) as wire:
            old.replace(file)
            remote.sync()
        yield at_most_bytes(f"on the wire: {named} as it was before", wire.total, 10_000, "its size", size)


def _insert(file: Path, at: int, what: bytes) -> None:
    new = file.with_suffix(".new")
    with file.open("rb") as old, new.open("wb") as stream:
        while at:
            piece = old.read(min(at, 1 << 20))
            stream.write(piece)
            at -= len(piece)
        stream.write(what)
        while piece := old.read(1 << 20):
            stream.write(piece)
    new.replace(file)


def _throughput(host: BenchHost, size: int, n: int) -> Iterator[Row]:
    folder = host.scratch / "large"
    file = make_random_file(folder / "large.bin", size)
    ours, peers, here, there = [], [], [], []
    for number in range(n):
        with _highest_memory(host) as highest:
            command = [sys.executable, "-c", _CLIENT, host.name, str(folder), f"~/large-{number}"]
            seconds, memory = subprocess.run(command, check=True, capture_output=True).stdout.split()
        ours.append(float(seconds))
        here.append(int(memory))
        there.append(highest[0])
        peers.append(timed(lambda: _bare(host, file)))
        subprocess.run(host.ssh(f"rm -rf large-{number} bare"), check=True)
    speed, peer = size / median(ours), size / median(peers)
    name = f"{size // _MB} MB incompressible file"
    yield at_least_share(name, "cat > file over the bare transport", speed, peer, 0.85, n)
    yield at_most_bytes(f"peak memory here, {name}", max(here), 128 << 20)
    yield at_most_bytes(f"peak memory of the agent, {name}", max(there), 128 << 20)


def _bare(host: BenchHost, file: Path) -> None:
    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    channel = transport.open(f"head -c {file.stat().st_size} > bare; echo done")
    with file.open("rb", buffering=0) as stream:
        while piece := stream.read(_PIECE):
            channel.write(piece)
    if channel.read(100) != b"done\n":
        raise RuntimeError("the bare transport lost something")
    transport.close()


@contextlib.contextmanager
def _highest_memory(host: BenchHost) -> Iterator[list[int]]:
    """The largest resident size of any process of ours on the host, looked at every 20 ms."""
    highest, ended = [0], threading.Event()

    def look() -> None:
        for _ in itertools.takewhile(lambda _: not ended.wait(0.02), itertools.count()):
            for pid, line in host.server.processes():
                with contextlib.suppress(psutil.Error):
                    if "python" in line:
                        highest[0] = max(highest[0], psutil.Process(pid).memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield highest
    finally:
        ended.set()
        thread.join()
