"""The agent's side of a connection: what goes out together, and what is asked for by threads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.streams import Link, Stream
from jupyter_remote.agent.wire import Decoder


@pytest.fixture
def outgoing() -> Iterator[tuple[Stream, int]]:
    """A stream, and where its answers come out."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    yield Stream(Link(-1, write_fd, lambda stream, frame: None), 7), read_fd
    os.close(read_fd)
    os.close(write_fd)


def names(data: bytes) -> list[str]:
    return [type(frame.message).__name__ for frame in Decoder().receive(data)]


def test_what_is_held_goes_with_the_next_answer_and_before_it(outgoing: tuple[Stream, int]) -> None:
    stream, fd = outgoing
    stream.hold(m.Accepted({"id": "x"}))
    with pytest.raises(BlockingIOError):
        os.read(fd, 1)
    stream.send(m.Events([{"seq": 1}]))
    stream.send(m.End())
    assert names(os.read(fd, 1 << 16)) == ["Accepted", "Events", "End"]


def test_what_is_held_goes_once_when_nothing_follows(outgoing: tuple[Stream, int]) -> None:
    stream, fd = outgoing
    stream.hold(m.Accepted({"id": "x"}))
    stream.flush()
    stream.flush()
    assert names(os.read(fd, 1 << 16)) == ["Accepted"]
