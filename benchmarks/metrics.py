"""What it costs a printing run that its metrics are followed, and what reading them all afterwards takes.

Nobody watches what it prints; its metrics are asked for as a widget does, or not. The bar is the project's
promise: under 5 %. What a loaded machine hardly changes has it always: the processor seconds of the run's own
processes, and those of who asks, which the run would lose on a host of one core. The time by the host's clock
has it where the same run takes the same time within 5 % when nobody asks.
"""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psutil

from .harness import Row, at_most_times, beside, interleaved, timed
from .host import open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote, Run

LINES = 1_000_000
METRICS = f"for step in range({LINES}):\n    print(f'step={{step}} loss={{1 / (step + 1):.6f}} acc=0.5')\n"
# As many lines, none of them a metric; and one that works between two lines, about 10,000 of them a second.
WORDS = f"for number in range({LINES}):\n    print('12:30:45 INFO reading block', number)\n"
TRAINS = (
    "for step in range(30_000):\n    x = sum(range(8_000))\n"
    "    print(f'step={step} loss={1 / (step + 1):.6f} acc=0.5')\n"
)
EVERY_S = 1.0
LIMIT = 1.05


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote
    from jupyter_remote.metrics import Metrics

    n = 2 if quick else 7
    with open_host() as host:
        workspace = host.scratch / "empty"
        workspace.mkdir()
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        try:
            remote.run_cell("pass").wait()
            for name, code in (
                ("run that prints 1,000,000 metric lines", METRICS),
                ("run that prints 1,000,000 other lines", WORDS),
                ("run that works and prints 10,000 metric lines a second", TRAINS),
            ):
                yield from _followed(remote, name, code, n)
            runs = [_started(remote, METRICS) for _ in range(2 if quick else 3)]
            for run in runs:
                _await_end(remote, run)
            ours = [timed(partial(_read, run)) for run in runs]
            peer = [timed(partial(_fetch, remote, run)) for run in runs]
            name = f"metrics of {LINES:,} lines, read after the end"
            yield beside(name, "its whole log, only fetched", min(ours), min(peer), len(runs))
            again = [timed(partial(Metrics, run.id)) for run in runs]
            name = f"metrics of {LINES:,} lines, read again from here"
            yield beside(name, "the first time", min(again), min(ours), len(runs))
        finally:
            remote.stop_sessions()
            remote.close()
    yield from _rows_of_files(2 if quick else 5)


def _rows_of_files(n: int) -> Iterator[Row]:
    """Files of 1,000,000 rows, in pieces of 256 KiB as hosts tell them. Peers make numbers of them too."""
    import pandas

    table = "step,loss,acc\n" + "".join(f"{s},{1 / (s + 1):.6f},0.5\n" for s in range(LINES))
    objects = "".join(f'{{"step": {s}, "loss": {1 / (s + 1):.6f}, "acc": 0.5}}\n' for s in range(LINES))
    for path, text, name, peer in (
        ("metrics.csv", table, "csv.reader and float", _by_csv),
        ("metrics.csv", table, "pandas.read_csv", lambda text: pandas.read_csv(io.StringIO(text))),
        ("metrics.jsonl", objects, "json.loads of each line", _by_json),
        ("metrics.jsonl", objects, "pandas.read_json", _by_pandas),
    ):
        ours, theirs = interleaved(
            n, partial(timed, partial(_read_rows, path, text)), partial(timed, partial(peer, text))
        )
        yield beside(f"points of {path}, {LINES:,} rows", name, ours, theirs, n)


def _read_rows(path: str, text: str) -> None:
    from jupyter_remote.metric_reader import Reader

    reader, at = Reader(), 0
    answer = {"lines": [], "bars": [], "cursor": {}, "ended": False, "more": True}
    while at < len(text):
        end = text.find("\n", at + (1 << 18)) + 1 or len(text)
        told = {"path": path, "kind": "rows", "time": 0.0, "fresh": not at, "data": text[at:end]}
        reader.take(reader.read({**answer, "files": [told]}))
        at = end
    if len(reader.table) != 2 * LINES:
        raise RuntimeError(f"{len(reader.table)} of {2 * LINES} points came")


def _by_csv(text: str) -> list[list[float]]:
    rows = csv.reader(io.StringIO(text))
    next(rows)
    return [list(map(float, row)) for row in rows]


def _by_json(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def _by_pandas(text: str) -> object:
    import pandas

    return pandas.read_json(io.StringIO(text), lines=True)


@dataclass(frozen=True)
class Cost:
    """Seconds of a run: by its host's clock, of processors for it, and of processors for who asks."""

    wall: float
    run: float
    asking: float


def _followed(remote: Remote, name: str, code: str, n: int) -> Iterator[Row]:
    rounds = [(_cost(remote, code, True), _cost(remote, code, False)) for _ in range(n)]
    same = "the same run, its metrics not asked for"
    ours, peer = ([pair[side].wall for pair in rounds] for side in (0, 1))
    name += ", followed"
    if max(peer) <= LIMIT * min(peer):
        yield at_most_times(name, same, median(ours), median(peer), LIMIT, n)
    else:
        yield beside(name, same, median(ours), median(peer), n)
    ours, peer = ([pair[side].run for pair in rounds] for side in (0, 1))
    yield at_most_times(f"{name}: its processor seconds", same, median(ours), median(peer), LIMIT, n)
    asking = median(followed.asking - alone.asking for followed, alone in rounds)
    wall = median(followed.wall for followed, _ in rounds)
    name += ": processor seconds of client and agent"
    yield at_most_times(name, "its seconds by the clock", asking, wall, LIMIT - 1, n)


def _cost(remote: Remote, code: str, followed: bool) -> Cost:
    (session,) = remote.sessions()
    its = [psutil.Process(session[who]) for who in ("pid", "worker")]
    here = psutil.Process()
    # The host's sshd was started here, and its agent by that.
    asking = [one for one in (here, *here.children(recursive=True)) if one not in its]
    before = _busy(its), _busy(asking)
    run = _started(remote, code)
    ended = threading.Event()
    asker = threading.Thread(target=_ask, args=(run, ended))
    if followed:
        asker.start()
    try:
        wall = _await_end(remote, run)
    finally:
        ended.set()
        if followed:
            asker.join()
    return Cost(wall, _busy(its) - before[0], _busy(asking) - before[1])


def _started(remote: Remote, code: str) -> Run:
    run = remote.run_cell(code, sync=False)
    run.detach()
    return run


def _await_end(remote: Remote, run: Run) -> float:
    path = Path(remote.info["state"]) / "runs" / run.id / "run.json"
    while not (record := json.loads(path.read_text())).get("ended"):
        time.sleep(0.05)
    return float(record["seconds"])


def _busy(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds of processes."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _ask(run: Run, ended: threading.Event) -> None:
    found = run.metrics
    while not ended.wait(EVERY_S):
        found.refresh(seconds=0.2)


def _fetch(remote: Remote, run: Run) -> None:
    for _ in remote.log(run.id):
        pass


def _read(run: Run) -> None:
    found = run.metrics
    found.refresh()
    if not found.complete or len(found) != 2 * LINES:
        raise RuntimeError(f"{len(found)} of {2 * LINES} points came")
