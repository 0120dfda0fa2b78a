"""Code that asks: `input`, `getpass` and `sys.stdin` of the worker, answered by whoever watches the run.

A question is an event of the run, and its answer comes back over the supervisor. The log never holds what
was answered. Programs have no stdin, and nothing here is for them.
"""

from __future__ import annotations

import builtins
import getpass
import io
import os
import sys
import threading

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .inbox import Inbox

# How often a thread that waits for an answer looks whether its cell still runs.
TICK = 0.1
# A longer prompt would not fit a line of the log; its beginning is printed.
LONGEST_PROMPT = 4000


class StdinNotImplementedError(NotImplementedError):
    """Nobody can be asked; named as IPython's own."""


class Asking:
    """Puts questions to the user, one at a time.

    Args:
        inbox: where the answers arrive.
        publish: called with the kind and the fields of each event.

    Attributes:
        open: whether a cell runs; nobody sees a question that comes outside of one.
    """

    def __init__(self, inbox: Inbox, publish: Callable[..., None]) -> None:
        self.open = False
        self._inbox = inbox
        self._publish = publish
        self._last = 0
        self._one = threading.Lock()
        self._pid = os.getpid()

    def install(self) -> None:
        """Takes the place of `input`, `getpass` and `sys.stdin`."""
        sys.stdin = Stdin(self)
        builtins.input = self.input
        getpass.getpass = self.getpass

    def input(self, prompt: object = "", /) -> str:
        """Read a line from whoever watches this run. The trailing newline is stripped.

        Raises:
            EOFError: the user ended the input.
        """
        __tracebackhide__ = True
        return self.ask(str(prompt), False)

    def getpass(self, prompt: str = "Password: ", stream: object = None, **_: object) -> str:
        """Read a password from whoever watches this run; it is shown and written nowhere."""
        __tracebackhide__ = True
        return self.ask(prompt, True)

    def ask(self, prompt: str, password: bool) -> str:
        """The answer to a question.

        Args:
            password: it is not to be seen while it is typed.

        Raises:
            EOFError: the user ended the input, or no cell runs.
            StdinNotImplementedError: nobody can be asked.
            KeyboardInterrupt: interrupted meanwhile.
        """
        __tracebackhide__ = True  # IPython's tracebacks and debugger pass over what is ours
        if not self.open or os.getpid() != self._pid:
            raise EOFError("no cell runs in this process, so nobody can be asked")
        with self._one:
            if len(prompt) > LONGEST_PROMPT:
                sys.stdout.write(prompt[:-LONGEST_PROMPT])
                prompt = prompt[-LONGEST_PROMPT:]
            self._last += 1
            number, answer = self._last, None
            try:
                self._publish("input_request", request=number, prompt=prompt, password=int(password))
                answer = self._await(number)
            finally:
                if answer is None:  # who attaches later must not be asked
                    self._publish("input_reply", request=number, how="interrupted")
        return _text(answer)

    def _await(self, number: int) -> dict[str, Any]:
        __tracebackhide__ = True
        while True:
            answer = self._inbox.answer(number)
            if answer is not None:
                return answer
            if not self.open:
                raise EOFError("the cell has ended, so nobody can be asked")
            self._inbox.look(TICK)


class Stdin(io.TextIOBase):
    """`sys.stdin`: each line is asked for.

    Args:
        asking: who asks.
    """

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._rest = ""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def fileno(self) -> int:
        """The descriptor that child processes get: the null device."""
        return 0

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """One line, or nothing when the user ends the input; at most ``size`` characters of it."""
        if not self._rest:
            try:
                self._rest = self._asking.ask("", False) + "\n"
            except EOFError:
                return ""
        at = len(self._rest) if size is None or size < 0 else size
        at = min(at, self._rest.index("\n") + 1)
        line, self._rest = self._rest[:at], self._rest[at:]
        return line

    def read(self, size: int | None = -1, /) -> str:
        """All lines until the user ends the input, or at most one when a size is given."""
        return "".join(self) if size is None or size < 0 else self.readline(size)


def _text(answer: dict[str, Any]) -> str:
    __tracebackhide__ = True
    how = answer.get("how")
    if how == "eof":
        raise EOFError("EOF when reading a line")
    if how is not None:
        raise StdinNotImplementedError("nobody can be asked: this front has no input")
    return str(answer.get("text", ""))
