"""Asking the user where the program runs, and what is kept of the answers: in memory, and only what may be.

A terminal and the stdin of a notebook are asked here; the prompt that is a widget is `prompt_widget`'s.
"""

from __future__ import annotations

import getpass
import re
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..errors import PromptCancelled
from .stderr import printable

if TYPE_CHECKING:
    from . import Prompter


class Secret(str):
    """An answer. Its `repr` doesn't show it, so that a traceback with the values of variables doesn't."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<an answer>"


# Set in a thread whose connection is tried again by the main thread when somebody has to be asked: a prompt
# there is what the user knows, and several connections ask one after another.
handed_over: ContextVar[bool] = ContextVar("handed_over", default=False)

# How a question about an unknown host key ends; a widget makes buttons of it.
TRUST = "Trust it? yes (and remember it) / once / no: "

# Who is asked in this process about a host of that name, where it is neither a terminal's nor a kernel's: a
# Jupyter server puts its pages here.
front: Callable[[str], Prompter] | None = None

# By the path of the key; what `ssh` needs as text when it asks for what was answered before.
passphrases: dict[str, Secret] = {}

_LASTING = re.compile(r"pass(word|phrase|wor[dt])|kennwort|mot de passe|contrase", re.IGNORECASE)
_FOR_ONCE = re.compile(r"one.?time|\botp\b|token|code|verif|\bpin\b|factor", re.IGNORECASE)


class TerminalPrompter:
    """Asks with `input` and `getpass`; IPython's kernels put these into the notebook."""

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer, or None where nobody can be asked.

        Raises:
            PromptCancelled: the user ended the input.
        """
        if not can_ask():
            return None
        try:
            return Secret(getpass.getpass(prompt) if secret else input(prompt))
        except EOFError:
            raise PromptCancelled(prompt) from None
        except RuntimeError as error:
            # ipykernel's StdinNotImplementedError: this front has no way to answer after all.
            if type(error).__name__ == "StdinNotImplementedError":
                return None
            raise


class FrontPrompter:
    """Asks in the terminal or at the notebook's prompt, and by a widget where neither can be used.

    The widget appears below the cell that was executed last, else below that which has made this object.
    """

    def __init__(self) -> None:
        self._cell = _request_here()

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer, or None where nobody can be asked.

        Raises:
            PromptCancelled: the user doesn't want to answer.
        """
        if (answer := TerminalPrompter().ask(prompt, secret=secret)) is not None:
            return answer
        if kernel_here() is None or handed_over.get():
            return None
        now = _request_here()
        cell = now if kind_of(now) == "execute_request" else self._cell
        from .. import prompt_widget  # most questions are asked at a prompt

        return prompt_widget.ask(prompt, secret=secret, cell=cell)


def front_prompter(host: str) -> Prompter:
    """Who is asked about a host when the caller names nobody."""
    return FrontPrompter() if front is None else front(host)


class RememberingPrompter:
    """Passes questions on, and knows the secret answers while this process lives: in its memory alone.

    A one-time code is not remembered: it would be wrong the next time, and count as an attack.

    Args:
        ask: who is asked.
    """

    def __init__(self, ask: Prompter) -> None:
        self._ask = ask
        self._known: dict[str, str] = {}

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer, or None where nobody can be asked."""
        answer = self._ask.ask(prompt, secret=secret)
        if secret and answer and lasts(prompt):
            self._known[prompt] = Secret(answer)
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


def lasts(prompt: str) -> bool:
    """Whether the answer to this question will be right again."""
    question = prompt.strip().rpartition("\n")[2]
    return bool(_LASTING.search(question)) and not _FOR_ONCE.search(question)


def unanswered(prompt: str, host: str) -> tuple[str, str]:
    """What to say, and what to advise, when nobody could be asked this.

    Args:
        prompt: the question.
        host: the name of the host.
    """
    question = printable(prompt).strip().rpartition("\n")[2].rstrip(": ")
    here = "run this in a terminal or a notebook that is open in a browser, where you are asked."
    if "passphrase" in question.lower():
        hint = f"Unlock the key for an agent with `ssh-add`; or {here}"
    elif lasts(prompt):
        hint = (
            f"Put a key on it with `jupyter remote ssh-setup {host}` in a terminal, or name one (`ssh_key`); "
            f"or {here}"
        )
    else:
        hint = (
            f"A second factor needs somebody to type it: {here} "
            "Or log in by `ssh` with a ControlMaster first, whose connection is then used."
        )
    return f"; `{question}` was asked for, and nobody can be asked here", hint


def can_ask() -> bool:
    """Whether a question would reach a user."""
    if threading.current_thread() is not threading.main_thread():
        return False  # Neither `input` nor a kernel's stdin channel may be used from another thread.
    kernel = kernel_here()
    if kernel is not None:
        # What a widget's callback asks is shown by no front: the answer would be waited for in vain.
        return bool(getattr(kernel, "_allow_stdin", False)) and kind_of(request_now(kernel)) != "comm_msg"
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def kernel_here() -> Any:
    """The Jupyter kernel that this process is, or None."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def request_now(kernel: Any) -> dict[str, Any]:
    """The message that the kernel handles now, or has handled last."""
    get_parent = getattr(kernel, "get_parent", None)
    return dict((get_parent("shell") if get_parent is not None else None) or {})


def _request_here() -> dict[str, Any]:
    kernel = kernel_here()
    return {} if kernel is None else request_now(kernel)


def kind_of(request: dict[str, Any]) -> str:
    """The type of a message: `execute_request` for a cell, `comm_msg` for a widget's callback."""
    return str((request.get("header") or {}).get("msg_type", ""))
