"""A kernel's cells: 100,000 printed lines and a cell that does nothing, beside `%%px` with one local engine.

Ours runs over sshd, the peer on this machine without a network. The time is that of the cell as the front end
sees it, from request to idle; bytes are those of all messages on iopub.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .harness import Row, at_most_bytes, at_most_times, interleaved
from .host import open_host

LINES = 100_000
PRINTS = f"for number in range({LINES}): print(number)"
MILLION = "for number in range(1_000_000): print(number)"
BARS = "import sys\nfor i in range(10_000): sys.stderr.write(f'\\r{i:6} of 10000 ' + '#' * (i // 200))"
PEER = """
import ipyparallel
cluster = ipyparallel.Cluster(n=1, log_level=40)
engines = cluster.start_and_connect_sync()
"""


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 9
    with open_host() as host, _kernel(str(_workspace(host.scratch))) as kernel:
        kernel("%load_ext jupyter_remote")
        kernel(PEER)
        try:
            ours, peer = f"%%remote {host.name} --quiet\n", "%%px\n"
            kernel(f"{ours}pass"), kernel(f"{peer}pass")
            for name, code, rounds in ((f"{LINES:,} lines", PRINTS, n), ("no-op cell", "pass", 5 * n)):
                mine, theirs = interleaved(
                    rounds, partial(_seconds, kernel, ours + code), partial(_seconds, kernel, peer + code)
                )
                yield at_most_times(f"notebook, {name}", "%%px, one local engine", mine, theirs, 1.0, rounds)
            for name, code in (("1,000,000 lines", MILLION), ("10,000 frames of a bar", BARS)):
                size = kernel(ours + code)[1]
                yield at_most_bytes(f"iopub, {name}", size, 2_000_000)
        finally:
            kernel("cluster.stop_cluster_sync()")
            kernel(f"%remote sessions stop {host.name}")


def _seconds(kernel: Callable[[str], tuple[float, int]], code: str) -> float:
    return kernel(code)[0]


def _workspace(scratch: Path) -> Path:
    # Not the scratch folder, which holds the history of runs: each cell would sync the note of the last one.
    folder = scratch / "notebook"
    folder.mkdir()
    return folder


@contextmanager
def _kernel(folder: str) -> Iterator[Any]:
    """A kernel; a function that runs a cell and returns its seconds and its bytes."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=folder, env=dict(os.environ))

    def run(code: str) -> tuple[float, int]:
        size = 0

        def count(message: dict[str, Any]) -> None:
            nonlocal size
            size += len(json.dumps(message["content"]))

        start = time.perf_counter()
        reply = client.execute_interactive(code, timeout=120, output_hook=count)
        seconds = time.perf_counter() - start
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"].get("traceback", [])))
        return seconds, size

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
