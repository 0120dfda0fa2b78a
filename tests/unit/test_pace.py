"""When compressing pays: a clock of the test's own stands for the link."""

from __future__ import annotations

import pytest

from jupyter_remote.agent.pace import Pace

BLOCK = 128 * 1024


class Link:
    """Sends blocks at a rate, compressing as fast as it is told.

    Args:
        rate: bytes per second of the link.
        deflate: bytes per second of the compression.
        ratio: what a block becomes.
    """

    def __init__(self, rate: float, deflate: float = 150e6, ratio: float = 0.3) -> None:
        self.now = 0.0
        self.rate, self.deflate, self.ratio = rate, deflate, ratio
        self.pace = Pace(lambda: self.now)
        self.wire = self.taken = 0.0

    def send(self, megabytes: int) -> None:
        """So much content."""
        for _ in range(megabytes * 8):
            self.taken += BLOCK
            size = float(BLOCK)
            if self.pace.compresses(BLOCK):
                size *= self.ratio
                self.now += BLOCK / self.deflate
                self.pace.compressed(int(size), BLOCK / self.deflate)
            self.now += size / self.rate
            self.wire += size


@pytest.mark.parametrize("rate", [1e6, 12e6, 50e6])
def test_on_a_slow_link_trying_costs_little(rate: float) -> None:
    link = Link(rate)
    link.send(200)
    assert link.now < 1.1 * (link.taken / link.deflate + link.taken * link.ratio / rate)


def test_on_a_very_slow_link_nothing_is_tried() -> None:
    link = Link(1e6)
    link.send(200)
    assert link.wire == pytest.approx(link.ratio * link.taken)


def test_on_a_fast_link_it_is_left_after_the_first_megabytes() -> None:
    link = Link(1e9)
    link.send(200)
    assert link.wire > 0.9 * link.taken
    before = link.now
    link.send(100)
    assert link.now - before == pytest.approx(100 * 8 * BLOCK / 1e9)


def test_a_little_is_always_compressed() -> None:
    link = Link(1e9)
    link.send(6)
    assert link.wire == pytest.approx(link.ratio * link.taken)


def test_what_shrinks_to_nothing_is_compressed_on_any_link() -> None:
    link = Link(1e9, ratio=0.01)
    link.send(100)
    assert link.wire == pytest.approx(link.ratio * link.taken)


def test_a_link_that_becomes_slow_is_noticed_and_one_that_becomes_fast_too() -> None:
    link = Link(1e9)
    link.send(50)
    link.rate = 10e6
    link.send(20)
    before = link.wire
    link.send(30)
    assert link.wire - before < 0.4 * 30 * 8 * BLOCK
    link.rate = 1e9
    link.send(100)
    before = link.wire
    link.send(20)
    assert link.wire - before > 0.9 * 20 * 8 * BLOCK


def test_what_is_sent_in_between_counts_for_neither_way() -> None:
    link = Link(1e9)
    for _ in range(20):
        link.send(5)
        link.now += 5
        link.pace.disturbed()
    assert link.wire == pytest.approx(link.ratio * link.taken)
