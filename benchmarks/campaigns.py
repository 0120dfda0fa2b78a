"""Campaigns: how long it takes until all is checked and handed over, and what a step costs on its host.

Over loopback ssh, with a workspace in which nothing changed. A step's peer is the same program as a run of
its own, started and waited for from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .harness import Row, at_most, at_most_above, at_most_times, interleaved, timed
from .host import open_host
from .warm_cell import make_workspace

FEW, MANY = 10, 500
FILES = 100


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 3 if quick else 9
    with open_host() as host:
        workspace = make_workspace(host.scratch / "hundred", FILES)
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        try:
            few, many = (_handed_over(host.name, workspace, steps) for steps in (FEW, MANY))
            few(), many()
            small, large = interleaved(n, few, many)
            yield at_most(f"campaign of {FEW} steps: checked, handed over", small, 0.5, n)
            # 50 times as much, and a bar far from that: nothing is asked or sent for each step.
            yield at_most_times(f"campaign of {MANY} steps", f"{FEW} steps", large, small, 10, n)
            steps = 10 if quick else 40
            turns = 3 if quick else 5
            ours, peer = interleaved(
                turns,
                lambda: _step(host.name, workspace, steps),
                lambda: timed(lambda: remote.run_bash("true", sync=False).wait().check()),
            )
            name = "a step of a campaign, one after the other"
            # A host looks every 50 ms; a step that is worth a campaign takes minutes.
            yield at_most_above(name, "run --bash, waited for", ours, peer, 0.5, turns)
        finally:
            remote.stop_sessions()
            remote.close()


def _file(name: str, steps: int, shell: str) -> dict[str, object]:
    return {"name": name, "steps": [{"name": "s", "shell": shell, "matrix": {"n": list(range(steps))}}]}


def _handed_over(host: str, workspace: Path, steps: int) -> Callable[[], float]:
    import jupyter_remote

    def once() -> float:
        # One is under way and the others wait, so that the host does nothing else meanwhile.
        began = time.perf_counter()
        campaign = jupyter_remote.campaign(_file("held", steps, "sleep 60"), host, workspace=workspace)
        took = time.perf_counter() - began
        campaign.stop()
        return took

    return once


def _step(host: str, workspace: Path, steps: int) -> float:
    import jupyter_remote

    campaign = jupyter_remote.campaign(_file("quick", steps, "true"), host, workspace=workspace)
    assert campaign.wait().ok
    records = campaign.runs
    # From the first start to the last end, by the host's clock: what this side does is not in it.
    return float(max(one["ended"] for one in records) - min(one["started"] for one in records)) / steps
