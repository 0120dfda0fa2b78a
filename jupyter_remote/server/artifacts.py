"""The files that runs made and that are here: which there are, and the bytes of one. Used in threads.

What a page may read is decided here: files that a pull has brought from the run's mirror into the folder the
run was started from, and nothing else. So no path that a page makes up leads anywhere.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..agent.entry import STATE_FOLDER
from ..agent.patterns import Patterns
from ..artifacts import Artifacts
from ..errors import RemoteError
from ..hostlink import HostLink
from ..sync.pulled import Pulled, source_of
from ..whereabouts import Found
from .places import below
from .problems import Invalid, NotFound, NotNow

MOST = 5000
# A file that is written while its run ends may be a moment younger.
_LATE_S = 5.0


@dataclass(frozen=True)
class Download:
    """A file that is open for reading."""

    name: str
    size: int
    file: BinaryIO


def listing(found: Found, link: HostLink | None) -> dict[str, Any]:
    """``Artifacts`` of rest-api.yml.

    Args:
        found: the run.
        link: to its host, if there is one: what matches there now is named too.
    """
    folder = _folder(found)
    known = {}
    for path, row in _rows(found).items():
        here = folder is not None and (folder / path).is_file()
        known[path] = {"path": path, "size": row[1], "mtime": row[2] / 1e9, "local": here}
    for path, size, mtime in _there(found, link):
        old = known.get(path)
        if old is None or (old["size"], old["mtime"]) != (size, mtime):
            known[path] = {"path": path, "size": size, "mtime": mtime, "local": False}
    return {"run": found.id, "artifacts": [known[path] for path in sorted(known)[:MOST]]}


def _there(found: Found, link: HostLink | None) -> list[tuple[str, int, float]]:
    if link is None or not found.row.get("mirror"):
        return []
    record = {**found.row, "workspace": found.row["mirror"]}
    patterns = [*link.host.sync.pull, *_own(found)]
    try:
        seen = Artifacts(link, record, patterns, Path()).there()
    except RemoteError:
        return []  # what is here is known nevertheless
    return [(one.path, one.size, one.mtime) for one in seen]


def _own(found: Found) -> list[str]:
    options = found.row.get("options")
    told = json.loads(options) if isinstance(options, str) else options or {}
    return [str(pattern) for pattern in told.get("pull") or ()]


def opened(found: Found, path: str) -> Download:
    """One of them.

    Args:
        found: the run.
        path: as `listing` names it.

    Raises:
        NotFound: it is none of the run's, or is here no more.
        NotNow: the folder that it was brought to is not on this machine.
    """
    folder = _folder(found)
    if folder is None:
        raise NotNow(f"run {found.id} was started from a folder that is not here")
    if path not in _rows(found):
        raise NotFound(
            f"run {found.id} has no artifact {path[:200]!r} here", hint="Pull it from its host first."
        )
    try:
        place = below(folder, path)
        fd = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, Invalid):
        raise NotFound(f"{path[:200]!r} is here no more", hint="Pull it again.") from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotFound(f"{path[:200]!r} is no file any more")
    return Download(path.rpartition("/")[2], status.st_size, os.fdopen(fd, "rb"))


def _folder(found: Found) -> Path | None:
    project = found.row.get("project")
    return Path(project) if project and Path(project).is_dir() else None


def _rows(found: Found) -> dict[str, Any]:
    """What pulls have brought of a run: written while it went on, or named by its own patterns."""
    folder, mirror = _folder(found), found.row.get("mirror")
    if folder is None or not mirror:
        return {}
    source = source_of(found.host, mirror)
    patterns = _own(found)
    own = Patterns(patterns) if patterns else None
    began = found.row.get("started") or found.row.get("created") or 0.0
    until = found.row.get("ended") or float("inf")
    rows = Pulled(str(folder / STATE_FOLDER)).rows()
    return {
        path: row
        for path, row in rows.items()
        if row[0] == source
        and len(row) == 7
        and (began - 1 <= row[2] / 1e9 <= until + _LATE_S or (own is not None and own.cover(path)))
    }
