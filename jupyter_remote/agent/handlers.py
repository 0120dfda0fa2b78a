"""What each request of a client does, in the agent. The agent itself remembers nothing: the disk does."""

from __future__ import annotations

import json
import threading

from . import live, sessions, shared
from . import messages as m
from .capsule import Capsule
from .failures import os_failure
from .follow import follow
from .handlers_host import HostHandlers
from .paths import expand, with_place
from .rundir import FINAL_STATES, RunDir
from .streams import PIECE, Cancelled, Stream
from .wire import Frame

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .tree import Mirror

FEW = 20


class Handlers:
    """The verbs.

    Args:
        state: state folder of this host.
    """

    def __init__(self, state: str) -> None:
        self.state = state
        self.capsule = Capsule(state)
        self._mirrors: dict[str, Mirror] = {}
        # Outcomes of Sync and Put by their streams, for the Execute that was sent right behind them.
        self._syncs: dict[int, bool] = {}
        self._sync_done = threading.Condition()
        self._verbs: dict[type[m.Message], Callable[[Stream, Any, bytes], None]] = {
            m.Ping: self.ping,
            m.Inventory: self.inventory,
            m.Sync: self.sync,
            m.Blocks: self.blocks,
            m.Find: self.find,
            m.Fetch: self.fetch,
            m.Look: self.look,
            m.WasPut: self.was_put,
            m.Execute: self.execute,
            m.Attach: self.attach,
            m.CallBack: self.call_back,
            m.Signal: self.signal,
            m.Answer: self.live,
            m.Asked: self.live,
            m.Consult: self.live,
            m.Tail: self.tail,
            m.OpenSession: self.open_session,
            m.ListRuns: self.list_runs,
            m.ReadRun: self.read_run,
            m.ChangeRuns: self.change_runs,
            m.Amend: self.amend,
            m.Clean: self.clean,
            m.Put: self.put,
            m.Take: self.take,
            **HostHandlers(state).verbs,
        }

    def __call__(self, stream: Stream, frame: Frame) -> None:
        """Runs the verb and turns what goes wrong into a Failure."""
        verb = self._verbs.get(type(frame.message))
        try:
            if verb is None:
                raise ValueError(f"{type(frame.message).__name__} is not a request")
            verb(stream, frame.message, frame.payload)
        except Cancelled:
            raise
        except sessions.NoSession as error:
            stream.send(m.Failure("launch", str(error), details=getattr(error, "details", None)))
        except OSError as error:
            stream.send(os_failure(error))
        except ValueError as error:
            stream.send(m.Failure("usage", str(error)))
        except Exception as error:
            import traceback  # a fault of ours: 5 ms don't matter now

            details = {"traceback": traceback.format_exc()}
            stream.send(m.Failure("agent", f"{type(error).__name__}: {error}", details=details))

    def ping(self, stream: Stream, _message: m.Ping, _payload: bytes) -> None:
        """Answers."""
        stream.send(m.Facts({}))

    # The workspace.

    def _mirror(self, workspace: str) -> Mirror:
        from .tree import Mirror

        path = expand(workspace)
        if path not in self._mirrors:
            self._mirrors[path] = Mirror(path)
        return self._mirrors[path]

    def inventory(self, stream: Stream, message: m.Inventory, _payload: bytes) -> None:
        """Tells what the mirror holds."""
        from .inventory import write

        mirror = self._mirror(message.workspace)
        # First, because what was received may be what a killed commit has left.
        received = mirror.received()
        generation, entries = mirror.inventory()
        stream.send_all(write(generation, entries, received, mirror.old()))

    def blocks(self, stream: Stream, message: m.Blocks, _payload: bytes) -> None:
        """Tells of the blocks of large files."""
        contents = [(str(digest), int(size)) for digest, size in message.contents]
        pending: list[bytes] = []
        size = 0
        for piece in self._mirror(message.workspace).blocks(contents):
            pending.append(piece)
            size += len(piece)
            if size >= PIECE:
                stream.send(m.Data(), b"".join(pending))
                pending, size = [], 0
        stream.send(m.Data(), b"".join(pending))
        stream.send(m.End())

    def sync(self, stream: Stream, message: m.Sync, _payload: bytes) -> None:
        """Applies a change set."""
        from .entry import BadContent, Stale, TreeError
        from .staging import MissingContent

        done = False
        try:
            mirror = self._mirror(message.workspace)
            applied = mirror.apply(message.generation, message.owner, stream.reader(), message.yields)
            done = True
        except Stale as stale:
            stream.send(m.Failure("stale", str(stale), details={"generation": stale.current}))
            return
        except MissingContent as missing:
            stream.send(m.Failure("missing", str(missing), details={"digests": missing.digests}))
            return
        except BadContent as changed:
            stream.send(m.Failure("changed", str(changed)))
            return
        except TreeError as error:
            stream.send(m.Failure("sync", str(error)))
            return
        finally:
            self._note_outcome(stream, done)
        facts = {
            "generation": applied.generation,
            "kept": [list(pair) for pair in applied.kept],
            "old": applied.old,
        }
        stream.send(m.Facts(facts))

    def _note_outcome(self, stream: Stream, done: bool) -> None:
        with self._sync_done:
            self._syncs[stream.number] = done
            self._sync_done.notify_all()

    def _outcome(self, number: int) -> bool:
        with self._sync_done:
            self._sync_done.wait_for(lambda: number in self._syncs)
            return self._syncs[number]

    def find(self, stream: Stream, message: m.Find, _payload: bytes) -> None:
        """Tells what of the mirror matches."""
        import zlib

        from .artifacts import find
        from .entry import FILE
        from .patterns import Patterns

        packer, pending = zlib.compressobj(1), b""
        for found in find(expand(message.workspace), Patterns(message.patterns)):
            if message.since and (found.kind != FILE or found.mtime_ns < message.since):
                continue
            pending += packer.compress(json.dumps(found, separators=(",", ":")).encode("ascii") + b"\n")
            if len(pending) >= PIECE:
                stream.send(m.Data(), pending)
                pending = b""
        stream.send(m.Data(), pending + packer.flush())
        stream.send(m.End())

    def fetch(self, stream: Stream, message: m.Fetch, payload: bytes) -> None:
        """Sends files of the mirror."""
        from .artifacts import send

        for piece in send(expand(message.workspace), json.loads(payload), bool(message.content)):
            stream.send(m.Data(), piece)
        stream.send(m.End())

    def look(self, stream: Stream, message: m.Look, payload: bytes) -> None:
        """Tells what became of files that were pulled."""
        import zlib

        from .artifacts import look_at

        wanted = json.loads(zlib.decompress(payload))
        stream.send(m.Facts({"states": look_at(expand(message.workspace), wanted)}))

    def was_put(self, stream: Stream, message: m.WasPut, payload: bytes) -> None:
        """Tells whether a client has what a sync put here."""
        import zlib

        was_put = self._mirror(message.workspace).was_put
        rows = json.loads(zlib.decompress(payload))
        stream.send(m.Facts({"put": "".join("01"[was_put(*row)] for row in rows)}))

    # Runs.

    def execute(self, stream: Stream, message: m.Execute, payload: bytes) -> None:
        """Starts a run and shows it."""
        if message.after is not None and not self._outcome(message.after):
            stream.send(m.Failure("sync", "the workspace could not be brought there"))
            return
        if message.values is not None and not self._outcome(message.values):
            stream.send(m.Failure("usage", "the variables could not be brought there"))
            return
        spec = with_place(message.session)
        if message.generation is not None:
            current = self._mirror(spec["workspace"]).generation()
            if current != message.generation:
                stream.send(m.Failure("stale", "the mirror has changed", details={"generation": current}))
                return
        run = RunDir(self.state, message.run["id"])
        mirror = self._mirror(spec["workspace"])
        record = self.capsule.known(message.run, mirror, spec["workspace"])
        link = sessions.for_run(self.state, spec)
        message = m.Execute(record, {}, None, message.secrets)
        try:
            answer = link.ask(message, payload)
        except sessions.SessionEnded:
            # It was about to end, and never saw the run, or it saw it: then the next one refuses the id.
            link.close()
            link = sessions.ensure(self.state, spec)
            answer = link.ask(message, payload)
        if isinstance(answer, m.Failure):
            link.close()
            stream.send(os_failure(OSError((answer.details or {}).get("errno") or 0, answer.message)))
            return
        if isinstance(answer, m.Accepted) and answer.run.get("state") == "running":
            stream.hold(answer)
        else:
            stream.send(answer)
        self.capsule.complete(record, mirror, spec["workspace"])
        follow(stream, self.state, run, 0, link)

    def put(self, stream: Stream, message: m.Put, _payload: bytes) -> None:
        """Keeps variables for a run."""
        from .exchange import keep

        done = False
        try:
            keep(self.state, with_place(message.session), message.run_id, stream.reader())
            done = True
        finally:
            self._note_outcome(stream, done)
        stream.send(m.Facts({}))

    def take(self, stream: Stream, message: m.Take, _payload: bytes) -> None:
        """Gives a run's variables away."""
        from .exchange import give

        give(RunDir(self.state, message.run_id), stream)

    def open_session(self, stream: Stream, message: m.OpenSession, _payload: bytes) -> None:
        """Starts a session ahead of its first run."""
        sessions.ensure(self.state, with_place(message.session)).close()
        stream.send(m.Facts({}))

    def attach(self, stream: Stream, message: m.Attach, _payload: bytes) -> None:
        """Shows a run that was started before."""
        run = RunDir(self.state, message.run_id)
        record = run.record()
        if record is None:
            raise ValueError(f"there is no run {message.run_id} here")
        stream.send(m.Accepted(record))
        follow(stream, self.state, run, message.seq, None, message.printed)

    def call_back(self, stream: Stream, message: m.CallBack, payload: bytes) -> None:
        """Gives what a front end says to the widgets of a session."""
        from .callback import call_back

        call_back(stream, self.state, message, payload)

    def signal(self, stream: Stream, message: m.Signal, _payload: bytes) -> None:
        """Interrupts or ends a run."""
        record = RunDir(self.state, message.run_id).record()
        if record is None:
            raise ValueError(f"there is no run {message.run_id} here")
        link = None if record["state"] in FINAL_STATES else sessions.connect(self.state, record["session"])
        if link is not None:
            try:
                link.ask(message)
            except sessions.NoSession:
                pass  # it has just ended, which is what was wanted
            finally:
                link.close()
        stream.send(m.Facts({"state": record["state"]}))

    def live(self, stream: Stream, message: m.Message, payload: bytes) -> None:
        """Asks a live session, or hands it an answer."""
        stream.send(live.ask(self.state, message, payload))

    # The records of runs.

    def list_runs(self, stream: Stream, message: m.ListRuns, _payload: bytes) -> None:
        """Tells of the newest runs that match."""
        from .records import newest

        _send_json(stream, newest(self.state, message.query))

    def read_run(self, stream: Stream, message: m.ReadRun, _payload: bytes) -> None:
        """Tells all of one run."""
        from .records import read

        _send_json(stream, read(self.state, message.run_id))

    def change_runs(self, stream: Stream, message: m.ChangeRuns, _payload: bytes) -> None:
        """Labels, deletes, restores or purges runs."""
        from .records import change

        stream.send(m.Facts(change(self.state, message.action, list(message.run_ids), message.text)))

    def amend(self, stream: Stream, message: m.Amend, payload: bytes) -> None:
        """Notes what the client learned of a run."""
        facts, told = dict(message.facts), {}
        if payload:
            text = payload.decode("utf-8", "replace")
            facts["diff"] = told["diff"] = shared.put(self.state, shared.DIFFS, text)
            shared.refer(self.state, shared.DIFFS, told["diff"], message.run_id)
        RunDir(self.state, message.run_id).note(facts)
        stream.send(m.Facts(told))

    def clean(self, stream: Stream, message: m.Clean, payload: bytes) -> None:
        """Removes leftovers."""
        import zlib

        from .leftovers import clean

        only = json.loads(zlib.decompress(payload)) if payload else None
        told = clean(self.state, message.options, only)
        self._mirrors.clear()
        _send_json(stream, told)

    def tail(self, stream: Stream, message: m.Tail, _payload: bytes) -> None:
        """Sends what a run has printed."""
        from .tail import last_lines, newest

        run = RunDir(self.state, message.run_id)
        record = run.record()
        if record is None:
            raise ValueError(f"there is no run {message.run_id} here")
        seq, end = newest(run)
        path = run.output_path
        if message.rank is not None:
            from .ranklog import find

            path, end = find(self.state, run, record, message.rank)
        stream.send(m.Facts({"run": record, "seq": seq}))
        for piece in last_lines(path, message.lines, end):
            stream.send(m.Data(), piece)
        stream.send(m.End())


def _send_json(stream: Stream, value: Any) -> None:
    from .inventory import pack

    stream.send_all(pack(value))
