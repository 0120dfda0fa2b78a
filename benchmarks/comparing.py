"""1,000 runs side by side, from the local history alone, beside the list of them; and 30 curves drawn."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .harness import Row, at_most, at_most_times, interleaved, timed

RUNS = 1_000


def measure(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_DATA_DIR"] = folder
        from jupyter_remote.cli import main
        from jupyter_remote.history_store import Store

        runs, n = (100, 3) if quick else (RUNS, 9)
        store = Store(Path(folder) / "remote" / "history.db")
        store.write(_run(number) for number in range(runs))

        def call(*words: str) -> None:
            with contextlib.redirect_stdout(io.StringIO()):
                assert main(words) == 0

        def compare() -> None:
            call("compare", "--campaign", "sweep", "--local")

        def listing() -> None:
            call("runs", "list", "--local", "--limit", str(runs))

        compare()  # what is imported once is not measured
        listing()
        ours, peer = interleaved(n, lambda: timed(compare), lambda: timed(listing))
        yield at_most_times(f"compare of {runs} runs, --local", "runs list --local", ours, peer, 4, n)
    yield at_most("30 curves of 2,000 points as PNG", _drawing(quick), 5.0, 3)


def _run(number: int) -> dict[str, object]:
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(1_700_000_000 + 60 * number))
    value = random.Random(number).random
    return {
        "id": f"{moment}-{number % 65536:04x}",
        "host": f"h{number % 16}",
        "state": "finished",
        "seconds": 60.0,
        "created": 1_700_000_000.0 + 60 * number,
        "campaign": "sweep",
        "step": f"train[{number}]",
        "label": f"train[{number}]",
        "options": json.dumps({"params": {"lr": value(), "seed": number, "model": "toy"}}),
        "metrics": json.dumps(
            {"loss": value(), "accuracy": value(), "gflops": value(), "epoch_time_s": value()}
        ),
        "source": "x = 1\n" * 80,
    }


def _drawing(quick: bool) -> float:
    from jupyter_remote.compared import Compared
    from jupyter_remote.comparison import Comparison
    from jupyter_remote.metric_table import Series
    from jupyter_remote.plots import draw, picture

    value = random.Random(1).random
    steps = [float(step) for step in range(2000)]
    runs = [Compared(f"r{n}", "h", "finished", f"run {n}", metrics={"loss": value()}) for n in range(30)]
    points = {(run.id, "loss"): Series("loss", steps, steps, [value() for _ in steps]) for run in runs}
    compared = Comparison(tuple(runs), ("loss",))
    (seconds,) = interleaved(1 if quick else 3, lambda: timed(lambda: picture(draw(compared, points=points))))
    return seconds
