"""The judgement on a silent link, by a clock that the test moves."""

from __future__ import annotations

import threading

import pytest

from jupyter_remote.liveness import AFTER_SLEEP_S, Pulse


class Line:
    """A connection that answers or does not."""

    def __init__(self) -> None:
        self.heard = 0.0
        self.alive = self.awaited = True
        self.pings = threading.Semaphore(0)
        self.lost = ""

    def ping(self) -> None:
        self.pings.release()

    def lose(self, why: str) -> None:
        self.lost = why

    def asked(self) -> int:
        """How many signs of life were asked for since the last call."""
        count = 0
        while self.pings.acquire(timeout=0.05):
            count += 1
        return count


def test_silence_is_asked_about_and_then_believed() -> None:
    line = Line()
    pulse = Pulse(line, 30, 0.0)
    assert [pulse.look(now, False) for now in (10.0, 29.0)] == [True, True]
    assert line.asked() == 0
    assert pulse.look(30.0, False) and line.asked() == 1
    assert pulse.look(45.0, False) and line.asked() == 0
    assert pulse.look(61.0, False) and line.asked() == 1
    assert not pulse.look(90.0, False)
    assert line.lost == "it has not answered for 90 s"


def test_a_slow_link_with_traffic_lives() -> None:
    line = Line()
    pulse = Pulse(line, 30, 0.0)
    for now in range(0, 1000, 5):
        line.heard = now - now % 80
        assert pulse.look(float(now), False)
    assert not line.lost


def test_silence_that_nobody_listened_to_proves_nothing() -> None:
    line = Line()
    line.awaited = False
    pulse = Pulse(line, 30, 0.0)
    assert pulse.look(5000.0, False) and line.asked() == 0
    line.awaited = True
    assert pulse.look(5029.0, False) and line.asked() == 0
    assert pulse.look(5030.0, False) and line.asked() == 1
    assert not pulse.look(5090.0, False)


@pytest.mark.parametrize("answers", [True, False])
def test_after_a_sleep_it_is_asked_at_once(answers: bool) -> None:
    line = Line()
    pulse = Pulse(line, 30, 0.0)
    assert pulse.look(4000.0, True) and line.asked() == 1
    if answers:
        line.heard = 4000.1
    assert pulse.look(4001.0, False)
    assert pulse.look(4001.0 + AFTER_SLEEP_S, False) is answers
    assert bool(line.lost) is not answers


def test_a_connection_that_is_gone_is_no_longer_looked_at() -> None:
    line = Line()
    pulse = Pulse(line, 30, 0.0)
    line.alive = False
    assert not pulse.look(1.0, False)
