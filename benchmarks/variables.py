"""A large array to a session and back; the peer is the same bytes through a channel of the same transport.

Where the host's own Python has no numpy it is a bytearray, which takes the same way.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from statistics import median

from .harness import Row, at_least_share, timed
from .host import BenchHost, open_host

_MB = 1_000_000
_PIECE = 1 << 17


def measure(quick: bool) -> Iterator[Row]:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    size, n = 100 * _MB, 1 if quick else 5
    times: dict[str, list[float]] = {"send": [], "fetch": [], "bare there": [], "bare back": []}
    with open_host() as host:
        folder = host.scratch / "empty"
        folder.mkdir()
        settings = Config.load().host(host.name, {"workspace": "~/empty", "transport": "paramiko"})
        with Remote(settings, folder) as remote:
            values = {"x": _value(host, size)}
            remote.send({"small": 1})
            for _ in range(n):
                times["send"].append(timed(lambda: remote.send(values)))
                times["bare there"].append(_bare_there(host, size))
                times["fetch"].append(timed(lambda: remote.fetch(["x"])))
                times["bare back"].append(_bare_back(host, size))
            remote.stop_sessions()
    speeds = {name: size / median(seconds) for name, seconds in times.items()}
    what = type(values["x"]).__name__
    name, peer = f"{what} of {size // _MB} MB", "over the bare transport"
    yield at_least_share(f"{name} sent", f"cat > file {peer}", speeds["send"], speeds["bare there"], 0.7, n)
    yield at_least_share(f"{name} fetched", f"cat file {peer}", speeds["fetch"], speeds["bare back"], 0.7, n)


def _value(host: BenchHost, size: int) -> object:
    content = bytearray(os.urandom(size))
    has_numpy = subprocess.run(host.ssh("python3 -c 'import numpy'"), capture_output=True).returncode == 0
    if not has_numpy:
        return content
    import numpy

    return numpy.frombuffer(content, dtype="<f4")


def _bare_there(host: BenchHost, size: int) -> float:
    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    content = memoryview(os.urandom(size))
    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    channel = transport.open(f"head -c {size} > bare; echo done")

    def send() -> None:
        for at in range(0, size, _PIECE):
            channel.write(bytes(content[at : at + _PIECE]))
        if channel.read(100) != b"done\n":
            raise RuntimeError("the bare transport lost something")

    try:
        return timed(send)
    finally:
        transport.close()


def _bare_back(host: BenchHost, size: int) -> float:
    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    channel = transport.open("read go; cat bare")

    def receive() -> None:
        channel.write(b"go\n")
        came = bytearray()  # kept, as a value would be
        while len(came) < size:
            came += channel.read(_PIECE)

    try:
        return timed(receive)
    finally:
        transport.close()
