"""Runs whose output somebody looks at: each is followed by one thread, for all pages.

What is made of the events is `output.py`'s business.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from ..errors import AuthenticationError, HostKeyError, RemoteError
from ..events import Event
from ..linkstate import LinkState
from ..run import Run
from ..transports.prompt import Secret
from ..whereabouts import Found
from .bridge import Bridge
from .output import Output
from .problems import Busy, problem_of
from .prompts import Prompts, Question

# As many are followed or kept; each has a thread at most, and some open files.
MOST = 32
# Those that nobody has looked at for so long go.
KEPT_S = 180.0


class Followed:
    """One run that is followed.

    Args:
        found: where it is.
        output: what it prints.
        changed: called from the thread when there is news.
        asks: called from the thread with a question of the code, or None when it is taken back.
    """

    def __init__(
        self,
        found: Found,
        output: Output,
        changed: Callable[[], None],
        asks: Callable[[Followed, Event | None], None],
    ) -> None:
        self.found = found
        self.output = output
        self.used = time.monotonic()
        self.run: Run | None = None
        self._changed = changed
        self._asks = asks
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Follows it, unless all is here or it is followed already."""
        if self.output.complete or self.busy or self._stopped.is_set():
            return
        self._thread = threading.Thread(
            target=self._follow, name=f"jupyter-remote follow {self.found.id}", daemon=True
        )
        self._thread.start()

    def end(self) -> threading.Thread | None:
        """Follows it no more; the thread ends soon."""
        self._stopped.set()
        if self.run is not None:
            self.run.detach()
        return self._thread

    def _follow(self) -> None:
        try:
            run = self.found.remote().attach(self.found.id, self.output.seq)
            run.on_link = self._link
            self.run = run
            self.output.tell(None, run.state)
            if self._stopped.is_set():
                run.detach()
                return
            for event in run.events():
                self.output.take(event)
                if event.kind == "input_request":
                    self._asks(self, event)
                elif event.kind in ("input_reply", "end"):
                    self._asks(self, None)
                self._changed()
                if self._stopped.is_set():
                    return
        except (AuthenticationError, HostKeyError) as error:
            error.hint = f"Connect to {self.found.host} in the panel, where you are asked."
            self.output.tell(problem_of(error))
        except RemoteError as error:
            self.output.tell(problem_of(error))
        except OSError as error:
            self.output.tell(problem_of(RemoteError(f"the output can't be kept here: {error}")))
        finally:
            self._changed()

    def _link(self, state: LinkState) -> None:
        problem = None
        if not state.up:
            text = f"the link to {state.host} is down: {state.why}".rstrip(": ")
            problem = problem_of(RemoteError(text, host=state.host, hint="It is tried again by itself."))
        self.output.tell(problem)
        self._changed()


class Following:
    """All runs that are followed. Used in the loop.

    Args:
        bridge: has the threads for answers.
        prompts: where questions of the code are put.
        limit: bytes of text that are kept of one run.
        changed: called in the loop when there is something new.
    """

    def __init__(self, bridge: Bridge, prompts: Prompts, limit: int, changed: Callable[[], None]) -> None:
        self._bridge = bridge
        self._prompts = prompts
        self._limit = limit
        self._changed = changed
        self._known: dict[str, Followed] = {}
        self._told = False

    def known(self, run_id: str) -> Output | None:
        """The output of a run that is followed or was."""
        found = self._known.get(run_id)
        return None if found is None else found.output

    def get(self, found: Found) -> Output:
        """The output of a run, which is followed from now on.

        Raises:
            Busy: too many are.
        """
        one = self._known.get(found.id)
        if one is None:
            self._make_room()
            state = str(found.row.get("state") or "queued")
            one = Followed(found, Output(found.id, state, self._limit), self._news, self._asked)
            self._known[found.id] = one
        one.used = time.monotonic()
        one.begin()
        return one.output

    def hosts(self) -> set[str]:
        """The hosts whose links are in use."""
        return {one.found.host for one in self._known.values() if one.busy}

    def sweep(self, wanted: set[str]) -> None:
        """Lets go of those that nobody wants or has looked at for a while."""
        now = time.monotonic()
        for run_id, one in list(self._known.items()):
            if run_id in wanted:
                one.used = now
            elif now - one.used > KEPT_S:
                self._drop(run_id)

    def close(self) -> list[threading.Thread]:
        """Follows none any more; returns the threads that are still to end."""
        threads = [one.end() for one in self._known.values()]
        for run_id in list(self._known):
            self._drop(run_id)
        return [thread for thread in threads if thread is not None]

    def _make_room(self) -> None:
        idle = sorted((one for one in self._known.values() if not one.busy), key=lambda one: one.used)
        for one in idle[: max(0, len(self._known) - MOST + 1)]:
            self._drop(one.found.id)
        if len(self._known) >= MOST:
            raise Busy(f"the output of {MOST} runs is followed already", hint="Close some of their views.")

    def _drop(self, run_id: str) -> None:
        one = self._known.pop(run_id)
        thread = one.end()
        self._prompts.withdraw(run=run_id)

        def close() -> None:
            if thread is not None:
                thread.join(5)
            one.output.close()

        try:
            self._bridge.start(close)
        except Busy:
            close()  # the server ends

    def _news(self) -> None:
        # Of a thousand events a second the loop hears once, until it has looked.
        if not self._told:
            self._told = True
            self._bridge.post(self._look)

    def _look(self) -> None:
        self._told = False
        self._changed()

    # Questions of the code.

    def _asked(self, one: Followed, event: Event | None) -> None:
        if event is None:
            self._bridge.post(lambda: self._prompts.withdraw(run=one.found.id))
        else:
            self._bridge.start(lambda: self._put(one, event))

    def _put(self, one: Followed, event: Event) -> None:
        run, request = one.run, int(event.data["request"])
        try:
            if run is None or run.question() != request:
                return  # it is of the past
        except RemoteError:
            return

        def take(answer: Secret | None) -> None:
            if answer is not None:
                self._bridge.start(lambda: _reply(run, request, answer))

        question = Question(
            kind="input",
            text=str(event.data.get("prompt", ""))[-8000:],
            secret=bool(event.data.get("password")),
            host=one.found.host,
            run=one.found.id,
            take=take,
        )
        self._bridge.post(self._prompts.put, question)


def _reply(run: Run, request: int, answer: str) -> None:
    with contextlib.suppress(RemoteError):  # the link is down, and the question is still open there
        run.answer(request, str(answer))
