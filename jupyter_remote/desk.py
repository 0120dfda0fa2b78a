"""Questions of several threads, put to the user by the one thread that may ask.

A password that the user says is the same on several hosts is asked for once. It is kept while the desk is
open and nowhere else.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from .errors import PromptCancelled, RemoteError
from .transports.prompt import Secret, lasts

if TYPE_CHECKING:
    from .transports import Prompter

AT_ONCE = 16
_TICK_S = 0.5
# How long it is waited for a thread after an interrupt; one that waits for a host ends with its time-out.
_END_S = 5.0

T = TypeVar("T")


@dataclass
class _Asked:
    host: str
    prompt: str
    secret: bool
    answer: str | None = None
    error: PromptCancelled | None = None
    there: threading.Event = field(default_factory=threading.Event)


class Desk:
    """Where the threads of several hosts ask.

    Args:
        ask: who is asked, in the thread that calls `run`.
    """

    def __init__(self, ask: Prompter) -> None:
        self._ask = ask
        self._asked: queue.Queue[_Asked | None] = queue.Queue()
        self._left = threading.Event()
        self._common: Secret | None = None
        self._settled = False
        self._tried: dict[str, Secret] = {}

    def run(self, hosts: Sequence[str], work: Callable[[str, Prompter], T]) -> dict[str, T | RemoteError]:
        """Do the work of each host in a thread of its own, and answer what they ask.

        Args:
            hosts: their names.
            work: is given a name, and a prompter that asks here.

        Returns:
            What came of each, in order.
        """
        found: dict[str, T | RemoteError] = {}
        places = threading.BoundedSemaphore(AT_ONCE)

        def one(host: str) -> None:
            try:
                with places:
                    if not self._left.is_set():
                        found[host] = work(host, _Counter(self, host))
            except RemoteError as error:
                found[host] = error
            except Exception as error:  # a fault of ours: who waits must not wait for ever
                found[host] = RemoteError(f"{type(error).__name__}: {error}", host=host)
            finally:
                self._asked.put(None)

        threads = [
            threading.Thread(target=one, args=(host,), name=f"jupyter-remote {host}", daemon=True)
            for host in hosts
        ]
        for thread in threads:
            thread.start()
        try:
            self._serve(hosts)
        finally:
            # After an interrupt: who waits for an answer gets none.
            self._left.set()
            self._common = None
            self._tried.clear()
            for thread in threads:
                thread.join(_END_S)
        return {host: found[host] for host in hosts}

    def put(self, host: str, prompt: str, secret: bool) -> str | None:
        """Called by the thread of a host; the answer, or None.

        Raises:
            PromptCancelled: the user doesn't want to answer.
        """
        asked = _Asked(host, prompt, secret)
        self._asked.put(asked)
        while not asked.there.wait(_TICK_S):
            if self._left.is_set():
                raise PromptCancelled(prompt, host=host)
        if asked.error is not None:
            raise asked.error
        return asked.answer

    def _serve(self, hosts: Sequence[str]) -> None:
        left = len(hosts)
        while left:
            try:
                asked = self._asked.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            if asked is None:
                left -= 1
                continue
            try:
                asked.answer = self._answer(asked, hosts)
            except PromptCancelled as cancelled:
                cancelled.host = asked.host
                asked.error = cancelled
            asked.there.set()

    def _answer(self, asked: _Asked, hosts: Sequence[str]) -> str | None:
        if not (asked.secret and lasts(asked.prompt)) or "assphrase" in asked.prompt or len(hosts) == 1:
            return self._ask.ask(asked.prompt, secret=asked.secret)
        if not self._settled:
            self._settled = True
            word = self._ask.ask(
                f"Do {', '.join(hosts)} take the same password? It is sent to each of them. yes / no: ",
                secret=False,
            )
            same = (word or "").strip().lower() in ("yes", "y")
            if same:
                answer = self._ask.ask(f"Password of all {len(hosts)} hosts: ", secret=True)
                self._common = Secret(answer) if answer else None
        if self._common is not None and asked.host not in self._tried:
            # Once for each host: where it is not right, that host's own is asked for.
            self._tried[asked.host] = self._common
            return self._common
        return self._ask.ask(asked.prompt, secret=True)


class _Counter:
    """A prompter that asks at the desk, for one host."""

    def __init__(self, desk: Desk, host: str) -> None:
        self._desk = desk
        self._host = host

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        return self._desk.put(self._host, prompt, secret)
