"""What a run printed or wrote that may be metrics: found by pattern, in bounded steps, not understood here.

Nothing of this is in the way of a run: the log and the files are read behind its back, when a client asks.
What lines and records mean is said in ``metric_lines.py`` and its neighbours, on the client's side.
"""

from __future__ import annotations

import os
import re
import time

from .evidence import why_lost
from .logreader import LogReader
from .metric_files import look
from .paths import expand
from .rundir import FINAL_STATES, OUTPUT_KINDS, RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

# A longer line is left out: it is no line of metrics, and half of it would be another one.
LONGEST = 4096
READ = 1 << 17
# How far back the newest progress bar may be.
RECENT = 1 << 13


class Lines:
    """Finds lines in bytes that come in pieces.

    Args:
        patterns: one of them is somewhere in the line.
        words: and this pattern too.
    """

    def __init__(self, patterns: Sequence[str], words: str) -> None:
        self._searches = [re.compile(pattern.encode()).search for pattern in patterns]
        self._also = re.compile(words.encode()).search

    def find(self, block: bytes) -> Iterator[str]:
        """The lines of whole lines that match, in order.

        Args:
            block: of the log.
        """
        word = b""
        found: dict[int, int] = {}
        for search in self._searches:
            at = 0
            while True:
                match = search(block, at)
                if match is None:
                    break
                start = block.rfind(b"\n", at, match.start()) + 1 or at
                at = block.find(b"\n", match.end()) + 1 or len(block)
                found[start] = at
        for start in sorted(found):
            line = block[start : found[start]]
            if len(line) > LONGEST:
                continue
            # To look for the word that the line before had is quicker.
            if not word or word not in line:
                match = self._also(line)
                if match is None:
                    continue
                word = match[0]
            yield line.decode("utf-8", "replace")


def news(state: str, run_id: str, cursor: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What there is behind a cursor.

    Args:
        state: state folder.
        run_id: the run.
        cursor: of the answer before, or empty.
        wanted: ``patterns`` and ``words`` of lines, ``bar`` (a pattern) of progress, ``files`` (patterns of
            paths), ``room`` (bytes of an answer, about), ``seconds`` (that this may take, about).

    Returns:
        ``lines``: ``[time, text]`` each, where the text is one or more lines; ``bars``: the newest lines that
        match ``bar``; ``files``: see `metric_files.look`; ``cursor``; ``more``: whether there is more
        already; ``ended``: whether the run has; ``wishes``: what it was started with; ``took``: seconds.

    Raises:
        ValueError: there is no such run, or a pattern is none.
    """
    run, began = RunDir(state, run_id), time.monotonic()
    record = run.record()
    if record is None:
        raise ValueError(f"there is no run {run_id} here")
    own = record.get("metric_wishes") or {}
    try:
        patterns = [*wanted["patterns"], *(own.get("regexes") or ())]
        lines = Lines(patterns, "" if own.get("names") or own.get("regexes") else wanted["words"])
        bar = re.compile(wanted["bar"].encode()).search
    except re.error as error:
        raise ValueError(f"a pattern of metrics can't be used: {error}") from None
    if record.get("state") not in FINAL_STATES and why_lost(record) is not None:
        record["state"] = "lost"
    deadline = began + float(wanted["seconds"])
    answer = _from_log(run, record, cursor, lines, bar, int(wanted["room"]), deadline)
    ended = record["state"] in FINAL_STATES
    root = os.path.join(expand(str(record["workspace"])), str(record.get("cwd") or ""))
    files = [*wanted["files"], *(own.get("files") or ())]
    room = int(wanted["room"]) - sum(len(text) for _, text in answer["lines"])
    told = look(root, files, record, cursor.get("files") or {}, lines, room, deadline, ended)
    answer["files"], answer["cursor"]["files"] = told["news"], told["cursor"]
    answer["more"] = answer["more"] or told["more"]
    return dict(answer, ended=ended, wishes=own, took=time.monotonic() - began)


def _from_log(
    run: RunDir,
    record: dict[str, Any],
    cursor: dict[str, Any],
    lines: Lines,
    bar: Any,
    room: int,
    deadline: float,
) -> dict[str, Any]:
    # The log says the end before the record does.
    record.update(cursor.get("end") or {})
    place = cursor.get("place")
    reader = LogReader(run, int(cursor.get("seq", 0)), place=place and tuple(place), joins=False)
    rest = {kind: str(text).encode("latin-1") for kind, text in (cursor.get("rest") or {}).items()}
    recent: dict[str, bytes] = {}
    found: list[list[Any]] = []
    more, first, moment = True, True, float(cursor.get("moment", 0.0))
    try:
        while first or reader.within or (room > 0 and time.monotonic() < deadline):
            first = False
            events, payload = reader.batch(min(READ, max(room, LONGEST)))
            if not events:
                more = False
                break
            at = 0
            for event in events:
                data, moment = payload[at : at + event.get("n", 0)], event["t"]
                at += len(data)
                kind = event["kind"]
                if kind == "gap":
                    rest.clear()
                elif kind == "end":
                    record.update(state=event["state"], ended=moment)
                elif kind in OUTPUT_KINDS:
                    data = rest.get(kind, b"") + data.replace(b"\r", b"\n")
                    end = data.rfind(b"\n") + 1
                    recent[kind], rest[kind] = data, data[end : end + LONGEST + 1]
                    text = "".join(lines.find(data[:end]))
                    if text:
                        found.append([moment, text])
                        room -= len(text) + 20
        # Of one that was killed the last line may be half of what it was to be.
        if record["state"] == "finished" and not more:
            for data in rest.values():
                found += ([moment, text] for text in lines.find(data))
            rest.clear()
        bars = [text for data in recent.values() for text in _newest(bar, data)]
        told = {"seq": reader.seq, "place": reader.place or place, "moment": moment}
        told["end"] = (
            {key: record.get(key) for key in ("state", "ended")} if reader.ended else cursor.get("end")
        )
        told["rest"] = {kind: data.decode("latin-1") for kind, data in rest.items()}
        return {"lines": found, "bars": bars, "more": more, "cursor": told}
    finally:
        reader.close()


def _newest(bar: Any, data: bytes) -> Iterator[str]:
    for line in reversed(data[-RECENT:].split(b"\n")):
        if bar(line):
            yield line.decode("utf-8", "replace")
            return
