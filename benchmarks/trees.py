"""What the sync benchmarks share: workspaces of a given size, and a count of what goes over the wire."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_remote import Remote

FILE_SIZE = 9_000


def make_tree(folder: Path, files: int, size: int = FILE_SIZE) -> Path:
    """A workspace with that many files of text as long as each other, fifty to a folder, without git."""
    words = [f"word{number} " for number in range(5000)]
    chance = random.Random(files)
    for number in range(files):
        path = folder / f"part{number // 1000:03d}" / f"sub{number // 50:04d}" / f"module{number:06d}.py"
        if number % 50 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(chance.choices(words, k=size // 8))
        path.write_text(text[:size], encoding="ascii")
    return folder


def make_random_file(path: Path, size: int) -> Path:
    """A file that can't be compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
        file.write(os.urandom(size & 0xFFFFF))
    return path


class Wire:
    """Bytes that a connection has written and read, above the transport."""

    def __init__(self) -> None:
        self.sent = self.received = 0

    @property
    def total(self) -> int:
        return self.sent + self.received


@contextlib.contextmanager
def counted(remote: Remote) -> Iterator[Wire]:
    """Counts what goes through a connection while the block runs."""
    channel = remote.connection()._channel
    wire = Wire()
    write, decoder = channel.write, remote.connection()._decoder
    receive = decoder.receive

    def counted_write(data: bytes) -> None:
        wire.sent += len(data)
        write(data)

    def counted_receive(data: bytes) -> object:
        wire.received += len(data)
        return receive(data)

    channel.write, decoder.receive = counted_write, counted_receive  # type: ignore[method-assign,assignment]
    try:
        yield wire
    finally:
        channel.write, decoder.receive = write, receive  # type: ignore[method-assign]
