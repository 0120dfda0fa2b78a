"""Questions for the user, put to the pages and answered by one of them.

A connection asks in a thread and waits there; the code of a run asks and waits on its host. An answer goes to
who has asked and nowhere else: it is in no event, no log, and no message.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import PromptCancelled
from ..transports.prompt import TRUST, Secret
from ..transports.stderr import printable
from .bridge import Bridge
from .hub import Hub
from .problems import NotFound

_LONGEST = 8000


@dataclass
class Question:
    """One question.

    Args:
        kind: ``login``, ``host_key`` or ``input``.
        text: what is asked.
        secret: not to be shown while it is typed.
        host: whom it is about.
        choices: the answers there are; none for any text.
        operation, run: what asks.
        why: why it comes again, for people.
        take: gets the answer, or None when it is cancelled; in the loop.
    """

    kind: str
    text: str
    secret: bool
    host: str
    take: Callable[[Secret | None], None]
    choices: tuple[str, ...] = ()
    operation: str | None = None
    run: str | None = None
    why: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    created: float = field(default_factory=time.time)

    def document(self) -> dict[str, Any]:
        """As ``Prompt`` of rest-api.yml."""
        names = ("id", "kind", "text", "secret", "host", "operation", "run", "why", "created")
        return {**{name: getattr(self, name) for name in names}, "choices": list(self.choices)}


class Prompts:
    """The questions that wait.

    Args:
        hub: tells the pages.
        bridge: brings what threads ask.
        patience: seconds after which nobody is waited for any more.
    """

    def __init__(self, hub: Hub, bridge: Bridge, patience: float) -> None:
        self._hub = hub
        self._bridge = bridge
        self._patience = patience
        self._open: dict[str, Question] = {}
        self._closed = threading.Event()

    # In the loop.

    def listing(self) -> list[dict[str, Any]]:
        """The questions, oldest first."""
        return [question.document() for question in self._open.values()]

    def put(self, question: Question) -> None:
        """Asks the pages."""
        if self._closed.is_set():
            question.take(None)
            return
        self._open[question.id] = question
        self._hub.publish("prompt", question.id, id=question.id, prompt=question.document())

    def answer(self, identity: str, answer: str | None) -> None:
        """Gives the answer to who has asked; None cancels.

        Raises:
            NotFound: it does not wait for one (any more).
        """
        question = self._take_back(identity)
        if question is None:
            raise NotFound("this question waits for no answer any more")
        question.take(None if answer is None else Secret(answer))

    def withdraw(
        self, *, operation: str | None = None, run: str | None = None, identity: str | None = None
    ) -> None:
        """Takes back the questions of an operation, of a run, or one; who waits for them is told."""
        for one in list(self._open.values()):
            if identity == one.id or (
                (operation or run) and (operation, run) in ((one.operation, None), (None, one.run))
            ):
                self._take_back(one.id)
                one.take(None)

    def close(self) -> None:
        """Takes all back."""
        self._closed.set()
        for one in list(self._open.values()):
            self._take_back(one.id)
            one.take(None)

    def _take_back(self, identity: str) -> Question | None:
        question = self._open.pop(identity, None)
        if question is not None:
            self._hub.publish("prompt", identity, id=identity, prompt=None)
        return question

    # In threads.

    def ask(
        self, host: str, prompt: str, *, secret: bool, operation: str | None, why: str = ""
    ) -> Secret | None:
        """Asks and waits, in a thread; None when nobody answers in time.

        Raises:
            PromptCancelled: the user doesn't want to answer.
        """
        answers: list[Secret | None] = []
        there = threading.Event()

        def take(answer: Secret | None) -> None:
            answers.append(answer)
            there.set()

        trust = prompt.endswith(TRUST)
        question = Question(
            kind="host_key" if trust else "login",
            text=printable(prompt.removesuffix(TRUST)).strip()[-_LONGEST:],
            secret=secret,
            host=host,
            take=take,
            choices=("yes", "once", "no") if trust else (),
            operation=operation,
            why=why,
        )
        if self._closed.is_set():
            return None
        self._bridge.post(self.put, question)
        if not there.wait(self._patience):
            self._bridge.post(lambda: self.withdraw(identity=question.id))
            return None
        if answers[0] is None:
            raise PromptCancelled(prompt, host=host)
        return answers[0]
