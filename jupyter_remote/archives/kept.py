"""What the name of an index object says of a run that is kept, so that a listing reads no object. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ..agent.rundir import RUN_ID

INDEX, DELETED = "index", "deleted"
# What is in the folder of a run, see `gather.py`.
WHOLE, RUN, ARTIFACTS = "whole.json", "run", "artifacts"
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A file's name has at most 255 bytes, and the digest and the numbers need some 130 of them.
_LONGEST = 50


@dataclass(frozen=True)
class Kept:
    """One run in an archive.

    Args:
        id: of the run.
        manifest: digest of the list of its files.
        state, exit_code: how it ended.
        size, files: of all that is kept of it.
        pushed: when, seconds since the epoch.
        host, label: shortened where they are long.
    """

    id: str
    manifest: str
    state: str
    exit_code: int | None
    size: int
    files: int
    pushed: int
    host: str
    label: str

    def name(self, place: str = INDEX) -> str:
        """The name of its index object."""
        code = "" if self.exit_code is None else str(self.exit_code)
        words = [self.manifest, self.state, code, str(self.size), str(self.files), str(self.pushed)]
        words += [_short(self.host), _short(self.label)]
        return f"{place}/{self.id}/{'~'.join(words)}"


def kept(record: Mapping[str, Any], manifest: str, size: int, files: int, pushed: int) -> Kept:
    """What is said of a run.

    Args:
        record: its record.
        manifest: the name of the list of its files.
        size: bytes of all files together.
        files: how many there are.
        pushed: when it was put there, seconds since the epoch.
    """
    code = record.get("exit_code")
    return Kept(
        str(record["id"]),
        manifest,
        str(record.get("state") or ""),
        code if isinstance(code, int) else None,
        size,
        files,
        pushed,
        str(record.get("host") or ""),
        str(record.get("label") or ""),
    )


def parse(name: str) -> Kept | None:
    """The run of an index object, None for a name that is none."""
    _, _, rest = name.partition("/")
    run_id, _, words = rest.partition("/")
    parts = words.split("~")
    if not RUN_ID.fullmatch(run_id) or len(parts) != 8 or not _DIGEST.fullmatch(parts[0]):
        return None
    manifest, state, code, size, files, pushed, host, label = parts
    try:
        exit_code = int(code) if code else None
        numbers = int(size), int(files), int(pushed)
    except ValueError:
        return None
    return Kept(run_id, manifest, state, exit_code, *numbers, unquote(host), unquote(label))


def _short(text: str) -> str:
    # `~` divides, and `quote` leaves it alone.
    while len(quoted := quote(text, safe="").replace("~", "%7E")) > _LONGEST:
        text = text[:-1]
    return quoted
