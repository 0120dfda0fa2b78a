"""The local history with 100,000 runs on 1,000 hosts: a page of a listing, and what noting a run costs it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .harness import Row, at_most, interleaved, timed

RUNS = 100_000
HOSTS = 1_000


def measure(quick: bool) -> Iterator[Row]:
    from jupyter_remote.history_store import Query, Store

    runs, n = (10_000, 7) if quick else (RUNS, 51)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "history.db")
        store.write(_run(number) for number in range(runs))
        everything, one_host, rare, hosts = interleaved(
            n,
            lambda: timed(lambda: store.find(Query())),
            lambda: timed(lambda: store.find(Query(host="h7"))),
            lambda: timed(lambda: store.find(Query(states=("running", "queued")))),
            lambda: timed(store.hosts),
        )
        yield at_most(f"newest 50 of {runs} runs", everything, 0.010, n)
        yield at_most(f"newest 50 of a host, of {runs} runs", one_host, 0.010, n)
        yield at_most(f"the unfinished of {runs} runs", rare, 0.010, n)
        yield at_most(f"the hosts of {runs} runs", hosts, 0.050, n)
        os.environ["JUPYTER_DATA_DIR"] = folder
        yield at_most("noting start and end of a run", _noting(200), 0.0005, 200)


def _run(number: int) -> dict[str, object]:
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(1_700_000_000 + 60 * number))
    state = "running" if number % 10_000 == 0 else "failed" if number % 9 == 0 else "finished"
    return {
        "id": f"{moment}-{number % 65536:04x}",
        "host": f"h{number % HOSTS}",
        "state": state,
        "notebook": f"/work/{number % 50}.ipynb",
        "source": "x = 1\n" * 80,
    }


def _noting(runs: int) -> float:
    """Seconds for the thread that runs cells; the writing itself is done by another."""
    from jupyter_remote import history

    records = [dict(_run(10**6 + number), settings={"a": 1}, env={}) for number in range(runs)]
    start = time.perf_counter()
    for record in records:
        history.started(record, "1 + 1")
        history.ended(str(record["id"]), {"state": "finished", "exit_code": 0, "seconds": 0.1}, 5.0)
    seconds = time.perf_counter() - start
    history.flush()
    return seconds / runs
