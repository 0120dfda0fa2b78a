"""Which file systems a workspace lies on, by Linux's own list: whether its kernel sees every change there."""

from __future__ import annotations

import os

_LIST = "/proc/self/mountinfo"
# On all others (NFS, SMB, FUSE, 9p, virtiofs...) somebody else can change files and nobody here is told.
_LOCAL = {
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"f2fs",
    b"bcachefs",
    b"zfs",
    b"tmpfs",
    b"overlay",
}
_ESCAPED = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))


def mounts() -> bytes:
    """The list of mounts as it is now; b"" where there is none."""
    try:
        with open(_LIST, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""


def is_local(root: str, listed: bytes) -> bool:
    """Whether a folder, with all that is below it, lies on one file system that this kernel alone changes.

    Args:
        root: absolute path, links resolved.
        listed: from :func:`mounts`.
    """
    place, on, kind = os.fsencode(root), b"", b""
    for line in listed.splitlines():
        before, _, after = line.partition(b" - ")
        point = before.split(b" ")[4]
        for escaped, char in _ESCAPED:
            point = point.replace(escaped, char)
        if _is_below(point, place) and point != place:
            return False
        # Of two on the same point the later one is on top.
        if _is_below(place, point) and len(point) >= len(on):
            on, kind = point, after.split(b" ")[0]
    return kind in _LOCAL


def _is_below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")
