"""The end of a run's printed output, found from behind: how long the log is makes no difference."""

from __future__ import annotations

import json
import os

from .rundir import OUTPUT_KINDS, RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import BinaryIO, Iterator

BLOCK = 1 << 16
PIECE = 1 << 17


def newest(run: RunDir) -> tuple[int, int]:
    """The newest event's number, and where in ``output.log`` what was printed up to it ends."""
    seq = -1
    try:
        with open(run.events_path, "rb") as file:
            for line in _lines_backwards(file):
                event = json.loads(line)
                seq = max(seq, event["seq"])
                if event["kind"] in OUTPUT_KINDS:
                    return seq, event["at"] + event["n"]
    except FileNotFoundError:
        pass
    return max(seq, 0), 0


def last_lines(path: str, count: int | None, end: int) -> Iterator[bytes]:
    """What stands in an ``output.log`` up to ``end``, in pieces: the last ``count`` lines, or all of it."""
    if end == 0:
        return
    with open(path, "rb") as file:
        at = 0 if count is None else _start_of(file, count, end)
        file.seek(at)
        while at < end:
            piece = file.read(min(PIECE, end - at))
            if not piece:
                return
            at += len(piece)
            yield piece


def _start_of(file: BinaryIO, count: int, end: int) -> int:
    if count <= 0:
        return end
    at, wanted = end, count
    while at > 0:
        size = min(BLOCK, at)
        at -= size
        file.seek(at)
        block = file.read(size)
        # The newline that ends the last line begins no other one.
        stop = size - 1 if at + size == end else size
        while (found := block.rfind(b"\n", 0, stop)) >= 0:
            wanted -= 1
            if wanted == 0:
                return at + found + 1
            stop = found
    return 0


def _lines_backwards(file: BinaryIO) -> Iterator[bytes]:
    at = file.seek(0, os.SEEK_END)
    rest = b""
    first = True
    while at > 0:
        size = min(BLOCK, at)
        at -= size
        file.seek(at)
        lines = (file.read(size) + rest).split(b"\n")
        rest = lines.pop(0)
        if lines and first:
            lines.pop()  # what is being written just now, or nothing
            first = False
        yield from (line for line in reversed(lines) if line)
    if rest and not first:
        yield rest
