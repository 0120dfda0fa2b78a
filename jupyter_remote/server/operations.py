"""What takes time: started by a page, done in a thread, and told to all pages as it goes.

What is done is said by `host_actions.py` and `run_actions.py`.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ..errors import PromptCancelled, RemoteError
from ..sync.progress import Progress
from ..transports import Prompter
from ..transports.prompt import Secret, lasts
from .bridge import Bridge
from .hub import Hub
from .problems import Busy, NotFound, problem_of
from .prompts import Prompts

LOG = logging.getLogger(__name__)

# The ones that ended are shown for a while.
KEPT = 100
# Of one host: a host that doesn't answer must not take all threads.
AT_ONCE = 8
_TELL_S = 0.2
# Why a question comes once more.
_WRONG = "What was answered before was not accepted."
_MORE = "It was right; the host is connected to once more, and a code counts once."

# The operation that this thread works for.
current: ContextVar[Operation | None] = ContextVar("current", default=None)


class Operation:
    """One thing that goes on.

    Args:
        action: what is done.
        host: with which host, if it is one.
        run: with which run, if it is one.
        changed: called when there is news, in the thread that works.
    """

    def __init__(
        self, action: str, host: str | None, run: str | None, changed: Callable[[Operation], None]
    ) -> None:
        self.id = secrets.token_hex(8)
        self.action = action
        self.host = host
        self.run = run
        self.state = "running"
        self.text = ""
        self.fraction: float | None = None
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.created = time.time()
        self.ended: float | None = None
        self._changed = changed
        self._told = 0.0
        # What was answered for a first connection, and is asked again for a second.
        self._answers: dict[str, Secret] = {}
        self._again: dict[str, Secret] = {}
        # What was asked since, and before, an answer was known to be right.
        self._asked: set[str] = set()
        self._passed: set[str] = set()

    def document(self) -> dict[str, Any]:
        """As ``Operation`` of rest-api.yml."""
        names = (
            "id",
            "action",
            "host",
            "run",
            "state",
            "text",
            "fraction",
            "result",
            "error",
            "created",
            "ended",
        )
        return {name: getattr(self, name) for name in names}

    @property
    def going_on(self) -> bool:
        """Whether it has not ended, and was not given up."""
        return self.state == "running"

    def tell(self, text: str, fraction: float | None = None) -> None:
        """Says how far it is, in the thread that works; at most five times a second."""
        self.text, self.fraction = text, fraction
        now = time.monotonic()
        if now - self._told >= _TELL_S:
            self._told = now
            self._changed(self)

    def moved(self, progress: Progress) -> None:
        """Says how much of some files has been moved."""
        share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 1.0
        self.tell(f"{progress.files_done} of {progress.files_total} files", share)

    def answered(self, prompt: str, answer: Secret) -> None:
        """Remembers an answer as long as the operation goes on."""
        if lasts(prompt):
            self._answers[prompt] = answer

    def were_right(self) -> None:
        """The answers so far were: each may be given once more."""
        self._again = dict(self._answers)
        self._passed |= self._asked
        self._asked.clear()

    def why(self, prompt: str) -> str:
        """Why this is asked again; empty when it is asked for the first time."""
        text = _WRONG if prompt in self._asked else _MORE if prompt in self._passed else ""
        self._asked.add(prompt)
        return text

    def known(self, prompt: str) -> Secret | None:
        """The answer to this question, when it was right a moment ago."""
        return self._again.pop(prompt, None)

    def forget(self) -> None:
        """Forgets all answers."""
        self._answers.clear()
        self._again.clear()


Work = Callable[[Operation], dict[str, Any] | None]


class Operations:
    """The operations of all pages.

    Args:
        hub: tells the pages.
        bridge: has the threads.
        prompts: where they ask.
    """

    def __init__(self, hub: Hub, bridge: Bridge, prompts: Prompts) -> None:
        self._hub = hub
        self._bridge = bridge
        self._prompts = prompts
        self._known: dict[str, Operation] = {}
        self._lock = threading.Lock()

    def listing(self) -> list[dict[str, Any]]:
        """All that are known, newest first."""
        return [one.document() for one in reversed(self._known.values())]

    def get(self, identity: str) -> Operation:
        """The one of that id.

        Raises:
            NotFound: there is none.
        """
        found = self._known.get(identity)
        if found is None:
            raise NotFound(f"there is no operation {identity}")
        return found

    def start(
        self, action: str, work: Work, *, host: str | None = None, run: str | None = None
    ) -> dict[str, Any]:
        """Begins one, in the loop.

        Args:
            action: what it is called.
            work: does it in a thread; what it returns is the result.
            host: with which host.
            run: with which run.

        Raises:
            Busy: too much goes on already.
        """
        if host is not None and len(self.of_host(host)) >= AT_ONCE:
            raise Busy(
                f"{AT_ONCE} operations go on already", host=host, hint="Wait for them, or cancel some."
            )
        operation = Operation(action, host, run, lambda one: self._bridge.post(self._publish, one))
        self._bridge.start(lambda: self._do(operation, work))
        self._known[operation.id] = operation
        ended = [one.id for one in self._known.values() if not one.going_on]
        for identity in ended[: max(0, len(self._known) - KEPT)]:
            del self._known[identity]
        self._publish(operation)
        return operation.document()

    def cancel(self, identity: str) -> None:
        """Gives one up, or forgets one that has ended.

        Raises:
            NotFound: there is none.
        """
        operation = self.get(identity)
        if operation.going_on:
            self._end(operation, "cancelled")
            self._prompts.withdraw(operation=identity)
        else:
            del self._known[identity]

    def of_host(self, host: str) -> list[Operation]:
        """Those that go on with a host; from any thread."""
        return [one for one in list(self._known.values()) if one.going_on and one.host == host]

    def asker(self, host: str) -> Prompter:
        """Who is asked about a host: the pages, as long as an operation with it goes on."""
        return _Asker(host, self, self._prompts)

    def _do(self, operation: Operation, work: Work) -> None:
        token = current.set(operation)
        try:
            if not operation.going_on:
                return
            operation.result = work(operation)
            state, error = "done", None
        except RemoteError as failed:
            state, error = "failed", failed
        except Exception as failed:  # a fault of ours: who waits must not wait for ever
            LOG.exception("jupyter_remote: %s of %s", operation.action, operation.host or operation.run)
            state, error = "failed", failed  # type: ignore[assignment]
        finally:
            current.reset(token)
            operation.forget()
        self._bridge.post(self._end, operation, state, None if error is None else problem_of(error))

    def _end(self, operation: Operation, state: str, error: dict[str, Any] | None = None) -> None:
        if operation.going_on:
            operation.state, operation.error, operation.ended = state, error, time.time()
            self._publish(operation)

    def _publish(self, operation: Operation) -> None:
        if operation.id in self._known:
            self._hub.publish("operation", operation.id, operation=operation.document())


class _Asker:
    """Asks the pages on behalf of an operation; what happens in the background asks nobody."""

    def __init__(self, host: str, operations: Operations, prompts: Prompts) -> None:
        self._host = host
        self._operations = operations
        self._prompts = prompts

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        operation = current.get() or next(iter(self._operations.of_host(self._host)), None)
        if operation is None:
            return None
        if not operation.going_on:
            raise PromptCancelled(prompt, host=self._host)
        if secret and (known := operation.known(prompt)) is not None:
            return known
        why = operation.why(prompt)
        answer = self._prompts.ask(self._host, prompt, secret=secret, operation=operation.id, why=why)
        if secret and answer:
            operation.answered(prompt, answer)
        return answer
