"""The first cell of a client that has connected to nothing yet, beside a cold `ssh HOST true`.

Each time a fresh process: it imports the package, connects, starts a session and runs one cell. The clock
starts when the kernel is up (`ipykernel` is imported, as it is in every notebook); a row of its own, without
a bar, counts from the start of a bare Python. "Cached" means that the host has the agent from before; "ever"
that it has nothing of ours, be it agent, mirror or state.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .harness import Row, at_most_times, beside, timed
from .host import BenchHost, open_host
from .warm_cell import make_workspace

# Prints the seconds of its first cell, then tidies up where no clock runs.
_CLIENT = """
import sys, time
if sys.argv[3] == "kernel":
    import ipykernel.kernelapp
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
        first_cell(host, workspace)  # Byte code here and there, pages in memory.
        for forget, name, limit in ((False, "agent cached", 2), (True, "first contact ever", 4)):
            kernels, bare, peers = list[float](), list[float](), list[float]()
            for _ in range(n):
                for client, seconds in (("kernel", kernels), ("bare", bare)):
                    if forget:
                        host.forget_everything()
                    inside, with_start = first_cell(host, workspace, client)
                    seconds.append(inside if client == "kernel" else with_start)
                peers.append(timed(lambda: subprocess.run(host.ssh("true"), check=True)))
            peer = median(peers)
            yield at_most_times(f"cold first cell, {name}", "ssh HOST true", median(kernels), peer, limit, n)
            name += ", with python's start"
            yield beside(f"cold first cell, {name}", "ssh HOST true", median(bare), peer, n)


def first_cell(
    host: BenchHost, workspace: Path, client: str = "kernel", name: str = ""
) -> tuple[float, float]:
    """Seconds of the first cell, and with the start of the interpreter; `name` is another host's."""
    command = [sys.executable, "-c", _CLIENT, name or host.name, str(workspace), client]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        with_start = timed(lambda: lines.append(process.stdout.readline() if process.stdout else ""))
    if process.returncode:
        raise RuntimeError(f"the client ended with exit code {process.returncode}")
    return float(lines[0]), with_start
