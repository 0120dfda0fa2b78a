"""The digests of a workspace's files, kept on disk so that a restarted kernel doesn't read the files again.

One file per workspace and set of rules, replaced whole: several processes may use it, the last one to write
wins, and each one's content is right. It is a cache that is never believed: a row counts only as long as
the file's times, size, inode and mode are the ones in it, and a file that isn't exactly as written here is
no file. Only the format and the file; when it is read and written is said in `scan.py`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from .folder import Mark

Row = tuple[str, Mark, str]

# To be changed with the format, or the digest: other files are then not ours.
_MAGIC = b"jupyter-remote index 2 " + sys.byteorder.encode("ascii") + b"\n"
_SUM = 16
_NUMBERS = 5
_DIGEST = 40
_UNUSED_S = 90 * 24 * 3600
_SUFFIX = ".index"


def index_file(root: str, *rules: Sequence[str]) -> Path:
    """Where the digests of a workspace are kept.

    Args:
        root: absolute path of the workspace.
        rules: what else decides which files there are, so that two sets don't replace each other's rows.
    """
    from jupyter_core.paths import jupyter_data_dir

    name = blake2b(repr((root, rules)).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return Path(jupyter_data_dir()) / "remote" / "index" / (name + _SUFFIX)


def load(path: Path, root: str) -> Iterable[Row]:
    """The rows of an index; none when it isn't there, is torn, of another version or of another workspace.

    Args:
        path: of the file.
        root: the workspace that it must be about.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return ()
    start = len(_MAGIC) + _SUM
    body = memoryview(content)[start:]
    if not content.startswith(_MAGIC) or _sum(body) != content[len(_MAGIC) : start]:
        return ()
    # The sum says that these are the bytes that were written; that they fit together follows.
    lengths = array("q", body[:24].tobytes())
    count, paths_size, root_size = lengths
    at = 24 + root_size
    if body[24:at] != _encode(root):
        return ()
    numbers = array("q", body[at : at + 8 * _NUMBERS * count].tobytes())
    at += 8 * _NUMBERS * count
    paths = bytes(body[at : at + paths_size]).decode("utf-8", "surrogatepass").split("\0")
    digests = body[at + paths_size :].hex()
    marks = zip(*[iter(numbers)] * _NUMBERS, strict=True)
    return zip(
        paths, marks, (digests[i : i + _DIGEST] for i in range(0, len(digests), _DIGEST)), strict=False
    )


def save(path: Path, root: str, rows: Sequence[Row]) -> bool:
    """Replaces an index. False when that wasn't possible; it is only a cache.

    Args:
        path: of the file; its folder is made.
        root: the workspace that it is about.
        rows: path relative to the workspace, mark, digest in hex.
    """
    paths = _encode("\0".join(row[0] for row in rows))
    numbers = array("q")
    try:
        for row in rows:
            numbers.extend(row[1])
    except OverflowError:
        return False  # Windows has inodes beyond 63 bits
    lengths = array("q", (len(rows), len(paths), len(_encode(root))))
    digests = bytes.fromhex("".join(row[2] for row in rows))
    body = b"".join((lengths.tobytes(), _encode(root), numbers.tobytes(), paths, digests))
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=path.parent, suffix=_SUFFIX)
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(_MAGIC + _sum(body) + body)
        os.replace(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        return False
    _remove_unused(path)
    return True


def _remove_unused(kept: Path) -> None:
    """Removes the indexes of workspaces that are gone, and what killed processes left."""
    with contextlib.suppress(OSError):
        for path in kept.parent.glob("*" + _SUFFIX):
            if path != kept and time.time() - path.stat().st_mtime > _UNUSED_S:
                path.unlink()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _sum(body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=_SUM).digest()
