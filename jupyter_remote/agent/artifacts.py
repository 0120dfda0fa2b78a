"""The host's side of a pull: say what there is that matches, and send what is asked for.

Nothing is written here, and no link is followed. What the client makes of it is in ``sync/pull.py``.

The answer to a Fetch is a stream in the segments of pack.py. For each path asked for, in that order: a 4-byte
length and a JSON header. After ``["file", offset]`` comes the content from there, then, with a length again,
``[digest of the whole, changed while read]``. The other headers stand alone: ``["same"]``, ``["gone"]``,
``["changed", size, mtime_ns, mode]``, ``["problem", why]``.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
import unicodedata

from .entry import DIR, FILE, LINK, STATE_FOLDER, check_path, encode_path, new_digest
from .mirror_index import CHANGED, MISSING, SAME, RealFolders, look
from .namedtuples import NamedTuple
from .pack import SegmentWriter, incompressible
from .patterns import NOT_TAKEN, Patterns

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

PROBLEM = "problem"
LENGTH = struct.Struct(">I")
# What a name must not be, however it is written: it would be code, or the rules that code is run by.
_PRIVATE = frozenset((".git", "git~1", STATE_FOLDER, STATE_FOLDER + ".yaml"))
_MAX_NAME, _MAX_PATH, _MAX_DEPTH, _MAX_TEXT = 255, 4096, 256, 4096
_BLOCK = 1 << 18
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Found(NamedTuple):
    """Something that matches.

    Args:
        path: relative to the mirror.
        kind: ``file``, ``link``, ``dir`` (an empty folder), or ``problem`` (it can't be looked at).
        mode: permission bits.
        size: bytes of a file.
        mtime_ns: of a file.
        text: where a link points, or what the problem is.
    """

    path: str
    kind: str
    mode: int = 0
    size: int = 0
    mtime_ns: int = 0
    text: str = ""


def is_private(path: str) -> bool:
    """Whether a path is never pulled: git's own, ours, or what some file system takes for the same name."""
    return any(_plain(part) in _PRIVATE for part in path.split("/"))


def parse_found(values: Any) -> Found:
    """A row of the list, checked field by field.

    Raises:
        ValueError, TypeError: it is not one.
        BadPath: its path leads out.
    """
    path, kind, mode, size, mtime_ns, text = values
    if type(path) is not str or type(text) is not str or kind not in (FILE, LINK, DIR, PROBLEM):
        raise ValueError("not a row")
    if type(mode) is not int or not 0 <= mode <= 0o777 or type(size) is not int or not 0 <= size < 2**63:
        raise ValueError(f"the mode or size of {path[:200]!r} is none")
    if type(mtime_ns) is not int or not -(2**63) <= mtime_ns < 2**63:
        raise ValueError(f"the time of {path[:200]!r} is none")
    raw = encode_path(check_path(path))
    names = raw.split(b"/")
    too_long = len(raw) > _MAX_PATH or len(names) > _MAX_DEPTH or max(map(len, names)) > _MAX_NAME
    if too_long or is_private(path):
        raise ValueError(f"{path[:200]!r} is not a path that may be pulled")
    if kind == LINK and (not text or "\0" in text or len(encode_path(text)) > _MAX_TEXT):
        raise ValueError(f"the target of {path[:200]!r} is none")
    return Found(path, kind, mode, size, mtime_ns, text[:_MAX_TEXT])


def order(path: str) -> list[bytes]:
    """What the rows of a list are sorted by, so that a client notices one that comes twice."""
    return encode_path(path).split(b"/")


def find(root: str, patterns: Patterns) -> Iterator[Found]:
    """Everything below a mirror that the patterns ask for, in :func:`order`.

    Args:
        root: absolute path of the mirror; nothing is found when it isn't there.
    """
    base = encode_path(root)
    try:
        names = sorted(os.listdir(base))
    except (FileNotFoundError, NotADirectoryError):
        return
    stack = [(base, (), name, NOT_TAKEN) for name in reversed(names)]  # type: list[Any]
    while stack:
        folder, above, name, decided = stack.pop()
        place = os.path.join(folder, name)
        parts = (*above, name.decode("utf-8", "surrogateescape"))
        if _plain(parts[-1]) in _PRIVATE:
            continue
        path = "/".join(parts)
        try:
            status = os.lstat(place)
        except OSError:
            continue  # gone since the folder was read
        mode = stat.S_IMODE(status.st_mode) & 0o777
        decided = patterns.decide(parts, stat.S_ISDIR(status.st_mode), decided)
        taken = patterns.takes(decided)
        if stat.S_ISDIR(status.st_mode):
            if not taken and not patterns.may_match_below(parts):
                continue
            if len(parts) >= _MAX_DEPTH:
                yield Found(path, PROBLEM, text="the folders are nested too deep")
                continue
            try:
                names = sorted(os.listdir(place))
            except OSError as error:
                yield Found(path, PROBLEM, text=f"the folder can't be read: {error.strerror}")
                continue
            if taken and not names:
                yield Found(path, DIR, mode)
            stack.extend((place, parts, below, decided) for below in reversed(names))
        elif taken and stat.S_ISLNK(status.st_mode):
            yield Found(path, LINK, text=os.readlink(place).decode("utf-8", "surrogateescape"))
        elif taken and stat.S_ISREG(status.st_mode):
            yield Found(path, FILE, mode, status.st_size, status.st_mtime_ns)


def look_at(root: str, wanted: Sequence[Any]) -> str:
    """What became of paths: the first letter of ``same``, ``changed`` or ``missing`` for each.

    Args:
        root: absolute path of the mirror.
        wanted: ``[path, kind, size, mtime_ns, text]`` each, as they were listed.

    Raises:
        ValueError: it is not such a list.
    """
    base = encode_path(root)
    real = RealFolders(base)
    states = []
    for path, kind, size, mtime_ns, text in wanted:
        place = os.path.join(base, encode_path(check_path(path)))
        try:
            status = look(place) if real.lead_to(path) else None
            if status is None:
                states.append(MISSING)
                continue
            if kind == FILE:
                is_file = stat.S_ISREG(status.st_mode)
                same = is_file and (status.st_size, status.st_mtime_ns) == (size, mtime_ns)
            elif kind == DIR:
                same = stat.S_ISDIR(status.st_mode)
            else:
                same = stat.S_ISLNK(status.st_mode) and os.readlink(place) == encode_path(text)
            states.append(SAME if same else CHANGED)
        except OSError:
            states.append(CHANGED)
    return "".join(state[0] for state in states)


def send(root: str, wanted: Sequence[Any], with_content: bool) -> Iterator[bytes]:
    """The answer to a Fetch, in pieces of at most some 256 kB.

    Args:
        root: absolute path of the mirror.
        wanted: ``[path, size, mtime_ns, offset, digest]`` each: as it was listed; where the content is to
            begin; what the client has (then the answer may be ``same``), or "".
        with_content: False for the headers only.

    Raises:
        ValueError: it is not such a list.
    """
    base = encode_path(root)
    segments = SegmentWriter()
    real = RealFolders(base)
    for path, size, mtime_ns, offset, digest in wanted:
        place = os.path.join(base, encode_path(check_path(path)))
        try:
            descriptor = os.open(place, _READ) if real.lead_to(path) else -1
        except OSError as error:
            gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
            answer: list[Any] = ["gone"] if gone else [PROBLEM, f"it can't be read: {error.strerror}"]
            yield from segments.add(_header(answer))
            continue
        if descriptor < 0:
            yield from segments.add(_header(["gone"]))
            continue
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                answer = ["gone"]
            elif (status.st_size, status.st_mtime_ns) != (size, mtime_ns):
                mode = stat.S_IMODE(status.st_mode) & 0o777
                answer = ["changed", status.st_size, status.st_mtime_ns, mode]
            elif digest and _digest(descriptor) == digest:
                answer = ["same"]
            else:
                if with_content:
                    yield from _send_file(segments, descriptor, size, offset)
                    continue
                answer = ["file", size]
            yield from segments.add(_header(answer))
        finally:
            os.close(descriptor)
    yield from segments.flush()


def _send_file(segments: SegmentWriter, descriptor: int, size: int, offset: int) -> Iterator[bytes]:
    yield from segments.add(_header(["file", offset]))
    before = os.fstat(descriptor)
    digest, at, plain = new_digest(), 0, None
    os.lseek(descriptor, 0, os.SEEK_SET)
    while at < size:
        end = offset if at < offset else size
        block = os.read(descriptor, min(_BLOCK, end - at))
        if not block:
            # It was cut short, and so many bytes were promised; the client will throw them away.
            block = bytes(min(_BLOCK, end - at))
        digest.update(block)
        if at >= offset:
            if plain is None:
                plain = incompressible(block)
            yield from segments.add(block, plain)
        at += len(block)
    after = os.fstat(descriptor)
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    yield from segments.add(_header([digest.hexdigest(), changed]))


def _digest(descriptor: int) -> str:
    digest = new_digest()
    while True:
        block = os.read(descriptor, _BLOCK)
        if not block:
            return str(digest.hexdigest())
        digest.update(block)


def _header(values: Sequence[Any]) -> bytes:
    data = json.dumps(values, separators=(",", ":")).encode("ascii")
    return LENGTH.pack(len(data)) + data


def _plain(name: str) -> str:
    """A name as the file systems see it that fold case, drop what is invisible, or what is at the end."""
    if not name.isascii():
        name = "".join(c for c in name if unicodedata.category(c) != "Cf")
    return name.lower().rstrip(" .")
