"""The ladder of interrupts, with real signals, over a run whose end the test decides."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import cast

import pytest

from jupyter_remote.errors import ConnectionLost, Interrupted
from jupyter_remote.events import Event
from jupyter_remote.follow import follow
from jupyter_remote.ladder import Ladder
from jupyter_remote.run import Run


class Scripted:
    """A run that yields what is put into `inbox`, up to None, and hears interrupts as a host would."""

    def __init__(self) -> None:
        self.id, self.host, self.state = "20261122-014500-7f3a", "dgx01", "running"
        self.inbox: SimpleQueue[Event | None] = SimpleQueue()
        self.interrupts: SimpleQueue[threading.Thread] = SimpleQueue()
        self.on_interrupt: Callable[[], None] = lambda: None

    def wait(self, sink: Callable[[Event], None]) -> None:
        while (event := self.inbox.get(timeout=30)) is not None:
            sink(event)

    def interrupt(self) -> None:
        self.on_interrupt()
        self.interrupts.put(threading.current_thread())

    def say(self, number: int) -> None:
        self.inbox.put(Event(number, 0.0, "stdout", text=str(number)))


def as_run(run: Scripted) -> Run:
    return cast(Run, run)


def test_events_come_once_and_in_order_around_an_interrupt() -> None:
    run, seen = Scripted(), list[str]()

    def sink(event: Event) -> None:
        seen.append(event.text)
        if event.text == "1":
            signal.raise_signal(signal.SIGINT)
            # The host answers an interrupt: its last words come after it.
            run.interrupts.get(timeout=30)
            run.say(2)
            run.inbox.put(None)
        seen.append("whole")

    before = signal.getsignal(signal.SIGINT)
    run.say(1)
    follow(as_run(run), sink)
    assert seen == ["1", "whole", "2", "whole"]
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupts_are_sent_by_another_thread() -> None:
    run = Scripted()
    lock = threading.Lock()

    def sending_needs_the_lock() -> None:
        with lock:
            pass

    run.on_interrupt = sending_needs_the_lock

    def sink(event: Event) -> None:
        with lock:  # as the connection may hold one when the signal comes
            signal.raise_signal(signal.SIGINT)

    run.say(1)
    run.inbox.put(None)
    follow(as_run(run), sink)
    assert run.interrupts.get(timeout=30) is not threading.main_thread()


def test_the_third_press_stops_waiting_and_says_where_the_run_is() -> None:
    run = Scripted()

    def sink(event: Event) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            run.interrupts.get(timeout=30)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    run.say(1)
    with pytest.raises(
        Interrupted, match=r"stopped waiting for run 20261122-014500-7f3a, which is running"
    ) as caught:
        follow(as_run(run), sink)
    assert caught.value.exit_code == 130
    assert run.interrupts.empty()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_lost_link_while_interrupting_is_left_to_the_waiting() -> None:
    run = Scripted()
    tried = threading.Event()

    def lost() -> None:
        tried.set()
        raise ConnectionLost("the link is gone")

    run.on_interrupt = lost

    def sink(event: Event) -> None:
        signal.raise_signal(signal.SIGINT)
        tried.wait(30)
        raise ConnectionLost("the link is gone")

    run.say(1)
    with pytest.raises(ConnectionLost):
        follow(as_run(run), sink)


def test_off_the_main_thread_no_handler_is_set() -> None:
    run, seen = Scripted(), list[Event]()
    run.say(1)
    run.inbox.put(None)
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=follow, args=(as_run(run), seen.append))
    thread.start()
    thread.join(30)
    assert [event.text for event in seen] == ["1"]
    assert signal.getsignal(signal.SIGINT) is before


def test_off_the_main_thread_an_interrupt_is_passed_on() -> None:
    run, raised = Scripted(), []

    def sink(event: Event) -> None:
        raise KeyboardInterrupt

    def waits() -> None:
        with pytest.raises(Interrupted) as caught:
            follow(as_run(run), sink)
        raised.append(caught.value)

    run.say(1)
    thread = threading.Thread(target=waits)
    thread.start()
    thread.join(30)
    assert len(raised) == 1
    run.interrupts.get(timeout=30)


def test_a_press_goes_to_every_run_and_a_later_one_gets_what_it_missed() -> None:
    runs = [Scripted(), Scripted()]
    ladder = Ladder(as_run(run) for run in runs)
    held = threading.Event()
    runs[0].on_interrupt = lambda: held.wait(30) and None  # a host that doesn't answer holds up no other
    ladder.press()
    runs[1].interrupts.get(timeout=30)
    held.set()
    runs[0].interrupts.get(timeout=30)
    late = Scripted()
    ladder.add(as_run(late))
    late.interrupts.get(timeout=30)
    assert late.interrupts.empty()
    for run in (*runs, late):
        assert run.interrupts.empty()
