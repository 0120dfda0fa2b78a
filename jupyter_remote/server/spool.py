"""The settled lines of one run's output, in files without a name: any range costs the same.

The files are gone with the process, however that ends. What a line means is not known here.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Sequence
from typing import BinaryIO

# A place in the file is noted for every so many lines: a range is found by reading at most these.
STRIDE = 64
# The oldest of so many parts goes when there is too much.
PARTS = 8


class _Part:
    def __init__(self, first: int) -> None:
        self.file: BinaryIO = tempfile.TemporaryFile(prefix="jupyter-remote-", buffering=0)  # noqa: SIM115
        self.first = first
        self.count = 0
        self.size = 0
        self.places = array("Q")

    def append(self, lines: Sequence[bytes]) -> None:
        at = self.size
        for number, line in enumerate(lines, self.count):
            if number % STRIDE == 0:
                self.places.append(at)
            at += len(line) + 1
        data = b"\n".join([*lines, b""])
        view = memoryview(data)
        while view:
            view = view[self.file.write(view) :]
        self.size += len(data)
        self.count += len(lines)

    def read(self, start: int, stop: int) -> list[bytes]:
        place = start // STRIDE
        last = -(-stop // STRIDE)
        end = self.places[last] if last < len(self.places) else self.size
        data = os.pread(self.file.fileno(), end - self.places[place], self.places[place])
        skipped = start - place * STRIDE
        return data.split(b"\n")[skipped : skipped + stop - start]


class Spool:
    """Lines, appended and read by their numbers. Not for several threads at once.

    Args:
        limit: bytes that are kept; the oldest lines go.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit // PARTS
        self._parts: list[_Part] = []
        self.total = 0

    @property
    def first(self) -> int:
        """The number of the first line that is still here."""
        return self._parts[0].first if self._parts else self.total

    def append(self, lines: Sequence[bytes]) -> None:
        """Adds lines, none of which has a line end.

        Raises:
            OSError: a full disk.
        """
        if not lines:
            return
        if not self._parts or self._parts[-1].size >= self._limit:
            self._parts.append(_Part(self.total))
            if len(self._parts) > PARTS:
                self._parts.pop(0).file.close()
        self._parts[-1].append(lines)
        self.total += len(lines)

    def read(self, start: int, stop: int) -> list[bytes]:
        """The lines from `start` up to `stop`, as far as they are here.

        Raises:
            OSError: they can't be read.
        """
        found: list[bytes] = []
        for part in self._parts:
            low, high = max(start, part.first), min(stop, part.first + part.count)
            if low < high:
                found += part.read(low - part.first, high - part.first)
        return found

    def close(self) -> None:
        """Gives the disk space back."""
        for part in self._parts:
            part.file.close()
        self._parts.clear()
