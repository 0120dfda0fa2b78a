"""Which files of a workspace are the host's own, because a pull brought them, and what became of them.

What pulls remember is compared with what the workspace holds, and the host is asked about its side. What
follows from it for a sync is said in `plan.py`; the memory is `pulled.py`.
"""

from __future__ import annotations

import json
import os
import zlib

from ..agent import messages as m
from ..agent.entry import DIR, FILE, LINK, STATE_FOLDER, Manifest
from ..agent.mirror_index import CHANGED, MISSING, SAME
from ..connection import Connection, Stream
from ..errors import ProtocolError
from .plan import Brought
from .pulled import Pulled, Row, is_edited_file, is_unedited

# Rows of one question: compressed they fit a frame, whatever their names are.
_AT_ONCE = 5000
_STATES = {state[0]: state for state in (SAME, CHANGED, MISSING)}
# Of what is told with a change set, in bytes: some thousand edited files.
_LARGEST_YIELDS = 1 << 18


class BroughtFiles:
    """What pulls brought into a workspace from one mirror.

    Args:
        root: the workspace.
        mirror: path of the mirror on the host.
        source: host and mirror, see `pulled.source_of`.
    """

    def __init__(self, root: str, mirror: str, source: str) -> None:
        self._pulled = Pulled(os.path.join(root, STATE_FOLDER))
        self._mirror = mirror
        self._source = source
        # path -> (the row that was asked about, what became of the host's side).
        self._states: dict[str, tuple[Row, str]] = {}

    def ask(self, connection: Connection) -> list[tuple[Stream, list[tuple[str, Row]]]]:
        """Sends the questions about everything that is remembered; :meth:`read` takes the answers."""
        rows = [(path, row) for path, row in self._pulled.rows().items() if row[0] == self._source]
        asked = []
        for at in range(0, len(rows), _AT_ONCE):
            part = rows[at : at + _AT_ONCE]
            wanted = json.dumps([_wanted(path, row) for path, row in part], separators=(",", ":"))
            payload = zlib.compress(wanted.encode("ascii"), 1)
            asked.append((connection.request(m.Look(self._mirror), payload), part))
        return asked

    def read(self, asked: list[tuple[Stream, list[tuple[str, Row]]]]) -> None:
        """Takes the host's answers.

        Args:
            asked: each request, and the rows that it asked about.

        Raises:
            ProtocolError: one is none.
        """
        self._states = {}
        for stream, part in asked:
            try:
                answer = stream.receive().message
            finally:
                stream.close()
            told = (answer.data or {}).get("states") if isinstance(answer, m.Facts) else None
            if type(told) is not str or len(told) != len(part) or not _STATES.keys() >= set(told):
                raise ProtocolError("the host doesn't say what became of the files that were pulled")
            for (path, row), letter in zip(part, told, strict=True):
                self._states[path] = row, _STATES[letter]

    def compare(self, manifest: Manifest) -> dict[str, Brought]:
        """What of the workspace was pulled from this mirror, for :func:`plan.plan`."""
        found = {}
        for path, row in self._pulled.rows().items():
            entry = manifest.get(path)
            if entry is None or row[0] != self._source:
                continue
            unedited = is_unedited(row, entry)
            if unedited or is_edited_file(row, entry):
                asked, state = self._states.get(path, (row, SAME))
                # What was pulled after the question is as the host had it.
                found[path] = Brought(not unedited, state if asked == row else SAME)
        return found

    def yields(self, paths: list[str]) -> dict[str, list[int]] | None:
        """Size and time of the host's files that were edited here: they give way if they are like this."""
        told: dict[str, list[int]] = {}
        room = _LARGEST_YIELDS
        for path in paths:
            room -= 6 * len(path) + 40
            if room < 0:
                break  # the rest is kept aside there, which loses nothing
            told[path] = self._pulled.get(path)[1:3]
        return told or None

    def forget(self, paths: list[str]) -> None:
        """These are ours from now on: they were edited here, and sent."""
        rows = self._pulled.rows()
        self._pulled.forget([path for path in paths if rows.get(path, [""])[0] == self._source])


def _wanted(path: str, row: Row) -> list[object]:
    if len(row) == 1:
        return [path, DIR, 0, 0, ""]
    if len(row) == 2:
        return [path, LINK, 0, 0, row[1]]
    return [path, FILE, row[1], row[2], ""]
