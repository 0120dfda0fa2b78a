"""Whose turn it is: the runs of one session, one at a time, from the request to the end.

Sockets and the loop are the supervisor's, the process is the workplace's; here is what happens to runs.
"""

from __future__ import annotations

import time
from collections import deque

from . import endings, shared, usage
from . import messages as m
from .active import ActiveRun
from .ladder import GRACE, Ladder
from .leasing import InUse
from .memory import kills
from .processes import ended_children
from .remaining import left
from .reserve import Reserve
from .rundir import RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .leasing import Leasing
    from .workplace import Workplace

# Seconds for which what the kernel has killed isn't counted again: a small cell takes less than that.
LATELY = 1.0
# A scheduler ends the processes of a job one by one.
SAME_MOMENT = 0.2


class Turns:
    """The run that has its turn, and those that wait.

    Args:
        state: state folder of the host.
        folder: folder of this session.
        session: name of the session.
        identity: the supervisor's.
        place: where the session's process is; its output is to be given to :meth:`output`.
        ladder: how the processes are ended.
        leasing: the session's GPUs.
        tell: tells those who watch that a log has grown.
    """

    def __init__(
        self,
        state: str,
        folder: str,
        session: str,
        identity: dict[str, Any],
        place: Workplace,
        ladder: Ladder,
        leasing: Leasing,
        tell: Callable[[], None],
    ) -> None:
        self.state = state
        self.folder = folder
        self.session = session
        self.identity = identity
        self.place = place
        self.ladder = ladder
        self.leasing = leasing
        self.active: ActiveRun | None = None
        self.queue: deque[ActiveRun] = deque()
        self.leaving = False
        self.served = False
        self.abandoned = False  # a scheduler has ended it: the end of a run is left to who knows why
        self.exit_code = 0  # of the last run
        self.last_used = time.monotonic()
        self.consulted: Callable[[m.Consulted], None] = lambda _: None
        self.reserve = Reserve(folder)
        self._tell = tell
        self._count()
        self._environment: str | None = None  # digest of what the worker says of its packages

    def _count(self) -> None:
        self._kills, self._counted = kills(), time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether something runs, waits, or is being ended."""
        return bool(self.active or self.queue or self.ladder.climbing)

    def find(self, run_id: str) -> ActiveRun | None:
        """The run of that id, None when it is over or not ours."""
        if self.active is not None and self.active.id == run_id:
            return self.active
        return next((run for run in self.queue if run.id == run_id), None)

    # From the request to the process.

    def enqueue(self, message: m.Execute, code: bytes) -> m.Message:
        """Starts the run, or lets it wait for its turn; answers with its record."""
        secrets = message.secrets or {}
        record = dict({"created": time.time()}, **message.run)
        record.update(session=self.session, state="queued")
        posted = record.pop("posted", None)
        record["env_names"] = sorted({**(record.get("env") or {}), **secrets})
        record["supervisor"] = self.identity
        try:
            folder = RunDir(self.state, message.run["id"])
            cap = self.place.record.get("log_cap")
            run = ActiveRun(folder, record, code, secrets, self.reserve.give_up, cap, bool(posted))
            at_once = self._idle() and self.place.ready and record["kind"] != "program"
            at_once = at_once and not self.leasing.needs(record)
            if at_once and self.place.child is not None:
                run.enter("running", worker=self.place.child.identity)
            run.create()
        except FileExistsError:
            self.served = True  # it is another supervisor's, if it isn't ours
            return m.Accepted(folder.record() or {"id": folder.id})
        except (OSError, ValueError, KeyError) as error:
            return m.Failure("os", str(error), details={"errno": getattr(error, "errno", None)})
        if at_once:
            self.active, run.kills = run, self._kills
            self._hand_over(run)
        else:
            self.queue.append(run)
            self._next()
        return m.Accepted(record)

    def _idle(self) -> bool:
        return self.active is None and not self.ladder.climbing and not self.queue and not self.leaving

    def _next(self) -> None:
        if self.active is None and not self.ladder.climbing and self.queue:
            run = self.active = self.queue.popleft()
            run.kills = self._kills
            if not self._seeks(run):
                self._start(run)

    def _seeks(self, run: ActiveRun) -> bool:
        """Whether it has to wait for GPUs, or can't get any."""
        if not self.leasing.needs(run.record):
            return False
        try:
            return self.leasing.seek(run.record, self.place.child.pid if self.place.child else None)
        except InUse as error:
            end = f"`jupyter remote sessions stop HOST {self.session}`"
            hint = f"Take --fresh or another --session, or end this one: {end}."
            self._failed_to_start(str(error), 1, "LeaseError", hint)
        except OSError as error:
            self._failed_to_start(endings.cannot_start(error), 127)
        return True

    def from_seeker(self) -> None:
        """Takes what the process says that gets GPUs for the run."""
        for told in self.leasing.told():
            run = self.active
            if run is None:
                return
            if "waits" in told:
                run.waits(told["waits"])
            elif "refused" in told:
                self._failed_to_start(told["refused"], 1, "LeaseError", told["hint"])
            else:
                for text in told["warnings"]:
                    run.output("stderr", f"jupyter_remote: {text}\n".encode())
                self._start(run)

    def _start(self, run: ActiveRun) -> None:
        if self.leasing.leased:
            run.record["leased"] = self.leasing.leased
        run.enter("starting")
        try:
            self._begin(run)
        except OSError as error:
            self._failed_to_start(endings.cannot_start(error), 127)

    def _begin(self, run: ActiveRun) -> None:
        if run.record["kind"] == "program":
            given = {**run.secrets, **(self.leasing.visible or {})}
            child = self.place.start_program(run.record, run.folder, run.code, given)
            run.enter("running", worker=child.identity)
        elif self.place.child is None:
            self.place.start_worker()
        elif self.place.ready:
            run.enter("running", worker=self.place.child.identity)
            self._hand_over(run)

    def _hand_over(self, run: ActiveRun) -> None:
        child = self.place.child
        assert child is not None
        if self._environment is not None:
            run.record["environment"] = self._environment
        if self.place.record.get("in_env"):
            run.record["in_env"] = self.place.record["in_env"]
        spec = {"cwd": run.record.get("cwd"), "env": run.record.get("env"), "blobs": run.folder.blobs_path}
        spec["kind"] = run.record["kind"]
        if self.leasing.visible is not None:
            spec["visible"] = self.leasing.visible
            if self.leasing.leased:
                run.record["leased"] = self.leasing.leased
        if run.record.get("send") or run.record.get("fetch"):
            from .exchange import incoming  # few runs have any

            spec["variables"] = {
                "load": incoming(self.folder, run.id) if run.record.get("send") else None,
                "fetch": run.record.get("fetch"),
                "save": run.folder.variables_path,
                "pickle": run.record.get("trust") == "pickle",
            }
        child.tell(m.Execute(run=spec, session={}, secrets=run.secrets), run.code)

    def _end(self, state: str, exit_code: int) -> None:
        run, self.active = self.active, None
        assert run is not None
        if run.full is not None and state != "stopped":
            state, exit_code = "failed", 1
        if state == "stopped":
            run.left = left(self.ladder.marker, self.place.child, bool(self.leasing.leased))
        self._close(run, state, exit_code)
        self._next()

    def _cancel(self, run: ActiveRun) -> None:
        self.queue.remove(run)
        self._close(run, "stopped", endings.INTERRUPTED)

    def _close(self, run: ActiveRun, state: str, exit_code: int) -> None:
        self.served = True
        self.last_used = time.monotonic()
        self.exit_code = exit_code
        if self.abandoned:
            run.abandon()
        else:
            run.end(state, exit_code)
        self._tell()  # nobody has to wait for the record, which takes longer than a small cell
        run.close()
        if state != "finished" or self.last_used - self._counted > LATELY:
            self._count()  # for the next run, which is not to wait for it
        if "environment" in run.record:
            self._quietly(shared.refer, shared.ENVIRONMENTS, run.record["environment"], run.id)
        if run.record.get("send"):
            from .exchange import discard

            # A run that was stopped before its turn did not take them; a broken link may bring them twice.
            discard(self.folder, run.id)

    def _surveyed(self, facts: dict[str, Any]) -> None:
        self._environment = self._quietly(shared.put, shared.ENVIRONMENTS, facts)

    def _quietly(self, do: Callable[..., str | None], *arguments: Any) -> str | None:
        try:
            return do(self.state, *arguments)
        except OSError:
            return None  # a full disk, and no reason to end a session

    def _failed_to_start(self, why: str, exit_code: int, kind: str = "LaunchError", hint: str = "") -> None:
        assert self.active is not None
        told = {"kind": "error", "ename": kind, "evalue": why, "traceback": []}
        self.active.event(dict(told, hint=hint) if hint else told)
        self._end("failed", exit_code)

    # Stopping.

    def interrupt(self, message: m.Signal) -> None:
        """Interrupts a run, or ends its processes."""
        run = self.find(message.run_id)
        if run is None:
            return
        if run is not self.active:
            self._cancel(run)
        elif self.leasing.seeking:
            self._seeks_no_more(run, "interrupted while it waited for GPUs")
        elif message.level == 1 and run.state == "starting" and run.record["kind"] != "program":
            # No code runs yet, and an interrupt would only break the interpreter that starts.
            run.reason = "interrupted before it started"
            self._end("stopped", endings.INTERRUPTED)
        elif message.level == 1 and self.place.child is not None:
            self.place.child.interrupt()
        else:
            self._terminate("its processes were ended")

    def _seeks_no_more(self, run: ActiveRun, reason: str) -> None:
        self.leasing.cancel()
        run.reason = reason
        self._end("stopped", endings.INTERRUPTED)

    def _terminate(self, reason: str) -> None:
        assert self.active is not None
        if not self.active.stopping:
            self.active.stopping = True
            self.active.reason = reason
            self.ladder.start()

    def deadlines(self) -> None:
        """Ends what is to be ended; called whenever the loop comes round."""
        now = time.monotonic()
        for waiting in list(self.queue) if self.leaving else []:
            self._cancel(waiting)
        run = self.active
        if run is not None and self.leasing.seeking and (self.leaving or run.full is not None):
            self._seeks_no_more(run, str(run.reason or "the session was stopped"))
            run = None
        if run is not None and self.leaving:
            self._terminate("the session was stopped")
        if run is not None and run.full is not None and not run.stopping:
            self._terminate(str(run.reason))
        child = self.place.child
        if not self.ladder.climbing and self.place.setup_hangs():
            self.ladder.start()
        if run is not None and run.deadline is not None and now > run.deadline and child is not None:
            first, run.timed_out = not run.timed_out, True
            if first:
                run.reason = f"over its time limit of {run.record['timeout']:g} s"
            if first and run.state == "running":
                run.deadline = now + GRACE
                child.interrupt()
            else:  # an interpreter that doesn't start has nothing to interrupt
                self._terminate(str(run.reason))
                run.deadline = None
        if self.ladder.top():
            self.reap()  # it may have died since the last look
            self._child_gone()

    # What the process does.

    def output(self, kind: str, data: bytes) -> bool:
        """Takes what was printed; False when no run has its turn."""
        if self.active is None:
            return False
        self.active.output(kind, data)
        return True

    def from_worker(self) -> None:
        """Takes what the worker says."""
        for message in self.place.messages():
            if isinstance(message, m.Ready):
                self.place.ready = True
                self.place.record["facts"] = message.facts
                run, child = self.active, self.place.child
                ours = run is not None and not run.stopping and not self.leasing.seeking
                if run is not None and ours and child is not None:
                    run.enter("running", worker=child.identity)
                    self._hand_over(run)
            elif isinstance(message, m.Happened):
                if self.active is not None:
                    self.active.happened(message.event)
                if self.place.child is not None:
                    self.place.child.acknowledge()
            elif isinstance(message, m.Consulted):
                self.consulted(message)
            elif isinstance(message, m.Surveyed):
                self._surveyed(message.facts)
            elif isinstance(message, m.Finished) and self.active is not None and not self.active.stopping:
                self.active.record["used"] = message.used
                self._end(*endings.of_cell(self.active, message.outcome))

    def answer(self, message: m.Answer) -> m.Message:
        """Hands an answer over to the code that asked; the first one counts."""
        run, child = self.active, self.place.child
        if run is None or run.id != message.run_id or child is None or child.channel is None:
            return m.Facts({"taken": 0})
        if not run.answered(message.request, str(message.secrets.get("how", "text"))):
            return m.Facts({"taken": 0})
        child.tell(message)
        return m.Facts({"taken": 1})

    def reap(self) -> None:
        """Takes the ends of children, adopted ones too."""
        for pid, status, used in ended_children():
            if self.place.child is not None and pid == self.place.child.pid:
                self.place.child.ended(status)
                if self.active is not None and self.active.record["kind"] == "program":
                    self.active.record["used"] = usage.of_program(used)
                if not self.ladder.climbing:
                    self._child_gone()

    def _child_gone(self) -> None:
        child, run = self.place.child, self.active
        if child is None:
            return
        self.place.drain()
        was_ready, said, setup = self.place.ready, self.place.setup_tail, self.place.setup_failure()
        code = child.exit_code if child.exit_code is not None else 137
        if code > 128 and self.place.record.get("job") and run is not None and not run.stopping:
            time.sleep(SAME_MOMENT)  # whoever ended it may be ending all of the job
        self.place.release()
        if run is None or self.leasing.seeking:
            return
        if run.stopping:
            self._end(*endings.of_stopped(run, code))
        elif self.abandoned:
            self._end("stopped", code)
        elif setup is not None:
            self._failed_to_start(f"env_setup of {run.record.get('host', 'the host')} {setup}", code or 1)
        elif not was_ready:
            self._failed_to_start(said or f"the interpreter ended with exit code {code}", code or 1)
        elif run.record["kind"] == "program":
            run.reason = run.reason or endings.of_kill(run, code)
            self._end(*endings.of_program(run, code))
        else:
            said = endings.death(run, code)
            run.event({"kind": "error", "ename": "WorkerDied", "evalue": said, "traceback": []})
            self._end("failed", code or 1)
