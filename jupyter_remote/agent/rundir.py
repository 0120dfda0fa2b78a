"""A run is a directory, and its log is the truth: the only module that knows the names in it.

``run.json`` what, when, where, state, exit; ``code`` what was run; ``output.log`` what it printed;
``events.jsonl`` one line an event: ``seq``, ``t`` (seconds since the epoch), ``kind``, and for output
``at`` and ``n`` (where in what was printed); ``blobs/`` displays too large for a line; ``variables`` those
that were asked for, until a client has them; ``notes.jsonl`` what was learned of the run by others than its
supervisor. A log over its cap goes on in pairs ``events.tail.N`` and ``output.tail.N``, of which only the
last few are kept. Who writes (``logwriter``) appends before anybody is told; who reads may come back at any
``seq``. No processes and no sockets here.
"""

from __future__ import annotations

import json
import os
import re

from .paths import read_json, write_json

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

OUTPUT_KINDS = ("stdout", "stderr")
FINAL_STATES = ("finished", "failed", "stopped", "lost")
# The kind of a run that is one answer to a front end, and no run to the user.
CALLBACK = "callback"
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
LARGEST_LINE = 1 << 15
WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_CLOEXEC


class RunDir:
    """The names inside one run's directory.

    Args:
        state: the state folder of the host.
        run_id: as in ``20261122-014500-7f3a``.
        place: ``runs``, or ``trash`` for one that was deleted.
        path: the directory itself, where it is in no state folder.

    Raises:
        ValueError: not a run id (it becomes a path, so it is checked).
    """

    def __init__(self, state: str, run_id: str, place: str = "runs", path: str = "") -> None:
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id!r} is not the id of a run")
        self.id = run_id
        self.path = path or os.path.join(state, place, run_id)
        self.record_path = os.path.join(self.path, "run.json")
        self.code_path = os.path.join(self.path, "code")
        self.output_path = os.path.join(self.path, "output.log")
        self.events_path = os.path.join(self.path, "events.jsonl")
        self.blobs_path = os.path.join(self.path, "blobs")
        self.variables_path = os.path.join(self.path, "variables")
        self.ranks_path = os.path.join(self.path, "ranks")
        self.notes_path = os.path.join(self.path, "notes.jsonl")

    def tail_paths(self, number: int) -> tuple[str, str]:
        """Events and output of that part of the tail, counted from 1.

        Args:
            number: of the part.
        """
        events, output = (
            os.path.join(self.path, f"{name}.tail.{number:06d}") for name in ("events", "output")
        )
        return events, output

    def tail(self) -> list[int]:
        """The numbers of the tail's parts that are there, in order; none while the log is below its cap."""
        names = (
            name.rpartition("events.tail.")[2] for name in os.listdir(self.path) if "events.tail." in name
        )
        return sorted(int(number) for number in names if number.isdigit())

    def create(self, record: dict[str, Any], code: bytes) -> None:
        """Makes the directory with its first record.

        Making a file costs half a millisecond on a disk, several times what a small cell takes, so there
        is none that isn't needed: `output.log` comes with the first output.

        Raises:
            FileExistsError: this run was started before.
        """
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        os.mkdir(self.path, 0o700)
        for path, content in ((self.code_path, code), (self.record_path, json.dumps(record).encode())):
            fd = os.open(path, WRITE, 0o600)
            try:
                write_all(fd, content)
            finally:
                os.close(fd)

    def keep_script(self, name: str, text: bytes) -> str:
        """Saves the code under the name the user gave it and returns its path."""
        folder = os.path.join(self.path, "script")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, os.path.basename(name))
        with open(path, "wb") as file:
            file.write(text)
        return path

    def last_events(self) -> str:
        """The file that the newest events are in."""
        parts = self.tail()
        return self.tail_paths(parts[-1])[0] if parts else self.events_path

    def newest(self) -> int:
        """The number of the newest event, 0 when there is none; asks a file server, not its cache."""
        return int(self._last().get("seq", 0))

    def end(self) -> dict[str, Any]:
        """The event that ended it, empty when there is none."""
        try:
            last = self._last()
        except ValueError:  # a line that a full disk has cut
            return {}
        return last if last.get("kind") == "end" else {}

    def _last(self) -> dict[str, Any]:
        try:
            fd = os.open(self.last_events(), READ)
        except OSError:
            return {}
        try:
            return last_event(fd)[0]
        finally:
            os.close(fd)

    def write_record(self, record: dict[str, Any]) -> None:
        """Replaces ``run.json``."""
        write_json(self.record_path, record)

    def record(self) -> dict[str, Any] | None:
        """What ``run.json`` says, None when there is no such run."""
        return read_json(self.record_path)

    def note(self, facts: dict[str, Any]) -> None:
        """Adds what was learned of the run; several may do it, because each appends one line.

        Raises:
            OSError: there is no such run, or a full disk.
        """
        fd = os.open(self.notes_path, WRITE, 0o600)
        try:
            write_all(fd, json.dumps(facts).encode("ascii") + b"\n")
        finally:
            os.close(fd)

    def whole_record(self) -> dict[str, Any] | None:
        """``run.json`` with what was learned later, None when there is no such run."""
        record = self.record()
        if record is None:
            return None
        try:
            with open(self.notes_path, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            return record
        for line in lines:
            try:
                record.update(json.loads(line))
            except ValueError:
                pass  # torn by a full disk
        return record


def last_event(fd: int) -> tuple[dict[str, Any], int]:
    """The last whole line of an events file, and how many bytes of half a line follow it."""
    size = os.fstat(fd).st_size
    for window in (1 << 12, 1 << 19):
        end = os.pread(fd, window, max(size - window, 0))
        whole, _, torn = end.rpartition(b"\n")
        line = whole.rpartition(b"\n")
        if line[1] or window >= size:
            return (json.loads(line[2]) if line[2] else {}), len(torn)
    return {}, 0


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it.

    Raises:
        OSError: a full disk.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_blob(folder: str, content: bytes) -> str:
    """Keeps a large piece as a file of its own and returns its name, which its content gives."""
    from hashlib import blake2b

    name = blake2b(content, digest_size=16).hexdigest()
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        staged = f"{path}.{os.getpid()}.tmp"
        with open(staged, "wb") as file:
            file.write(content)
        os.replace(staged, path)
    return name
