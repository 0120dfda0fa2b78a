"""What it costs a host to be watched: processor time for each sample, beside a `status` for each.

`nvidia-smi` is a stand-in that takes 20 ms, mostly waiting, as the real one did on a machine with one H200.
All of the host's processes count: the agent, and what it starts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .harness import Row, faster_by, interleaved

EVERY_S = 0.1
FAKE = """#!/bin/sh
uuid=GPU-c77db228-1ad5-d63d-1844-886cba1b3f9e
sleep 0.02
case "$*" in
*--loop-ms*) while :; do echo "0, 143771, 3021, 140136, 100, 60, 689.36"; sleep 0.1; done ;;
*--query-gpu*)
    echo "0, $uuid, NVIDIA H200, 580.159.04, Disabled, Default, 143771, 3021, 140136, 100, 60, 689.36" ;;
*) echo "$uuid, $$, 3012, python3" ;;
esac
"""


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n, samples = (3, 10) if quick else (5, 60)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "nvidia-smi")
        program.write_text(FAKE)
        program.chmod(0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}{os.pathsep}{path}"
        try:
            remote = jupyter_remote.connect("local", workspace=Path(folder))
            agent = int(remote.info["pid"])
            with remote.samples(EVERY_S) as stream:
                next(stream)

                def sampled() -> float:
                    return _processor_time(agent, lambda: next(stream), samples)

                ours, peer = interleaved(n, sampled, lambda: _processor_time(agent, remote.status, samples))
            yield faster_by("processor time of the host per sample", "a status for each", ours, peer, 5, n)
            remote.close()
        finally:
            os.environ["PATH"] = path


def _processor_time(agent: int, what: Callable[[], object], times: int) -> float:
    """Seconds of processor time of the agent and of what it starts, for one of so many."""
    before = _ticks(agent)
    for _ in range(times):
        what()
    return (_ticks(agent) - before) / os.sysconf("SC_CLK_TCK") / times


def _ticks(agent: int) -> int:
    """Of the agent, its children that live, and those that it has waited for."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        pid, parent = int(path.parent.name), int(fields[1])
        if pid == agent:
            found += sum(map(int, fields[11:15]))
        elif parent == agent:
            found += int(fields[11]) + int(fields[12])
    return found
