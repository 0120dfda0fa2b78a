"""The first cell of a client that has connected to nothing yet, beside a cold `ssh HOST true`.

Each time a fresh process: it imports the package, connects, starts a session and runs one cell. The clock
starts when its interpreter is up, which is how a notebook finds it; rows of their own count the interpreter's
start too. "Cached" means that the host has the agent from before; "ever" that it has nothing of ours, be it
agent, mirror or state.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .harness import Row, at_most_times, timed
from .host import BenchHost, open_host
from .warm_cell import make_workspace

# Prints the seconds of its first cell, then tidies up where no clock runs.
_CLIENT = """
import time
start = time.perf_counter()
import pathlib, sys
import jupyter_remote
remote = jupyter_remote.connect(sys.argv[1], workspace=pathlib.Path(sys.argv[2]))
run = remote.run_cell("pass").wait()
print(time.perf_counter() - start if run.exit_code == 0 else run.error, flush=True)
remote.stop_sessions()
remote.close()
"""


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 9
    with open_host() as host:
        workspace = make_workspace(host.scratch / "ten", 10)
        _first_cell(host, workspace)  # Byte code here and there, pages in memory.
        for forget, name, limit in ((False, "agent cached", 2), (True, "first contact ever", 4)):
            inside, outside, peers = [], [], []
            for _ in range(n):
                if forget:
                    host.forget_everything()
                seconds, with_start = _first_cell(host, workspace)
                inside.append(seconds)
                outside.append(with_start)
                peers.append(timed(lambda: subprocess.run(host.ssh("true"), check=True)))
            peer = median(peers)
            yield at_most_times(f"cold first cell, {name}", "ssh HOST true", median(inside), peer, limit, n)
            name += ", with python's start"
            yield at_most_times(f"cold first cell, {name}", "ssh HOST true", median(outside), peer, limit, n)


def _first_cell(host: BenchHost, workspace: Path) -> tuple[float, float]:
    """Seconds of the first cell, without and with the start of the interpreter."""
    command = [sys.executable, "-c", _CLIENT, host.name, str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        lines: list[str] = []
        with_start = timed(lambda: lines.append(client.stdout.readline() if client.stdout else ""))
    if client.returncode:
        raise RuntimeError(f"the client ended with exit code {client.returncode}")
    return float(lines[0]), with_start
