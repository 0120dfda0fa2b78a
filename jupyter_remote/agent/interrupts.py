"""Interrupts that wait: half a frame on the worker's socket would end the session."""

from __future__ import annotations

import os
import signal
import threading

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


class Held:
    """While the block runs, a SIGINT is kept; it is delivered when the block has ended well."""

    def __init__(self) -> None:
        self._late: list[int] = []
        self._handler: Any = None
        # Only there can a handler be set, and only there does an interrupt arrive.
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self._main:
            self._handler = signal.signal(signal.SIGINT, lambda number, _frame: self._late.append(number))

    def __exit__(self, kind: object, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._handler)
        if self._late and kind is None:
            os.kill(os.getpid(), signal.SIGINT)
