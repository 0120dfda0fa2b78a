"""Noticing what changes in a workspace between two scans, so that a scan needn't look at every file.

What a watcher promises, and which system has one. The systems' own ways are in modules of their own
(`inotify.py`); what is done with the answer is said in `scan.py`, which looks at everything where there is
no watcher, where a watcher has lost count, and now and then to check it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


class WatchFailed(Exception):
    """Nothing can be watched any more; the text says why, in words for the user."""


@dataclass
class Changes:
    """What may have changed; paths are relative to the workspace, "" is the workspace itself.

    Args:
        paths: files and folders that something happened to.
        folders: folders of which nothing is known: everything directly in them may have changed.
    """

    paths: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)


class Watcher(Protocol):
    """Watches folders for one scanner; not safe to share between threads."""

    def follow(self, folders: Iterable[str]) -> None:
        """From now on these folders are watched and no others. What is new comes with the next changes.

        Raises:
            WatchFailed: the system refuses.
        """

    def changes(self) -> Changes | None:
        """What may have changed since the last call: all that was done before this call began.

        None when that isn't known, so that everything has to be looked at.

        Raises:
            WatchFailed: the system refuses.
        """

    def close(self) -> None:
        """Watches no more."""


def watch(root: str) -> Watcher | None:
    """A watcher for a workspace; None where this system has none that sees every change.

    Args:
        root: absolute path of the workspace.

    Raises:
        WatchFailed: it has one and refuses it.
    """
    system: str = sys.platform
    if system == "linux":
        from .inotify import Inotify, sees_everything

        return Inotify(root) if sees_everything(root) else None
    return None
