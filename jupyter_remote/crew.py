"""Threads that stay a while for the next piece of work: one for each host of a call, and calls follow calls.

To start a thread costs a good part of a small cell, because who starts it waits until it runs. No work is
ever queued behind other work: where no thread is free there is one more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue

# How long a thread waits for more.
IDLE_S = 5.0

_free: list[_Member] = []


class _Member:
    """A thread that does one thing after the other."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self.work: SimpleQueue[tuple[Callable[[], None], str]] = SimpleQueue()
        self.work.put((work, name))
        # Nobody can end a thread that waits for a host which doesn't answer: the process need not.
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                work, self.thread.name = self.work.get(timeout=IDLE_S)
            except Empty:
                try:
                    _free.remove(self)
                except ValueError:
                    continue  # it has just been given something
                return
            Context().run(work)  # what it sets there is not the next one's
            del work  # or it would keep alive what it has done until the next comes
            _free.append(self)


def begin(work: Callable[[], None], name: str) -> None:
    """Does something in a thread of its own, which nobody waits for.

    Args:
        work: what; it raises nothing.
        name: the thread's, meanwhile.
    """
    try:
        member = _free.pop()
    except IndexError:
        _Member(work, name)
    else:
        member.work.put((work, name))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free.clear)  # they stay with the parent
