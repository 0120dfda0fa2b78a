"""Asking the user where the program runs: a terminal, or a notebook whose front lets a kernel ask."""

from __future__ import annotations

import getpass
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import Prompter


class TerminalPrompter:
    """Asks with `input` and `getpass`; IPython's kernels put these into the notebook."""

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer, or None where nobody can be asked or the user ends the input."""
        if not can_ask():
            return None
        try:
            return getpass.getpass(prompt) if secret else input(prompt)
        except EOFError:
            return None
        except RuntimeError as error:
            # ipykernel's StdinNotImplementedError: this front has no way to answer after all.
            if type(error).__name__ == "StdinNotImplementedError":
                return None
            raise


class RememberingPrompter:
    """Passes questions on, and knows the secret answers while this process lives: in its memory alone.

    Args:
        ask: who is asked.
    """

    def __init__(self, ask: Prompter) -> None:
        self._ask = ask
        self._known: dict[str, str] = {}

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer, or None where nobody can be asked."""
        answer = self._ask.ask(prompt, secret=secret)
        if secret and answer:
            self._known[prompt] = answer
        return answer

    def replay(self) -> Prompter:
        """Gives each known answer once and asks nobody: for a connection that is made again unasked."""
        return _Replay(dict(self._known))


class _Replay:
    def __init__(self, known: dict[str, str]) -> None:
        self._known = known

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        # Once: a second question means that the answer was wrong, and more tries may lock the account.
        return self._known.pop(prompt, None)


def can_ask() -> bool:
    """Whether a question would reach a user."""
    if threading.current_thread() is not threading.main_thread():
        return False  # Neither `input` nor a kernel's stdin channel may be used from another thread.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
