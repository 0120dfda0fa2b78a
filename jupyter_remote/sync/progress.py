"""How far a sync or a pull has come: counted where bytes are read, told at most ten times a second.

How it looks is `progress_bar.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, NamedTuple, cast

_INTERVAL_S = 0.1


class Progress(NamedTuple):
    """What of the files to be sent has been read and handed to the connection, or of a pull has come.

    Args:
        bytes_done, bytes_total: of content, before compression.
        files_done, files_total: files with content; folders, links and deletions are not counted.
    """

    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int


Report = Callable[[Progress], None]


class Meter:
    """Counts what is read through :meth:`opening`.

    Args:
        report: is told the state at the beginning, at the end, and at most ten times a second between.
        bytes_total, files_total: what there is to be moved.
        clock: seconds, never going back.
    """

    def __init__(
        self, report: Report, bytes_total: int, files_total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report = report
        self._totals = bytes_total, files_total
        self._clock = clock
        self._bytes = self._files = 0
        self._next = 0.0
        self._tell(always=True)

    def opening(self, open_content: Callable[[str], BinaryIO]) -> Callable[[str], BinaryIO]:
        """The same function, for files whose reading counts."""
        return lambda path: cast(BinaryIO, _Counted(open_content(path), self))

    def read(self, size: int) -> None:
        """So many bytes more have been read."""
        self._bytes += size
        self._tell()

    def closed(self) -> None:
        """One file more is done."""
        self._files += 1
        self._tell()

    def finished(self) -> None:
        """Everything has been sent, or needn't be: the host had it, or it came twice in the set."""
        self._bytes = self._totals[0]
        self._files = self._totals[1]
        self._tell(always=True)

    def _tell(self, always: bool = False) -> None:
        now = self._clock()
        if always or now >= self._next:
            self._next = now + _INTERVAL_S
            # What changes while it is moved is moved again, and may have grown.
            done, files = min(self._bytes, self._totals[0]), min(self._files, self._totals[1])
            self._report(Progress(done, self._totals[0], files, self._totals[1]))


class _Counted:
    """What `pack` needs of a file."""

    def __init__(self, file: BinaryIO, meter: Meter) -> None:
        self._file = file
        self._meter = meter

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._meter.read(len(data))
        return data

    def __enter__(self) -> _Counted:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._meter.closed()
