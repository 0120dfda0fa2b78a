"""`runs_table()` with 1,000 runs beside 10: what a page gets at first, and when one run has changed."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from .harness import Row, at_most_above, at_most_bytes, beside, interleaved, timed

MANY, FEW = 1_000, 10
# A page has 25 rows and 10 runs have 10, so the first paint may not be the same.
FIRST_B, CHANGE_B, TURN_B = 200_000, 2_000, 60_000


def measure(quick: bool) -> Iterator[Row]:
    import comm
    from comm.base_comm import BaseComm

    n = 5 if quick else 15
    sent: list[int] = []

    class Counted(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **more: Any) -> None:
            sent.append(len(json.dumps(data or {})))

    create, comm.create_comm = comm.create_comm, Counted
    folder = os.environ.get("JUPYTER_DATA_DIR")
    try:
        with tempfile.TemporaryDirectory() as many, tempfile.TemporaryDirectory() as few:
            big, small = _Table(many, MANY), _Table(few, FEW)
            ours, peer = interleaved(n, lambda: timed(big.make), lambda: timed(small.make))
            yield beside(f"runs_table with {MANY:,} runs, made", f"with {FEW}", ours, peer, n)
            first_bytes = [_sent(sent, table.make) for table in (big, small)]
            yield at_most_bytes(
                "… what the page gets at first", first_bytes[0], FIRST_B, f"with {FEW}", first_bytes[1]
            )
            ours, peer = interleaved(n, lambda: timed(big.change), lambda: timed(small.change))
            yield at_most_above("… one run changes: read and drawn", f"with {FEW}", ours, peer, 0.1, n)
            changed = [_sent(sent, table.change) for table in (big, small)]
            yield at_most_bytes(
                "… what the page gets of a change", changed[0], CHANGE_B, f"with {FEW}", changed[1]
            )
            yield at_most_bytes("… what the page gets of another page", _sent(sent, big.turn), TURN_B)
            yield at_most_bytes("… what the page gets when nothing changes", _sent(sent, big.look), 0)
            big.close()
            small.close()
    finally:
        comm.create_comm = create
        if folder is None:
            os.environ.pop("JUPYTER_DATA_DIR")
        else:
            os.environ["JUPYTER_DATA_DIR"] = folder


def _sent(sent: list[int], action: Any) -> int:
    sent.clear()
    action()
    return sum(sent)


class _Table:
    """A table over a history of its own, that looks when it is told to."""

    def __init__(self, folder: str, runs: int) -> None:
        self._folder = folder
        self._changes = 0
        self._table: Any = None
        self._enter()
        from jupyter_remote import history

        history.note(_run(number) for number in range(runs))
        history.flush()

    def _enter(self) -> None:
        os.environ["JUPYTER_DATA_DIR"] = self._folder

    def make(self) -> None:
        import jupyter_remote

        self.close()
        self._enter()
        self._table = jupyter_remote.runs_table()
        self._table._repr_mimebundle_()
        self._table.widget  # noqa: B018
        self._table.pause()

    def change(self) -> None:
        from jupyter_remote import history

        self._enter()
        self._changes += 1
        history.note([{"id": self._table.rows[3]["id"], "label": f"another {self._changes}"}])
        history.flush()
        self.look()

    def look(self) -> None:
        self._enter()
        self._table._look(True)

    def turn(self) -> None:
        self._table.turn(1)

    def close(self) -> None:
        if self._table is not None:
            self._table.close()


def _run(number: int) -> dict[str, object]:
    moment = 1_700_000_000.0 + 60 * number
    return {
        "id": time.strftime("%Y%m%d-%H%M%S", time.gmtime(moment)) + f"-{number:04x}",
        "host": f"h{number % 16}",
        "state": "failed" if number % 9 == 0 else "finished",
        "exit_code": int(number % 9 == 0),
        "label": f"run {number}",
        "created": moment,
        "started": moment,
        "seconds": 12.5 + number,
        "metrics": json.dumps({"loss": 1 / (number + 1), "accuracy": number / 1000}),
        "source": "import train\n" * 20,
    }
