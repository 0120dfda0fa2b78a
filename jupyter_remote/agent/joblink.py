"""How a supervisor is reached that runs as a job: by a relay beside it, by its mailbox, or not yet at all."""

from __future__ import annotations

import os
import sys
import threading
import time

from . import jobs
from . import messages as m
from .launch import boot_argv
from .mailbox import Mailbox, Pace, listing
from .paths import read_json, remove_tree
from .relay import Relay
from .rundir import FINAL_STATES, RunDir
from .sessions import NoSession, SessionEnded, SupervisorLink, folder_of
from .settling import settle
from .wire import Frame

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# How long the processes of a run that is to end may take before its job is cancelled.
PATIENCE = 8.0
CANCELLED = "cancelled while it waited in the queue"

_relays: dict[str, Relay] = {}
_relays_lock = threading.Lock()


def launch(state: str, folder: str, spec: dict[str, Any]) -> JobLink:
    """Submits the job of a session.

    Raises:
        jobs.Refused: it was not taken.
        OSError: a folder could not be written.
    """
    record = jobs.submit(state, folder, spec)
    # What its supervisor has written meanwhile, where it has been waited for.
    return JobLink(state, read_json(os.path.join(folder, "session.json")) or record)


def connect(state: str, record: dict[str, Any]) -> JobLink | None:
    """A connection to the session of that ``session.json``, None when its job is over."""
    if jobs.is_over(state, record):
        return None
    return JobLink(state, record)


def _relay(record: dict[str, Any]) -> Relay | None:
    """The way to the supervisor's socket, when there is one already; begun when there is none."""
    argv = record["launcher"].get("relay")
    if not argv or not record.get("socket"):
        return None
    key = record["job"]["key"]
    with _relays_lock:
        found = _relays.get(key)
        if found is None:
            far = boot_argv([sys.executable, "-I", "-S"], "relay", record["socket"])
            number = jobs.number_of(record["mailbox"])
            at = argv.index("{relay}")
            words = [*argv[:at], *far, *argv[at + 1 :]]
            try:
                found = _relays[key] = Relay([word.replace("{id}", number) for word in words])
            except OSError:
                return None
    return found if found.ready and not found.over else None


def _straight(record: dict[str, Any]) -> SupervisorLink | None:
    """A connection to the supervisor's socket, where its folder is on this machine."""
    try:
        return SupervisorLink(record["socket"]) if record["launcher"].get("direct") else None
    except (OSError, KeyError):
        return None  # it has not started yet, or has its socket elsewhere: there is the mailbox


class JobLink(SupervisorLink):
    """A connection to the supervisor of a job: by a relay where there is one, by its mailbox where not.

    Args:
        state: state folder.
        record: ``session.json`` of its session.
    """

    def __init__(self, state: str, record: dict[str, Any]) -> None:
        self._state = state
        self._record = record
        self._place: str = record["mailbox"]
        tasks = record["job"].get("tasks")
        self._boxes = [Mailbox(os.path.join(self._place, "tasks", t)) for t in tasks or ()] or [
            Mailbox(self._place)
        ]
        self.watches = 0
        self._watch: m.Watch | None = None
        self._posted: list[str] = []
        relay = _relay(record) if not tasks else None
        self._direct = SupervisorLink("", relay.open()) if relay is not None else _straight(record)

    @property
    def started(self) -> bool:
        """Whether its supervisor has been there."""
        return any("beat" in listing(box.folder) for box in self._boxes)

    def send(self, message: m.Message, payload: bytes = b"") -> None:
        """Sends a request."""
        if self._direct is not None:
            self._direct.send(message, payload)
        elif isinstance(message, m.Watch):
            self._watch = message
        else:
            try:
                self._posted = [box.post(message, payload) for box in self._boxes]
            except FileNotFoundError:
                raise BrokenPipeError("it takes no more requests") from None

    def receive(self, timeout: float | None = None) -> Frame | None:
        """The next answer, None when it has gone.

        Raises:
            TimeoutError: nothing came in time (seconds).
        """
        if self._direct is not None:
            return self._direct.receive(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        pace = Pace()
        while True:
            frame = self._look()
            if frame is not None:
                return frame
            pace.nothing()
            if deadline is not None and time.monotonic() + pace.left > deadline:
                raise TimeoutError
            if jobs.over(self._place):
                return self._look()
            time.sleep(pace.left)

    def _look(self) -> Frame | None:
        if self._watch is None:
            return next(filter(None, (b.answered(n) for b, n in zip(self._boxes, self._posted))), None)
        run = RunDir(self._state, self._watch.run_id)
        seq = run.newest()
        if seq <= self._watch.seq:
            return None
        self._watch = None
        return Frame(1, m.Grew(seq), b"")

    def ask(self, message: m.Message, payload: bytes = b"", timeout: float | None = 30) -> m.Message:
        """Sends a request and returns its answer; what can wait for a job that waits is not waited for.

        Args:
            message: the request.
            payload: bytes that belong to it.
            timeout: seconds; None for ever.

        Raises:
            NoSession: it did not answer in time, or still waits in the queue.
            SessionEnded: it went away instead of answering.
        """
        if isinstance(message, m.Execute):
            facts = dict(self._record["job"], id=jobs.number_of(self._place))
            message = m.Execute(dict(message.run, job=facts), {}, None, message.secrets)
            if self._direct is None:
                return self._enqueue(message, payload)
        elif isinstance(message, m.Signal) and message.level == 2:
            self._see_to_it(message.run_id)
        if self._direct is None and not self.started:
            if isinstance(message, m.Signal) and self._withdraw(message.run_id):
                return m.Facts({})
            if not isinstance(message, (m.Put, m.Signal, m.StopSession)):
                raise NoSession("its job has not started yet")
            timeout = 0
        try:
            return super().ask(message, payload, timeout)
        except NoSession:
            if timeout:
                raise
            return m.Facts({})

    def _enqueue(self, message: m.Execute, code: bytes) -> m.Message:
        run = RunDir(self._state, message.run["id"])
        record = dict(message.run, session=self._record["name"], state="queued", created=time.time())
        record["env_names"] = sorted({**(record.get("env") or {}), **(message.secrets or {})})
        try:
            run.create(record, code)
        except FileExistsError:
            return m.Accepted(run.record() or {"id": run.id})
        except OSError as error:
            return m.Failure("os", str(error), details={"errno": error.errno})
        try:
            self.send(m.Execute(dict(record, posted=1), {}, None, message.secrets), code)
        except OSError as error:
            remove_tree(run.path)
            raise SessionEnded(str(error)) from None
        return m.Accepted(record)

    # Ending it.

    def _withdraw(self, run_id: str) -> bool:
        """Takes a run back that waits; False when its supervisor has just taken it."""

        def ours(request: m.Message) -> bool:
            return isinstance(request, m.Execute) and request.run["id"] == run_id

        if not sum(box.withdraw(ours) for box in self._boxes):  # from all of them
            return False
        try:
            if not any(box.waiting() for box in self._boxes):
                self.cancel(CANCELLED)
        finally:  # last: who sees the end may go at once, and this agent with it
            settle(RunDir(self._state, run_id), "stopped", 130, CANCELLED)
        return True

    def cancel(self, why: str | None = None) -> None:
        """Has the scheduler end it; with a reason it never ran, and is over at once.

        Raises:
            NoSession: the scheduler did not take it.
        """
        script, number = os.path.join(self._place, "script"), jobs.number_of(self._place)
        words = self._record["launcher"]["cancel"]
        argv = [word.replace("{script}", script).replace("{id}", number) for word in words]
        if why is not None:
            try:
                super().ask(m.StopSession(), timeout=0)  # should it start all the same
            except NoSession:
                pass
        code, out, said = jobs.command(argv, jobs.SUBMIT_S)
        if code:
            raise NoSession(f"{argv[0]} could not end the job: {said or out.strip()}")
        if why is not None:
            jobs.note_end(self._place, f"130\n{why}\n")
            remove_tree(folder_of(self._state, self._record["name"]))

    def _see_to_it(self, run_id: str) -> None:
        """Cancels the job when its supervisor doesn't end the run."""

        def watch() -> None:
            run, deadline = RunDir(self._state, run_id), time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if (run.record() or {}).get("state", "lost") in FINAL_STATES:
                    return
                time.sleep(0.1)
            try:
                self.cancel()
            except NoSession:
                pass  # the next stop tries again, and the scheduler's word is shown meanwhile

        threading.Thread(target=watch, daemon=True).start()

    def leave(self) -> None:
        """As :meth:`close`: the next run may have a better way."""
        self.close()

    def close(self) -> None:
        """Ends the connection; the session goes on."""
        if self._direct is not None:
            self._direct.close()


def stop(state: str, record: dict[str, Any]) -> bool:
    """Ends a session with its job; returns whether there was one.

    Raises:
        NoSession: the scheduler did not take it.
    """
    link = connect(state, record)
    if link is None:
        return False
    place = record["mailbox"]
    if link.started:
        try:
            link.ask(m.StopSession(record["name"]), timeout=5)
        except NoSession:
            pass  # it ends, or is silent
        deadline = time.monotonic() + PATIENCE
        while not jobs.over(place):
            if time.monotonic() > deadline:
                link.cancel()
                break
            time.sleep(0.05)
    else:
        for run_id in _waiting(place, record):
            settle(RunDir(state, run_id), "stopped", 130, CANCELLED)
        link.cancel(CANCELLED)
    link.close()
    return True


def _waiting(place: str, record: dict[str, Any]) -> list[str]:
    found: list[str] = []

    def note(request: m.Message) -> bool:
        if isinstance(request, m.Execute):
            found.append(str(request.run["id"]))
            return True
        return False

    for task in record["job"].get("tasks") or [""]:
        Mailbox(os.path.join(place, "tasks", task) if task else place).withdraw(note)
    return list(dict.fromkeys(found))
