"""Hearing what a page says to our widgets at once: also while the kernel is busy with a cell for hours.

ipykernel 7.4 asks the comm which of its threads a message is for, in the thread that receives all messages.
There it is heard, and done in a thread of ours; what the kernel itself does with it later changes nothing any
more. With other versions it is done when the kernel comes to it. A page holds back a second value of a widget
until the first was dealt with, but no click; so what matters most is a button.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Do = Callable[[], None]

_waiting: SimpleQueue[Do] = SimpleQueue()
_thread: threading.Thread | None = None
_starting = threading.Lock()


def on_press(button: Any, do: Do) -> None:
    """Calls `do` when the button is pressed; it is to be quick."""

    def heard(data: dict[str, Any]) -> None:
        if data.get("method") == "custom" and data.get("content", {}).get("event") == "click":
            _later(do)

    if not _hear(button, heard):
        button.on_click(lambda _: do())


def on_value(widget: Any, do: Do, submit: Do | None = None) -> None:
    """Calls `do` when the page has given the widget another value; it is to be quick.

    Args:
        widget: a text or a menu.
        do: what then.
        submit: called when Enter was pressed in a text.
    """

    def heard(data: dict[str, Any]) -> None:
        if data.get("method") == "update":
            state = dict(data.get("state") or {})
            _later(lambda: widget.set_state(state))
            _later(do)
        elif submit and data.get("method") == "custom" and data.get("content", {}).get("event") == "submit":
            _later(submit)

    if not _hear(widget, heard):
        widget.observe(lambda _: do(), ["value"])
        if submit is not None:
            widget.on_msg(lambda _, content, __: submit() if content.get("event") == "submit" else None)


def _hear(widget: Any, took: Callable[[dict[str, Any]], None]) -> bool:
    comm = widget.comm
    route: Callable[..., Any] | None = getattr(comm, "_reply_subshell_for", None)
    if route is None:
        return False

    def heard(data: Any, default: Any) -> Any:
        with contextlib.suppress(Exception):  # in the kernel's own thread, which must go on
            took(data)
        return route(data, default)

    comm._reply_subshell_for = heard
    return True


def _later(do: Do) -> None:
    global _thread
    _waiting.put(do)
    with _starting:
        if _thread is None:
            _thread = threading.Thread(target=_work, name="jupyter-remote widgets", daemon=True)
            _thread.start()


def _work() -> None:
    while True:
        do = _waiting.get()
        try:
            do()
        except Exception as error:  # the next click must be heard
            print(f"jupyter_remote: a widget could not do that: {error!r}", file=sys.stderr)
