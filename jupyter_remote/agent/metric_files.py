"""Files of metrics that a run writes: found by pattern, and what was added to them since the last look."""

from __future__ import annotations

import binascii
import os
import stat
import struct
import time

from .patterns import Patterns

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from .metrics import Lines

# Folders in which nobody looks for them.
_SKIPPED = frozenset(("node_modules", "__pycache__", "site-packages"))
_DEEPEST = 12
_MOST = 200
_BLOCK = 1 << 18
# Clocks of file servers differ from ours, and coarse ones round down.
_SLACK = 2.0
# A look at all names may take a twentieth of the time.
_SHARE = 20
_MARK = 64
_FRAME = struct.Struct("<Q")
# Scalars are small; pictures, histograms and graphs are passed over.
_SCALAR = 1 << 14


def look(
    root: str,
    patterns: Sequence[str],
    record: dict[str, Any],
    cursor: dict[str, Any],
    lines: Lines,
    room: int,
    deadline: float,
    ended: bool,
) -> dict[str, Any]:
    """What was added to the files that match and were changed while the run ran.

    Args:
        room: bytes that may be returned.
        deadline: a moment of ``time.monotonic``.
        ended: whether the run has, so that a last line without an end counts.

    Returns:
        ``news``: ``{path, kind, fresh, time, data}`` each, where ``kind`` is ``rows`` (text, whole lines),
        ``lines`` (a list of those that match) or ``events`` (records of TensorBoard's, base64), and
        ``fresh`` says that the file is another one than before; ``cursor``; ``more``.
    """
    began = float(record.get("started") or record.get("created") or 0) - _SLACK
    until = float(record.get("ended") or 0) + _SLACK if ended and record.get("ended") else float("inf")
    whole = record.get("state") == "finished"  # of one that was killed the last line may be half a line
    known = dict(cursor.get("known") or {})
    looked, took, final = cursor.get("looked", 0.0), cursor.get("took", 0.0), cursor.get("final", False)
    if not final and (ended or not looked <= time.time() < looked + max(1.0, took * _SHARE)):
        start = time.monotonic()
        for path in _matching(root, Patterns(patterns), start + (2.0 if ended else 0.2)):
            if len(known) < _MOST:
                known.setdefault(path, [0, -1, 0, ""])
        looked, took, final = time.time(), time.monotonic() - start, ended
    news: list[dict[str, Any]] = []
    more = False
    for path in sorted(known):
        if room <= 0 or time.monotonic() > deadline:
            more = True
            break
        told = _read(os.path.join(root, path), path, known[path], (began, until), lines, room, whole)
        if told is not None:
            known[path] = told.pop("known")
            more = more or told.pop("more")
            room -= len(told["data"]) if isinstance(told["data"], str) else sum(map(len, told["data"]))
            if told["data"] or told["fresh"]:
                news.append(told)
    return {
        "news": news,
        "more": more,
        "cursor": {"known": known, "looked": looked, "took": took, "final": final},
    }


def _matching(root: str, patterns: Patterns, deadline: float) -> Iterator[str]:
    stack = [("", 0)]
    while stack and time.monotonic() < deadline:
        below, depth = stack.pop()
        try:
            with os.scandir(os.path.join(root, below)) as entries:
                for entry in entries:
                    path = below + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if depth < _DEEPEST and entry.name[0] != "." and entry.name not in _SKIPPED:
                            stack.append((path + "/", depth + 1))
                    elif patterns.cover(path) and entry.is_file(follow_symlinks=False):
                        yield path
        except OSError:
            pass  # gone, or not for us


def _read(
    place: str, path: str, known: list[Any], times: tuple[float, float], lines: Lines, room: int, over: bool
) -> dict[str, Any] | None:
    offset, size, mtime, mark = known
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(fd)
        same = (facts.st_size, facts.st_mtime_ns) == (size, mtime)
        if not stat.S_ISREG(facts.st_mode) or not times[0] <= facts.st_mtime <= times[1] or offset < 0:
            return None
        if same and (offset == size or not over):
            return None
        past = binascii.unhexlify(mark)
        fresh = offset > facts.st_size or os.pread(fd, len(past), max(offset - len(past), 0)) != past
        at = 0 if fresh else offset
        data = os.pread(fd, min(max(room, 1 << 12), _BLOCK), at)
        size_read = len(data)
        events = "events.out.tfevents" in os.path.basename(path)
        content: Any
        if events:
            content, used, broken = _frames(data, facts.st_size - at)
        else:
            whole = over and at + len(data) == facts.st_size
            used = len(data) if whole else data.rfind(b"\n") + 1
            if not used and len(data) >= 1 << 12 and at + len(data) < facts.st_size:
                used, data = len(data), b""  # no line is as long as that
            content, broken = data[:used], False
        end = at + used
        more = not broken and used > 0 and max(at + size_read, end) < facts.st_size
        past = os.pread(fd, min(_MARK, end), max(end - _MARK, 0))
    finally:
        os.close(fd)
    told: dict[str, Any] = {"path": path, "fresh": fresh and offset > 0, "time": facts.st_mtime, "more": more}
    told["known"] = [
        -1 if broken else end,
        -1 if more else facts.st_size,
        facts.st_mtime_ns,
        binascii.hexlify(past).decode(),
    ]
    if events:
        return dict(told, kind="events", data=binascii.b2a_base64(content, newline=False).decode())
    if path.endswith((".csv", ".tsv", ".jsonl", ".ndjson")):
        return dict(told, kind="rows", data=content.decode("utf-8", "replace"))
    return dict(told, kind="lines", data=list(lines.find(content.replace(b"\r", b"\n"))))


def _frames(data: bytes, size: int) -> tuple[bytes, int, bool]:
    """The small records of a file of events, as they stand there: length, checksum, content, checksum.

    Returns:
        The records, how many bytes they and what is passed over take, and whether the file is broken.
    """
    at = 0
    pieces: list[bytes] = []
    while at + 12 <= len(data):
        length = _FRAME.unpack_from(data, at)[0]
        if length > 1 << 40:
            return b"".join(pieces), at, True
        end = at + length + 16
        if end > size or (length <= _SCALAR and end > len(data)):
            break
        if length <= _SCALAR:
            pieces.append(data[at:end])
        at = end
    return b"".join(pieces), at, False
