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
from collections import deque

from . import endings
from . import messages as m
from .active import ActiveRun
from .control import Control, listen, wake_on_signals
from .launch import boot_argv, environment, interpreter, program, working_folder
from .paths import read_json, remove_tree, write_json
from .processes import adopt_orphans, end_family, family, identity, mark, send
from .rundir import RunDir
from .wire import encode
from .workplace import Workplace

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .child import Child

GRACE = 2.0
UNUSED = 60.0
# A file that is given up when the disk is full, so that the end of the log can still be written.
RESERVE = "reserve"
RESERVED = bytes(1 << 16)


class Supervisor:
    """The loop of one session.

    Args:
        state: state folder of the host.
        folder: folder of this session, which holds ``session.json``.
    """

    def __init__(self, state: str, folder: str) -> None:
        self.state = state
        self.folder = folder
        self.record: dict[str, Any] = read_json(os.path.join(folder, "session.json")) or {}
        self.name: str = self.record["name"]
        self.selector = selectors.DefaultSelector()
        self.control = Control(self.selector, self._request, self._newest)
        self.identity = identity(os.getpid())
        self.mark = mark(self.identity)
        self.place = Workplace(self.selector, folder, self._output)
        self.active: ActiveRun | None = None
        self.queue: deque[ActiveRun] = deque()
        self.kill_at: float | None = None
        self.leaving = False
        self.served = False
        self.last_used = time.monotonic()

    # The loop.

    def run(self, listener: socket.socket) -> None:
        """Serves until the session ends."""
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        while not self._done():
            ready = self.selector.select(self._patience())
            # Pipes first: what was printed before a message must stand before it in the log.
            for key, _ in sorted(ready, key=lambda item: item[0].data != "pipe"):
                if key.data == "pipe":
                    self.place.printed(key.fd)
                elif key.data == "channel":
                    self._from_worker()
                elif key.data == "listener":
                    self.control.accept(listener)
                elif key.data == "wakeup":
                    os.read(key.fd, 512)
                else:
                    self.control.read(key.fileobj)
            self._reap()
            self._deadlines()
            self.control.notify()
        self._leave()

    def _done(self) -> bool:
        if self.active or self.queue or self.kill_at is not None:
            return False
        if self.leaving or (self.record.get("one_run") and self.served):
            return True
        # A process for one run whose client went away before it sent any is of no use to anybody.
        idle = UNUSED if self.record.get("one_run") else self.record.get("idle")
        return idle is not None and time.monotonic() - self.last_used > float(idle)

    def _patience(self) -> float:
        if self.kill_at is not None:
            return 0.02
        if self.active is not None:
            # waitpid is looked at when a pipe closes, and now and then for a child that closed its own.
            return 0.25
        return 5.0

    def _leave(self) -> None:
        end_family(os.getpid(), self.mark, GRACE)
        self.place.release()

    # Requests of agents.

    def _request(self, message: m.Message, payload: bytes) -> m.Message:
        if isinstance(message, m.Execute):
            return self._enqueue(message, payload)
        if isinstance(message, m.Signal):
            self._signal(message)
        elif isinstance(message, m.Status):
            return m.Facts(self._facts())
        elif isinstance(message, m.StopSession):
            self.leaving = True
        return m.Facts({})

    def _facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pid": os.getpid(),
            "python": self.record.get("python"),
            "workspace": self.record.get("workspace"),
            "started": self.record.get("started"),
            "worker": self.place.child.pid if self.place.child else None,
            "active": self.active.id if self.active else None,
            "queued": [run.id for run in self.queue],
            "idle_seconds": round(time.monotonic() - self.last_used, 1) if not self.active else 0,
        }

    def _newest(self, run_id: str) -> int | None:
        run = self._find(run_id)
        return None if run is None else run.seq

    def _find(self, run_id: str) -> ActiveRun | None:
        if self.active is not None and self.active.id == run_id:
            return self.active
        return next((run for run in self.queue if run.id == run_id), None)

    # Runs.

    def _enqueue(self, message: m.Execute, code: bytes) -> m.Message:
        secrets = message.secrets or {}
        record = dict(message.run, session=self.name, state="queued", created=time.time())
        record["env_names"] = sorted({**(record.get("env") or {}), **secrets})
        record["supervisor"] = self.identity
        try:
            folder = RunDir(self.state, message.run["id"])
            run = ActiveRun(folder, record, code, secrets, self._make_room)
            at_once = self._idle() and self.place.ready and record["kind"] == "cell"
            if at_once and self.place.child is not None:
                run.enter("running", worker=self.place.child.identity)
            run.create()
        except FileExistsError:
            return m.Accepted(folder.record() or {"id": folder.id})
        except (OSError, ValueError, KeyError) as error:
            return m.Failure("os", str(error), details={"errno": getattr(error, "errno", None)})
        if at_once:
            self.active = run
            self._hand_over(run)
        else:
            self.queue.append(run)
            self._next()
        return m.Accepted(record)

    def _idle(self) -> bool:
        return self.active is None and self.kill_at is None and not self.queue and not self.leaving

    def _next(self) -> None:
        if self.active is None and self.kill_at is None and self.queue:
            run = self.active = self.queue.popleft()
            run.enter("starting")
            try:
                self._begin(run)
            except OSError as error:
                self._failed_to_start(endings.cannot_start(error), 127)

    def _begin(self, run: ActiveRun) -> None:
        if run.record["kind"] == "program":
            self._start_program(run)
        elif self.place.child is None:
            self.start_worker()
        elif self.place.ready:
            run.enter("running", worker=self.place.child.identity)
            self._hand_over(run)

    def _hand_over(self, run: ActiveRun) -> None:
        child = self.place.child
        assert child is not None and child.channel is not None
        spec = {"cwd": run.record.get("cwd"), "env": run.record.get("env"), "blobs": run.folder.blobs_path}
        message = m.Execute(run=spec, session={}, secrets=run.secrets)
        child.channel.sendall(encode(0, message, run.code))

    def _end(self, state: str, exit_code: int) -> None:
        run, self.active = self.active, None
        assert run is not None
        if run.full is not None and state != "stopped":
            state, exit_code = "failed", 1
        self._close(run, state, exit_code)
        self._next()

    def _cancel(self, run: ActiveRun) -> None:
        self.queue.remove(run)
        self._close(run, "stopped", endings.INTERRUPTED)

    def _close(self, run: ActiveRun, state: str, exit_code: int) -> None:
        self.served = True
        self.last_used = time.monotonic()
        run.end(state, exit_code)
        self.control.notify()  # nobody has to wait for the record, which takes longer than a small cell
        run.close()

    def _make_room(self) -> None:
        reserve = os.path.join(self.folder, RESERVE)
        if os.path.exists(reserve):
            os.unlink(reserve)

    def _failed_to_start(self, why: str, exit_code: int) -> None:
        assert self.active is not None
        self.active.event({"kind": "error", "ename": "LaunchError", "evalue": why, "traceback": []})
        self._end("failed", exit_code)

    # Stopping.

    def _signal(self, message: m.Signal) -> None:
        run = self._find(message.run_id)
        if run is None:
            return
        if run is not self.active:
            self._cancel(run)
        elif run.state == "starting" and run.record["kind"] == "cell":
            # No code runs yet, and an interrupt would only break the interpreter that starts.
            run.reason = "interrupted before it started"
            self._end("stopped", endings.INTERRUPTED)
        elif message.level == 1 and self.place.child is not None:
            self.place.child.interrupt()
        else:
            self._terminate("its processes were ended")

    def _terminate(self, reason: str) -> None:
        assert self.active is not None
        if not self.active.stopping:
            self.active.stopping = True
            self.active.reason = reason
            send(family(os.getpid(), self.mark), signal.SIGTERM)
            self.kill_at = time.monotonic() + GRACE

    def _deadlines(self) -> None:
        now = time.monotonic()
        for waiting in list(self.queue) if self.leaving else []:
            self._cancel(waiting)
        run = self.active
        if run is not None and self.leaving:
            self._terminate("the session was stopped")
        if run is not None and run.full is not None and not run.stopping:
            self._terminate(str(run.reason))
        if (
            run is not None
            and run.deadline is not None
            and now > run.deadline
            and self.place.child is not None
        ):
            if not run.timed_out:
                run.timed_out = True
                run.reason = f"over its time limit of {run.record['timeout']:g} s"
                run.deadline = now + GRACE
                self.place.child.interrupt()
            else:
                self._terminate(str(run.reason))
                run.deadline = None
        if self.kill_at is None:
            return
        left = family(os.getpid(), self.mark)
        if left and now > self.kill_at:
            send(left, signal.SIGKILL)
        elif not left:
            self._reap()  # it may have died since the last look
            self.kill_at = None
            self._child_gone()

    # The worker or the program.

    def start_worker(self) -> None:
        """Starts the interpreter of the session.

        Raises:
            OSError: it could not be started.
        """
        python = interpreter(str(self.record.get("python") or "python3"))
        argv = boot_argv([python, "-u"], "worker")
        self._spawn(argv, environment(self.record), working_folder(self.record, None), channel=True)

    def _start_program(self, run: ActiveRun) -> None:
        argv, env = program(self.record, run.record, run.folder, run.code, run.secrets)
        child = self._spawn(argv, env, working_folder(self.record, run.record.get("cwd")), channel=False)
        run.enter("running", worker=child.identity)

    def _spawn(self, argv: list[str], env: dict[str, str], cwd: str, channel: bool) -> Child:
        setup = str(self.record.get("env_setup") or "")
        child = self.place.start(argv, env, cwd, self.mark, setup, channel)
        self.record["worker"] = child.identity
        self.save()
        return child

    def save(self) -> None:
        """Writes the session's record."""
        write_json(os.path.join(self.folder, "session.json"), self.record)

    def _output(self, kind: str, data: bytes) -> bool:
        if self.active is None:
            return False
        self.active.output(kind, data)
        return True

    def _from_worker(self) -> None:
        for message in self.place.messages():
            if isinstance(message, m.Ready):
                self.place.ready = True
                self.record["facts"] = message.facts
                if self.active is not None and self.place.child is not None:
                    self.active.enter("running", worker=self.place.child.identity)
                    self._hand_over(self.active)
            elif isinstance(message, m.Happened):
                if self.active is not None:
                    self.active.event(message.event)
                if self.place.child is not None:
                    self.place.child.acknowledge()
            elif isinstance(message, m.Finished) and self.active is not None and not self.active.stopping:
                self._end(*endings.of_cell(self.active, message.outcome))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.place.child is not None and pid == self.place.child.pid:
                self.place.child.ended(status)
                if self.kill_at is None:
                    self._child_gone()

    def _child_gone(self) -> None:
        child, run = self.place.child, self.active
        if child is None:
            return
        self.place.drain()
        was_ready, said = self.place.ready, self.place.setup_tail
        code = child.exit_code if child.exit_code is not None else 137
        self.place.release()
        if run is None:
            return
        if run.stopping:
            self._end(*endings.of_stopped(run, code))
        elif not was_ready:
            self._failed_to_start(said or f"the interpreter ended with exit code {code}", code or 1)
        elif run.record["kind"] == "program":
            self._end(*endings.of_program(run, code))
        else:
            run.event(
                {"kind": "error", "ename": "WorkerDied", "evalue": endings.death(code), "traceback": []}
            )
            self._end("failed", code or 1)


def main() -> None:
    """Entry point: ``state folder, session folder, fd to report to`` are the arguments."""
    state, folder, report = sys.argv[1], sys.argv[2], int(sys.argv[3])
    supervisor = Supervisor(state, folder)
    wake_on_signals(supervisor.selector)
    signal.signal(signal.SIGTERM, lambda *_: setattr(supervisor, "leaving", True))
    listener, path = listen(folder)
    supervisor.record.update(supervisor=supervisor.identity, socket=path, started=time.time())
    supervisor.save()
    with open(os.path.join(folder, RESERVE), "wb") as file:
        file.write(RESERVED)
    os.write(report, b"ok")
    os.close(report)
    if supervisor.record.get("one_run") != "program":
        try:
            supervisor.start_worker()
        except OSError:
            pass  # tried again, and told, when the first run comes
    adopt_orphans()
    try:
        supervisor.run(listener)
    finally:
        listener.close()
        os.unlink(path)
        remove_tree(folder)
