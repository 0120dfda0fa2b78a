"""Threads that stay for the next piece of work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from jupyter_remote import crew


@pytest.fixture(autouse=True)
def nobody_free(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(crew, "_free", [])
    monkeypatch.setattr(crew, "IDLE_S", 0.2)
    yield


def who_does(name: str, until: threading.Event | None = None) -> tuple[threading.Thread, str]:
    """The thread that does a piece of work, and its name meanwhile."""
    done = threading.Event()
    seen: list[tuple[threading.Thread, str]] = []

    def work() -> None:
        thread = threading.current_thread()
        seen.append((thread, thread.name))
        done.set()
        if until is not None:
            until.wait(30)

    crew.begin(work, name)
    assert done.wait(30)
    return seen[0]


def await_free(thread: threading.Thread) -> None:
    waiting = threading.Event()
    while all(member.thread is not thread for member in crew._free):
        assert thread.is_alive()
        waiting.wait(0.001)


def test_a_thread_that_is_free_takes_the_next_work_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "IDLE_S", 30)
    first, name = who_does("a")
    await_free(first)
    second, other = who_does("b")
    assert (first, name, other) == (second, "a", "b")
    assert first.daemon
    monkeypatch.setattr(crew, "IDLE_S", 0.01)
    await_free(second)
    assert who_does("c")[0] is first  # it looks at the new patience only after that
    first.join(30)


def test_no_work_waits_behind_other_work() -> None:
    until = threading.Event()
    busy, _ = who_does("a", until)
    other, _ = who_does("b")
    assert other is not busy
    until.set()
    for thread in (busy, other):
        thread.join(30)


def test_a_thread_without_work_ends() -> None:
    thread, _ = who_does("a")
    thread.join(30)
    assert not thread.is_alive()
    assert crew._free == []
    later, _ = who_does("b")
    assert later is not thread
    later.join(30)


def test_what_a_work_sets_for_itself_is_not_the_next_ones() -> None:
    """`sync/moment.py`: the moment of an earlier call would make an old look at the workspace new enough."""
    moment = ContextVar("moment", default="none")
    seen = []
    for number in range(2):
        done = threading.Event()

        def work(done: threading.Event = done, number: int = number) -> None:
            seen.append((threading.current_thread(), moment.get()))
            moment.set(str(number))
            done.set()

        crew.begin(work, "it")
        assert done.wait(30)
        await_free(seen[-1][0])
    assert seen == [(seen[0][0], "none")] * 2
