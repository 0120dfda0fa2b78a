"""The supervisor: owns one session's processes, and appends every event before anyone sees it.

One thread, one selector. It outlives the link, the agent and the client. It never reads a request from
the network: only the agents of the same user reach its socket (mode 0600).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time

from . import messages as m
from .child import CHUNK
from .consults import Consults
from .control import Control, listen, wake_on_signals
from .ladder import GRACE, Ladder
from .leasing import Leasing
from .paths import read_json, remove_tree
from .processes import adopt_orphans, end_family, identity, mark
from .rundir import RunDir
from .turns import Turns
from .workplace import Workplace

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .mailbox import Mailbox

UNUSED = 60.0
# How often a log on a file system that other machines read is brought there, in seconds.
FLUSH = 0.05
# Output is let gather for a tick when it has come more often than MANY times since a window began.
WINDOW, MANY, TICK = 0.1, 20, 0.002


class Supervisor:
    """The loop of one session.

    Args:
        state: state folder of the host.
        folder: folder of this session, which holds ``session.json``.
    """

    def __init__(self, state: str, folder: str) -> None:
        self.state = state
        self.record: dict[str, Any] = read_json(os.path.join(folder, "session.json")) or {}
        self.name: str = self.record["name"]
        self.selector = selectors.DefaultSelector()
        self.control = Control(self.selector, self._request, self._newest)
        self.identity = identity(os.getpid())
        self.mark = mark(self.identity)
        self.place = Workplace(self.selector, folder, self.record, self.mark, self._output)
        self.window, self.rounds = 0.0, 0
        self.flushed = 0.0
        self.box: Mailbox | None = None
        if self.record.get("mailbox"):
            from .mailbox import Mailbox  # only where the socket can't be reached

            self.box = Mailbox(self.record["mailbox"])
            self.control.mail = self.box.answer
        ladder = Ladder(self.mark)
        leasing = Leasing(self.selector, state, self.record)
        notify = self.control.notify
        self.turns = Turns(state, folder, self.name, self.identity, self.place, ladder, leasing, notify)
        consults = Consults(self.turns, self.control.answer)
        self.control.consult, self.turns.consulted = consults.ask, consults.told

    # The loop.

    def run(self, listener: socket.socket) -> None:
        """Serves until the session ends."""
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        while not self._done():
            ready = self.selector.select(self._patience())
            if ready and all(key.data == "pipe" for key, _ in ready) and self._dribbles(len(ready)):
                time.sleep(TICK)
            # Pipes first: what was printed before a message must stand before it in the log.
            for key, _ in sorted(ready, key=lambda item: item[0].data != "pipe"):
                if key.data == "pipe":
                    self.place.printed(key.fd)
                elif key.data == "channel":
                    self.turns.from_worker()
                elif key.data == "listener":
                    self.control.accept(listener)
                elif key.data == "lease":
                    self.turns.from_seeker()
                elif key.data == "wakeup":
                    os.read(key.fd, 512)
                else:
                    self.control.read(key.fileobj)
            self.turns.reap()
            self.turns.deadlines()
            self.control.notify()
            self._mail()
        end_family(os.getpid(), self.mark, GRACE)
        self.place.release()
        self.turns.leasing.release()

    def _dribbles(self, pipes: int) -> bool:
        # A flood of single lines costs one switch and one line of the index each. Waiting a moment lets the
        # pipe gather them, which holds nobody up: it has room, and a person doesn't see 2 ms.
        now = time.monotonic()
        if now > self.window:
            self.window, self.rounds = now + WINDOW, 0
        self.rounds += pipes
        return self.rounds > MANY and self.place.waiting() < CHUNK // 4

    def _mail(self) -> None:
        if self.box is None:
            return
        if not self.box.pace.left:
            for name, frame in self.box.take():
                self.control.posted(name, frame.message, frame.payload)
        self.box.beat()
        run, now = self.turns.active, time.monotonic()
        if run is not None and now - self.flushed > FLUSH and run.flush():
            self.flushed = now

    def leave(self) -> None:
        """Ends the session as soon as its processes are gone."""
        self.turns.leaving = True

    def terminated(self) -> None:
        """SIGTERM: somebody ends the session, or a scheduler ends its job; only that one knows why."""
        self.turns.abandoned = bool(self.record.get("job"))
        self.leave()

    def _done(self) -> bool:
        # Nothing may be put into a mailbox that nobody empties any more.
        return self._over() and (self.box is None or self.box.close() or self.turns.abandoned)

    def _over(self) -> bool:
        turns = self.turns
        if turns.busy:
            return False
        if turns.leaving or (self.record.get("one_run") and turns.served):
            return True
        # A process for one run whose client went away before it sent any is of no use to anybody.
        left = self._idle_left()
        return left is not None and left < 0

    def _idle_left(self) -> float | None:
        idle = UNUSED if self.record.get("one_run") else self.record.get("idle")
        return None if idle is None else float(idle) - (time.monotonic() - self.turns.last_used)

    def _patience(self) -> float:
        if self.turns.ladder.climbing:
            return 0.02
        # waitpid is looked at when a pipe closes, and now and then for a child that closed its own.
        most = 0.25 if self.turns.active is not None and not self.turns.leasing.seeking else 5.0
        if self.box is not None:
            run = self.turns.active
            most = min(most, self.box.pace.left, FLUSH if run is not None and run.unflushed else most)
        return most

    def _output(self, kind: str, data: bytes) -> bool:
        return self.turns.output(kind, data)

    # Requests of agents.

    def _request(self, message: m.Message, payload: bytes) -> m.Message:
        if isinstance(message, m.Execute):
            answer = self.turns.enqueue(message, payload)
            if isinstance(answer, m.Failure) and message.run.get("posted"):
                from .settling import settle  # nobody waits for the answer

                settle(RunDir(self.state, message.run["id"]), "failed", 1, answer.message)
            return answer
        if isinstance(message, m.Signal):
            self.turns.interrupt(message)
        elif isinstance(message, m.Answer):
            return self.turns.answer(message)
        elif isinstance(message, m.Asked):
            run = self.turns.find(message.run_id)
            return m.Facts({} if run is None or run.question is None else {"request": run.question})
        elif isinstance(message, m.Status):
            return m.Facts(self._facts())
        elif isinstance(message, m.Put):
            self.turns.last_used = time.monotonic()
        elif isinstance(message, m.StopSession):
            self.leave()
        return m.Facts({})

    def _facts(self) -> dict[str, Any]:
        active = self.turns.active
        left = None if self.turns.busy else self._idle_left()
        return {
            "name": self.name,
            "pid": os.getpid(),
            "python": self.record.get("python"),
            "workspace": self.record.get("workspace"),
            "started": self.record.get("started"),
            "worker": self.place.child.pid if self.place.child else None,
            "active": active.id if active else None,
            "waits": active.record.get("waits") if active else None,
            "leased": self.turns.leasing.leased,
            "queued": [run.id for run in self.turns.queue],
            "idle_seconds": round(time.monotonic() - self.turns.last_used, 1) if not active else 0,
            "ends_in": None if left is None else max(round(left), 0),
        }

    @property
    def exit_code(self) -> int:
        """What its own process ends with, which is what a scheduler sees of a run."""
        if self.turns.abandoned:
            return 128 + signal.SIGTERM
        return self.turns.exit_code if self.record.get("one_run") else 0

    def _newest(self, run_id: str) -> int | None:
        run = self.turns.find(run_id)
        return None if run is None else run.seq


def main() -> None:
    """Entry point; the arguments are ``state folder, session folder, fd to report to, fd of the lock``.

    The last two are -1 when nobody waits: it is the process of a job then.
    """
    state, folder, report, lock = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    supervisor = Supervisor(state, folder)
    wake_on_signals(supervisor.selector)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.terminated())
    listener, path = listen(folder)
    supervisor.record.update(supervisor=supervisor.identity, socket=path, started=time.time())
    supervisor.place.save()
    supervisor.turns.reserve.make()
    if report >= 0:
        os.write(report, b"ok")
        os.close(report)
        os.close(lock)  # from here on whoever looks at the folder finds a live supervisor in it
    if supervisor.record.get("one_run") != "program":
        try:
            supervisor.place.start_worker()
        except OSError:
            pass  # tried again, and told, when the first run comes
    adopt_orphans()
    try:
        supervisor.run(listener)
    finally:
        listener.close()
        os.unlink(path)
        # Out of the way at once: a successor may be making a folder of the same name already.
        aside = os.path.join(os.path.dirname(folder), f".{os.uname().nodename}-{os.getpid()}")
        try:
            os.rename(folder, aside)
        except FileNotFoundError:
            pass  # a successor has done it
        remove_tree(aside)
    sys.exit(supervisor.exit_code)
