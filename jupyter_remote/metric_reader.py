"""What a host tells of a run's metrics becomes points. No link and no file is known here."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Sequence
from typing import Any

from .metric_blocks import Blocks, unpacked
from .metric_bulk import BulkParser
from .metric_lines import BAR, PATTERNS, WORDS, Found, Progress, progress
from .metric_rows import RowParser
from .metric_table import Table
from .tfevents import Broken, records, scalars

# Where training programs write by themselves: TensorBoard; Lightning's CSVLogger; Stable-Baselines3 and Ray
# Tune; Ultralytics; those who log JSON.
FILES = ("events.out.tfevents.*", "metrics.csv", "progress.csv", "results.csv", "metrics.jsonl")
OUTPUT = "output"

Batch = dict[str, Any]


def wanted(room: int, seconds: float) -> dict[str, Any]:
    """What the agent is to look for, see `agent/metrics.py`.

    Args:
        room: bytes of an answer.
    """
    return {
        "patterns": PATTERNS,
        "words": WORDS,
        "bar": BAR,
        "files": FILES,
        "room": room,
        "seconds": seconds,
    }


class Reader:
    """The parsers of one run, and how far each has come.

    Attributes:
        table: all points.
        cursor: for the next question.
        complete: whether the run has ended, and all of it is here.
        progress: what its output said last.
    """

    def __init__(self) -> None:
        self.table = Table()
        self.cursor: dict[str, Any] = {}
        self.complete = False
        self.progress: Progress | None = None
        self._wishes: dict[str, Any] = {}
        self._lines: dict[str, BulkParser] = {}
        self._heads: dict[str, list[str]] = {}

    def read(self, answer: dict[str, Any]) -> Batch:
        """The points of an answer, and all that is to be kept of it; nothing is changed here but parsers.

        Raises:
            ValueError, TypeError, KeyError: the answer is none.
        """
        self._wishes = dict(answer.get("wishes") or {})
        points = Blocks()
        parser = self._parser(OUTPUT)
        self._read_lines(parser, [(float(t), str(text)) for t, text in answer["lines"]], points, OUTPUT)
        fresh: list[str] = []
        for told in answer["files"]:
            path = str(told["path"])
            if told["fresh"]:
                fresh.append(path)
                self._heads.pop(path, None)
                self._lines.pop(path, None)
            self._read_file(path, told, points)
        batch: Batch = {"points": points.packed(), "fresh": fresh, "cursor": dict(answer["cursor"])}
        batch["complete"] = bool(answer["ended"] and not answer["more"])
        batch["heads"] = self._heads
        batch["epochs"] = {source: parser.epoch for source, parser in self._lines.items() if parser.epoch}
        batch["wishes"] = self._wishes
        seen = [progress(str(text), parser.epoch) for text in answer["bars"]]
        known = [one for one in seen if one is not None]
        if known:
            batch["progress"] = [known[-1].fraction, known[-1].text]
        return batch

    def take(self, batch: Batch) -> None:
        """Takes what `read` gave, in this process or another.

        Raises:
            ValueError, TypeError, KeyError, IndexError: it is none.
        """
        for source in batch["fresh"]:
            self.table = self.table.without(source)
        self.table.extend(*unpacked(batch["points"]))
        self.cursor, self.complete = batch["cursor"], batch["complete"]
        self._heads = dict(batch["heads"])
        self._wishes = batch["wishes"]
        for source, epoch in batch["epochs"].items():
            self._parser(source).epoch = (epoch[0], epoch[1])
        if "progress" in batch:
            self.progress = Progress(*batch["progress"])

    def _parser(self, source: str) -> BulkParser:
        if source not in self._lines:
            names, regexes = self._wishes.get("names") or (), self._wishes.get("regexes") or ()
            self._lines[source] = BulkParser(list(names), list(regexes))
        return self._lines[source]

    def _read_file(self, path: str, told: dict[str, Any], points: Blocks) -> None:
        moment, data = float(told["time"]), told["data"]
        if told["kind"] == "events":
            try:
                for content in records(base64.b64decode(data)):
                    for tag, value, step, when in scalars(content):
                        points.add([Found(tag, value, float(step))], when or moment, path)
            except Broken:
                pass  # what came before counts
        elif told["kind"] == "rows":
            rows = RowParser(path, self._heads.get(path))
            for said in rows.read(str(data)):
                if isinstance(said, list):
                    points.add(said, moment, path)
                else:
                    points.extend(said, array("d", [moment]) * len(said.order), path)
            if rows.head is not None:
                self._heads[path] = rows.head
        else:
            lines = [(moment, str(text)) for text in data]
            self._read_lines(self._parser(path), lines, points, path)

    @staticmethod
    def _read_lines(
        parser: BulkParser, texts: Sequence[tuple[float, str]], points: Blocks, source: str
    ) -> None:
        moments = array("d")
        whole = []
        for moment, text in texts:
            # Without an end is only the last line of a run.
            whole.append(text if text.endswith("\n") else text + "\n")
            moments.extend(array("d", [moment]) * whole[-1].count("\n"))
        at = 0
        for said in parser.read("".join(whole)):
            if isinstance(said, list):
                points.add(said, moments[at], source)
                at += 1
            else:
                points.extend(said, moments[at : at + len(said.order)], source)
                at += len(said.order)
