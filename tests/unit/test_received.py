"""The buffer of a channel: every byte once and in order, however it came and is asked for."""

from __future__ import annotations

import random
import threading

import pytest
from paramiko.buffered_pipe import PipeTimeout

from jupyter_remote.transports.received import Received


def test_every_byte_comes_once_and_in_order() -> None:
    chance = random.Random(1)
    sent = chance.randbytes(300_000)
    pipe = Received()

    def feed() -> None:
        at = 0
        while at < len(sent):
            size = chance.choice([1, 10, 5000, 32_768])
            pipe.feed(sent[at : at + size])
            at += size
        pipe.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    came = bytearray()
    while piece := pipe.read(random.Random(len(came)).choice([1, 3, 4096, 1 << 17]), 10.0):
        came += piece
    feeder.join()
    assert came == sent


def test_what_has_come_can_be_read_after_the_end_and_nothing_more() -> None:
    pipe = Received()
    pipe.feed(b"last words")
    pipe.close()
    assert (pipe.read_ready(), len(pipe)) == (True, 10)
    assert pipe.read(4) == b"last"
    assert pipe.empty() == b" words"
    assert (pipe.read_ready(), pipe.read(4, 0.0)) == (False, b"")


def test_who_waits_for_nothing_is_told_so() -> None:
    pipe = Received()
    for timeout in (0.0, 0.01):
        with pytest.raises(PipeTimeout):
            pipe.read(1, timeout)
