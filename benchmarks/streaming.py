"""One million printed lines, from the host's session into this process, beside the same script in a pipe.

Ours runs over a connection that stands, as a cell of a notebook does; the peer connects anew, as `ssh` does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .harness import Row, at_most_times, interleaved, timed
from .host import BenchHost, open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote
    from jupyter_remote.events import Event

LINES = 1_000_000
SCRIPT = f"for number in range({LINES}):\n    print(number)\n"
SIZE = len("".join(f"{number}\n" for number in range(LINES)))


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 2 if quick else 5
    with open_host() as host:
        workspace = host.scratch / "empty"
        workspace.mkdir()
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        host.write("lines.py", SCRIPT)
        try:
            remote.run_cell("pass").wait()
            ours, peer = interleaved(
                n, lambda: timed(lambda: _cell(remote)), lambda: timed(lambda: _pipe(host))
            )
            yield at_most_times(
                "one million printed lines", "ssh HOST python3 script.py | cat", ours, peer, 1.5, n
            )
        finally:
            remote.stop_sessions()
            remote.close()


def _cell(remote: Remote) -> None:
    received = 0

    def count(event: Event) -> None:
        nonlocal received
        if event.kind == "stdout":
            received += len(event.text)

    remote.run_cell(SCRIPT).wait(count)
    _check(received)


def _pipe(host: BenchHost) -> None:
    with (
        subprocess.Popen(host.ssh("python3", "lines.py"), stdout=subprocess.PIPE) as ssh,
        subprocess.Popen(["cat"], stdin=ssh.stdout, stdout=subprocess.PIPE) as cat,
    ):
        received = 0
        while piece := cat.stdout.read(1 << 16) if cat.stdout else b"":
            received += len(piece)
    _check(received)


def _check(received: int) -> None:
    if received != SIZE:
        raise RuntimeError(f"{received} of {SIZE} characters arrived")
