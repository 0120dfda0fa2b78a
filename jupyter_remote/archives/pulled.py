"""Runs that were brought here from an archive: which, where, and what they say. No host is asked for that.

A run's folder is the user's, who may move or remove it; what is remembered in Jupyter's data folder is only
where it was put. What is in such a folder says `gather.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent import messages as m
from ..agent.logreader import LogReader
from ..agent.rundir import RUN_ID, RunDir
from ..agent.tail import last_lines, newest
from ..agent.wire import Frame
from ..config_models import HostConfig
from ..errors import ArchiveError, UsageError
from ..run import Run
from .kept import RUN, WHOLE

if TYPE_CHECKING:
    from ..events import Event
    from ..remote import Remote

_BATCH = 1 << 18
_OF_THE_END = ("state", "exit_code", "seconds", "reason", "in_env")


@dataclass(frozen=True)
class Pulled:
    """A run whose folder is here.

    Args:
        id: of the run.
        folder: where it is.
    """

    id: str
    folder: Path

    @property
    def directory(self) -> RunDir:
        """The run's directory, as its host had it."""
        return RunDir("", self.id, path=str(self.folder / RUN))

    def whole(self) -> dict[str, Any]:
        """All that is known of it, as `records.whole` says of one on a host.

        Raises:
            ArchiveError: the folder has been changed, and doesn't say.
        """
        try:
            told = json.loads((self.folder / WHOLE).read_bytes())
            if told["record"]["id"] == self.id and isinstance(told["code"], str):
                return dict(told)
        except (OSError, ValueError, TypeError, LookupError):
            pass
        raise ArchiveError(
            f"{self.folder / WHOLE} is not what was archived of run {self.id}",
            hint="Remove that folder and pull the run again; with --host its host is asked.",
        )

    @property
    def host(self) -> str:
        """Where it ran, as the one who started it called it."""
        return str(self.whole()["record"].get("host") or "")

    def log(self, lines: int | None = None, rank: int | None = None) -> Iterator[bytes]:
        """What it has printed, in pieces; arguments as of `Remote.log`.

        Raises:
            UsageError: it has no such rank.
        """
        run = self.directory
        path, end = run.output_path, newest(run)[1]
        if rank is not None:
            from ..agent.ranklog import find

            try:
                path, end = find("", run, self.whole()["record"], rank)
            except ValueError as error:
                raise UsageError(str(error)) from None
        return last_lines(path, lines, end)

    def replay(self, *, only_end: bool = False) -> tuple[Remote, Run]:
        """The run, for who wants to see it as it was, and a host that stands for its own and is never asked.

        Args:
            only_end: nothing of what it printed.
        """
        from ..remote import Remote

        record = self.whole()["record"]
        remote = Remote(HostConfig(name=self.host or "archive"), Path.cwd())
        run = PulledRun(remote, record, self.directory)
        if only_end:
            run.interrupt()
        return remote, run


class PulledRun(Run):
    """A run whose events are read from a folder here; there is nothing to interrupt, answer or watch."""

    def __init__(self, remote: Remote, record: dict[str, Any], directory: RunDir) -> None:
        self._film = _Film(record, directory)
        super().__init__(remote.link, record, self._film)

    def question(self) -> int | None:
        return None

    def interrupt(self) -> None:
        """Shows no more of it: the end comes next."""
        self._film.cut = True

    def _watched(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _note(self, event: Event) -> None:
        if event.kind != "job":  # its scheduler has told everything
            super()._note(event)


class _Film:
    """What a stream of a connection is to a run: its events, and then its end."""

    def __init__(self, record: dict[str, Any], directory: RunDir) -> None:
        self.over = False
        self.cut = False
        self._record = record
        self._reader = LogReader(directory)

    def receive(self) -> Frame:
        try:
            events, payload = ([], b"") if self.cut else self._reader.batch(_BATCH)
        except (OSError, ValueError, LookupError) as error:
            raise ArchiveError(f"the log of run {self._record['id']} is broken here: {error}") from None
        if not events:
            # The run was lost or is cut off here: its record says what the log does not.
            end = {key: self._record.get(key) for key in _OF_THE_END}
            end |= {"exit_code": end["exit_code"] or 0, "seconds": end["seconds"] or 0}
            moment = self._record.get("ended") or 0
            events = [{"seq": self._reader.seq + 1, "t": moment, "kind": "end", **end}]
        return Frame(0, m.Events(events), payload)

    def close(self) -> None:
        self._reader.close()

    def deliver(self, frame: Frame | None) -> None:
        """Nobody waits for what is all here."""


def remember(run_id: str, folder: Path) -> None:
    """Notes where a run was put.

    Raises:
        ArchiveError: it can't be written down.
    """
    place = _notes()
    try:
        place.mkdir(0o700, parents=True, exist_ok=True)
        part = place / f".{run_id}.{os.getpid()}"
        part.write_text(str(folder.resolve()), encoding="utf-8")
        part.replace(place / run_id)
    except OSError as error:
        raise ArchiveError(f"{place} can't be written: {error.strerror}") from None


def pulled(prefix: str) -> list[Pulled]:
    """The runs that are here and whose id begins so; a folder that has gone may come back."""
    place = _notes()
    try:
        names = sorted(note.name for note in place.iterdir())
    except OSError:
        return []
    found = []
    for name in names:
        if not name.startswith(prefix) or not RUN_ID.fullmatch(name):
            continue
        try:
            folder = Path((place / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if (folder / WHOLE).is_file():
            found.append(Pulled(name, folder))
    return found


def _notes() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "remote" / "pulled"
