"""One call on several hosts: started on all at once, followed to all ends, each with its own.

A thread for each host starts its run and takes its events; all showing is done by the thread that waits, in
the order in which things came. How it looks is the view's business (`host_areas.py`), who is who `ranks.py`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from . import crew
from .arriving import arrival_line, arriving
from .call import Start
from .errors import AuthenticationError, HostKeyError, HostsFailed, Interrupted, PromptCancelled, RemoteError
from .group import Group, Part
from .ladder import LAST, Ladder
from .link_line import link_line
from .parsing import Values
from .pool import connect_all
from .progress_bar import ProgressBar
from .run_results import gather
from .status_line import status_words
from .sync.moment import called

if TYPE_CHECKING:
    from .artifacts import Artifact
    from .events import Event
    from .linkstate import LinkState
    from .run import Run

# Starting costs files read and bytes sent, so it has a bound; waiting for the ends has none, because ranks
# that wait for each other must all be there.
STARTING_AT_ONCE = 16
# How many events may wait to be shown; what is more waits on the hosts.
_WAITING = 512
# Windows hands an interrupt to a thread only between two waits.
_TICK_S = 0.5
FOLDER = "pulled"


class View(Protocol):
    """Shows what happens on several hosts. All calls come from one thread."""

    def started(self, host: str, run: Run) -> None:
        """Takes the run of a host."""

    def event(self, host: str, event: Event) -> None:
        """Shows an event."""

    def line(self, host: str, text: str) -> None:
        """Shows a line that lasts."""

    def passing(self, host: str, text: str) -> None:
        """Shows a line until the next, or until "" takes it away."""

    def ended(self, host: str, run: Run | None, error: RemoteError | None) -> None:
        """Shows how it ended there."""

    def settle(self, last: bool = False) -> float | None:
        """Shows what was held back and is due, or all of it; returns in how many seconds more will be.

        Args:
            last: nothing more will come.
        """


# What starts the run of one host.
Starter = Callable[[Part], Start]


class Several:
    """The runs of one call.

    Args:
        hosts: their names, in the order of the ranks.
        starter: makes the start of one host's run.
        values: of the options; `quiet`, `pull`, `env` and `pass_env` matter.
        view: shows them.
    """

    def __init__(self, hosts: Sequence[str], starter: Starter, values: Values, view: View) -> None:
        self.failures: dict[str, RemoteError] = {}
        self._group = Group(connect_all(hosts), values)
        self._starter = starter
        self._values = values
        self._view = view
        self._happened: queue.Queue[Callable[[], None]] = queue.Queue(_WAITING)
        self._starting = threading.BoundedSemaphore(STARTING_AT_ONCE)
        self._called = time.monotonic()
        self._ladder = Ladder()
        self._open = set(hosts)
        self._unsorted: dict[str, Run] = {}
        self._left = False

    @property
    def runs(self) -> dict[str, Run]:
        """The runs that were started, by host, in the order of the ranks."""
        return {part.name: self._unsorted[part.name] for part in self.parts if part.name in self._unsorted}

    @property
    def parts(self) -> Sequence[Part]:
        """The hosts, in the order of the ranks."""
        return self._group.parts

    def start(self) -> None:
        """Start all runs and return when each has started or failed; nobody follows them.

        Raises:
            HostsFailed: some could not be started; the others go on.
        """
        self._work(self._only_start)
        self.check()

    def follow(self) -> None:
        """Start all runs and show them until the last has ended.

        Raises:
            HostsFailed: some of them failed, or could not be started.
            Interrupted: interrupted three times here; the runs may go on there.
        """
        self._work(self._to_the_end)
        self.check()

    def check(self) -> None:
        """Raises when something failed.

        Raises:
            HostsFailed: names each.
        """
        if self.failures:
            ordered = {p.name: self.failures[p.name] for p in self.parts if p.name in self.failures}
            raise HostsFailed(ordered, len(self.parts))

    # The thread that waits.

    def _work(self, what: Callable[[Part], None]) -> None:
        for part in self.parts:
            crew.begin(partial(self._in_thread, what, part), f"jupyter-remote {part.name}")
        try:
            with self._ladder.on_signal():
                while self._open:
                    self._show_next()
        except KeyboardInterrupt:
            if self._ladder.presses < LAST:
                # Off the main thread, where no handler can be set, the first interrupt is the only one.
                self._ladder.press()
            raise Interrupted(self._unended()) from None
        except BrokenPipeError:
            for run in self.runs.values():
                run.interrupt()
            raise
        finally:
            self._left = True
            self._view.settle(last=True)

    def _show_next(self) -> None:
        due = self._view.settle() if self._happened.empty() else _TICK_S
        try:
            happened = self._happened.get(timeout=_TICK_S if due is None else min(due, _TICK_S))
        except queue.Empty:
            return
        happened()

    def _unended(self) -> str:
        going = [f"{run.id} on {host}" for host, run in self.runs.items() if not run.done]
        never = [part.name for part in self.parts if part.name in self._open and part.name not in self.runs]
        said = f"stopped waiting for {', '.join(going) or 'the hosts'}"
        if never:
            said += f"; nothing is known yet of {', '.join(never)}"
        return f"{said}; `%remote attach ID` comes back to a run, `%remote runs stop ID` ends it"

    def _ask_here(self, part: Part, answer: _Answer) -> None:
        """Connects in this thread, where a question reaches the user."""
        from .transports.prompt import can_ask

        try:
            if can_ask():
                part.remote.connection()
                answer.connected = True
        except RemoteError as error:
            answer.error = error
        finally:
            answer.there.set()

    def _close(self, part: Part, error: RemoteError | None) -> None:
        self._open.discard(part.name)
        if error is not None:
            self.failures[part.name] = error
        self._view.ended(part.name, self._unsorted.get(part.name), error)

    # The thread of one host.

    def _in_thread(self, what: Callable[[Part], None], part: Part) -> None:
        from .transports.prompt import handed_over

        handed_over.set(True)
        called.set(self._called)
        failed: RemoteError | None = None
        try:
            what(part)
        except _LeftError:
            return
        except RemoteError as error:
            failed = error
        except Exception as error:  # a fault of ours: who waits must not wait for ever
            failed = RemoteError(f"{type(error).__name__}: {error}", host=part.name)
        finally:
            self._group.gone(part)
        with suppress(_LeftError):
            self._post(partial(self._close, part, failed))

    def _post(self, happened: Callable[[], None]) -> None:
        while not self._left:
            try:
                return self._happened.put(happened, timeout=_TICK_S)
            except queue.Full:
                pass
        raise _LeftError

    def _only_start(self, part: Part) -> None:
        self._unsorted[part.name] = self._start(part)

    def _start(self, part: Part) -> Run:
        part.on_link = lambda state: self._tell(part, _link_text(state))
        with self._starting:
            self._connect(part)
        self._group.meet(part)
        with self._starting:
            if self._ladder.presses:
                raise Interrupted("interrupted before its run was started", host=part.name)
            with self._bar(part) as bar:
                run = self._starter(part)(bar)
        return run

    def _connect(self, part: Part) -> None:
        try:
            part.remote.connection()
        except PromptCancelled:
            raise
        except (AuthenticationError, HostKeyError):
            # No thread but the main one may ask; the next try is made there.
            answer = _Answer()
            self._post(partial(self._ask_here, part, answer))
            while not answer.there.wait(_TICK_S):
                if self._left:
                    raise _LeftError from None
            if answer.error is not None:
                raise answer.error from None
            if not answer.connected:
                raise

    def _to_the_end(self, part: Part) -> None:
        run = self._start(part)
        self._unsorted[part.name] = run
        self._post(partial(self._view.started, part.name, run))
        self._ladder.add(run)
        for path, kept in run.sync_report.kept if run.sync_report else ():
            self._say(part, f"{path} had changed there too; that version is now {kept}")
        run.on_link = lambda state: self._tell(part, _link_text(state))
        run.on_job = lambda words: self._tell(part, words and status_words(part.name, words, None))
        waited = False

        def take(event: Event) -> None:
            nonlocal waited
            self._post(partial(self._view.event, part.name, event))
            if event.kind == "state" and (waited or event.data.get("reason")):
                waited = True
                self._tell(part, str(event.data.get("reason") or ""))  # what it waits for, for example a GPU

        if part.remote.host.sync.pull or self._values["pull"]:
            folder = by_host(part.remote.workspace, part.name)
            with arriving(run, self._values["pull"], lambda one: self._announce(part, one), folder):
                run.wait(take)
            self._bring(part, run, folder)
        else:
            run.wait(take)
        gather(run)
        run.check()

    def _announce(self, part: Part, artifact: Artifact) -> bool:
        if not self._values["quiet"]:
            self._say(part, arrival_line(part.name, artifact).partition(": ")[2])
        return True

    def _bring(self, part: Part, run: Run, folder: Path) -> None:
        from .pulling import brought

        quiet = self._values["quiet"]
        patterns = self._values["pull"]
        with self._bar(part) as bar:
            lines = brought(part.remote, run, patterns, quiet=quiet, progress=bar, output=folder)
        if lines and not quiet:
            lines.append(f"into {FOLDER}/{part.name}/, because several hosts ran this")
        for line in lines:
            self._say(part, line)

    def _bar(self, part: Part) -> ProgressBar:
        return ProgressBar(part.name, lambda line: self._tell(part, line))

    def _say(self, part: Part, text: str) -> None:
        self._post(partial(self._view.line, part.name, text))

    def _tell(self, part: Part, text: str) -> None:
        self._post(partial(self._view.passing, part.name, text))


class _LeftError(Exception):
    """Nobody waits any more."""


class _Answer:
    """What became of a try to connect in the thread that may ask."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.connected = False
        self.error: RemoteError | None = None


def by_host(workspace: Path, host: str) -> Path:
    """The folder for what one of several hosts made: `pulled/HOST`, which neither git nor a sync takes."""
    folder = workspace / FOLDER
    try:
        folder.mkdir()
    except FileExistsError:
        pass  # whose ever it is, its rules are not ours to change
    else:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder / host


def _link_text(state: LinkState) -> str:
    return "" if state.up else link_line(state)
