"""What an archive is kept in: objects with names, as both an S3 bucket and a folder have them. No runs here.

A store keeps no facts beside the objects, and none of its own checks of them is trusted: what is read is
compared with the digest in its name by who reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# Told how many bytes more have been sent or have come.
Moved = Callable[[int], None]


class MissingObject(Exception):
    """There is no object of that name."""


class Store(ABC):
    """Objects by name; `/` divides a name as it does a path.

    All methods raise ArchiveError when the store can't be used, with what to do about it.

    Attributes:
        where: what a reader knows it by, for example ``s3://runs/me/``.
    """

    where: str

    @abstractmethod
    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin so, sorted; no object is read."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of an object, None when there is none."""

    @abstractmethod
    def read(self, name: str) -> Iterator[bytes]:
        """The content, in pieces.

        Raises:
            MissingObject: there is none.
        """

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Writes a small object; it appears whole or not at all."""

    @abstractmethod
    def send(self, name: str, path: Path, moved: Moved) -> None:
        """Writes a file's content, whose digest is in the name; goes on where an earlier try was cut."""

    @abstractmethod
    def delete(self, names: Iterable[str]) -> None:
        """Removes objects; one that is not there is no error."""

    @abstractmethod
    def drop_unfinished(self, prefix: str) -> None:
        """Forgets what tries that were cut have left below a name."""
