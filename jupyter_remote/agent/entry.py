"""The words of a file tree: entries, manifests, the rules for paths, and the errors of all that.

Both ends use these. Nothing here touches a disk. Paths are relative, POSIX, ``str``; bytes that are not
UTF-8 are kept as lone surrogates (``surrogateescape``), which JSON escapes and brings back unharmed.
"""

from __future__ import annotations

import hashlib

from .namedtuples import NamedTuple

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Sequence

FILE, LINK, DIR = "file", "link", "dir"
STATE_FOLDER = ".jupyter-remote"
_DIGEST_SIZE = 20


class TreeError(Exception):
    """Root of the errors of a tree and of its mirror."""


class BadPath(TreeError):
    """A path that must not be written: absolute, with ``..``, with NUL, or our own folder."""


class BadContent(TreeError):
    """Content that is not what its entry says it is."""


class Stale(TreeError):
    """The mirror has moved on; ``current`` is its generation now. Nothing was done."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the mirror is at generation {current}")
        self.current = current


class Entry(NamedTuple):
    """One file, link or folder.

    Args:
        kind: ``file``, ``link`` or ``dir``.
        mode: permission bits (0 for links, which have none of their own).
        size: bytes of content (0 unless a file).
        digest: :func:`new_digest` of the content in hex ("" unless a file).
        target: where a link points ("" unless a link).
    """

    kind: str
    mode: int = 0
    size: int = 0
    digest: str = ""
    target: str = ""


if TYPE_CHECKING:
    Manifest = dict[str, Entry]
else:  # Python 3.8 can't evaluate that.
    Manifest = dict


class _Digest:
    __slots__ = ("_hash", "update")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.update = self._hash.update

    def hexdigest(self) -> str:
        return self._hash.hexdigest()[: 2 * _DIGEST_SIZE]


def new_digest() -> _Digest:
    """The hash that names content: the first 20 bytes of SHA-256.

    Most processors have instructions for it, and then it takes half the time of BLAKE2b.
    """
    return _Digest()


def encode_path(path: str) -> bytes:
    """The bytes of a path on the host, whatever the host's locale says.

    Raises:
        BadPath: the text stands for no bytes.
    """
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadPath(f"{path!r} is not a name that a file can have") from None


def check_path(path: str) -> str:
    """Returns the path when it may be written below the root of a workspace.

    Raises:
        BadPath: it leads out, is ambiguous, or is inside our own folder.
    """
    parts = path.split("/")
    if "\0" in path or "" in parts or "." in parts or ".." in parts:
        raise BadPath(f"{path!r} is not a path inside the workspace")
    # Hosts may fold case; then this would be our folder too.
    if parts[0].lower() == STATE_FOLDER:
        raise BadPath(f"{path!r} is inside the folder that belongs to the sync itself")
    encode_path(path)
    return path


def parse_entry(values: Sequence[Any]) -> Entry:
    """The entry of a JSON list, checked field by field.

    Raises:
        ValueError: it is not an entry.
    """
    kind, mode, size, digest, target = values
    if kind not in (FILE, LINK, DIR):
        raise ValueError(f"unknown kind {kind!r}")
    if type(mode) is not int or not 0 <= mode <= 0o777:
        raise ValueError(f"not a mode: {mode!r}")
    if type(size) is not int or not 0 <= size < 2**63:
        raise ValueError(f"not a size: {size!r}")
    if type(digest) is not str or type(target) is not str:
        raise ValueError("digest and target must be text")
    if kind == FILE and (len(digest) != 2 * _DIGEST_SIZE or digest.strip("0123456789abcdef")):
        raise ValueError(f"not a digest: {digest!r}")
    if kind != FILE and size:
        raise ValueError("only files have content")
    if kind == LINK and (not target or "\0" in target):
        raise ValueError(f"not a link target: {target!r}")
    return Entry(kind, mode, size, digest, target)
