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


def listing(found: Found) -> dict[str, Any]:
    """``Artifacts`` of rest-api.yml."""
    folder = _folder(found)
    artifacts = []
    for path, row in sorted(_rows(found).items())[:MOST]:
        here = folder is not None and (folder / path).is_file()
        artifacts.append({"path": path, "size": row[1], "mtime": row[2] / 1e9, "local": here})
    return {"run": found.id, "artifacts": artifacts}


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
    options = found.row.get("options")
    patterns = (json.loads(options) if isinstance(options, str) else options or {}).get("pull") or ()
    own = Patterns(list(map(str, patterns))) if patterns else None
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
