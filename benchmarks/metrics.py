"""What it costs a printing run that its metrics are followed, and what reading them all afterwards takes.

The time of a run is the host's own. Nobody watches what it prints; its metrics are asked for as a widget
does, or not. The bar is the project's promise: under 5 %.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .harness import Row, at_most_times, beside, interleaved, timed
from .host import open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote, Run

LINES = 1_000_000
METRICS = f"for step in range({LINES}):\n    print(f'step={{step}} loss={{1 / (step + 1):.6f}} acc=0.5')\n"
# As many lines, none of them a metric; and one that has something to do between two lines.
WORDS = f"for number in range({LINES}):\n    print('12:30:45 INFO reading block', number)\n"
TRAINS = (
    "for step in range(20_000):\n    x = sum(range(8_000))\n"
    "    print(f'step={step} loss={1 / (step + 1):.6f} acc=0.5')\n"
)
KEPT = 200_000
MANY = METRICS.replace(str(LINES), str(KEPT))
EVERY_S = 1.0


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 2 if quick else 7
    with open_host() as host:
        workspace = host.scratch / "empty"
        workspace.mkdir()
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        try:
            remote.run_cell("pass").wait()
            for name, code in (
                ("run that prints 1,000,000 metric lines, followed", METRICS),
                ("run that prints 1,000,000 other lines, followed", WORDS),
                ("run that works and prints 20,000 metric lines, followed", TRAINS),
            ):
                ours, peer = interleaved(
                    n,
                    lambda code=code: _seconds(remote, code, True),
                    lambda code=code: _seconds(remote, code, False),
                )
                yield at_most_times(name, "the same run, its metrics not asked for", ours, peer, 1.05, n)
            runs = [remote.run_cell(MANY, sync=False).wait() for _ in range(2 if quick else 3)]
            ours = [timed(lambda run=run: _read(run)) for run in runs]
            peer = [timed(lambda run=run: sum(map(len, remote.log(run.id)))) for run in runs]
            name = f"metrics of {KEPT:,} lines, read after the end"
            yield beside(name, "its whole log, only fetched", min(ours), min(peer), len(runs))
        finally:
            remote.stop_sessions()
            remote.close()


def _seconds(remote: Remote, code: str, followed: bool) -> float:
    run = remote.run_cell(code, sync=False)
    run.detach()
    path = Path(remote.info["state"]) / "runs" / run.id / "run.json"
    ended = threading.Event()
    asker = threading.Thread(target=_ask, args=(run, ended))
    if followed:
        asker.start()
    try:
        while not (record := json.loads(path.read_text())).get("ended"):
            time.sleep(0.05)
    finally:
        ended.set()
        if followed:
            asker.join()
    return float(record["seconds"])


def _ask(run: Run, ended: threading.Event) -> None:
    found = run.metrics
    while not ended.wait(EVERY_S):
        found.refresh(seconds=0.2)


def _read(run: Run) -> None:
    found = run.metrics
    if not found.complete or len(found) != 2 * KEPT:
        raise RuntimeError(f"{len(found)} of {2 * KEPT} points came")
