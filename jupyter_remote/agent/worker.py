"""The worker: the user's interpreter, which runs cells one after the other in one namespace.

It talks only to its supervisor, over an inherited socket: cells in, events out. How a cell is run is the
shell's business (``shell_ipython`` where IPython can be imported, ``shell_plain`` where not).
"""

from __future__ import annotations

import binascii
import json
import os
import signal
import socket
import sys
import threading

from . import messages as m
from . import usage
from .asking import Asking
from .inbox import Inbox
from .interrupts import Held
from .launch import CHANNEL
from .output import Pace, unbuffer_c
from .rundir import LARGEST_LINE, write_blob
from .wire import encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol

    Publish = Callable[..., None]

    class Shell(Protocol):
        """Runs cells in one namespace."""

        @property
        def namespace(self) -> dict[str, Any]:
            """The user's variables."""

        def run(self, code: str) -> str:
            """Runs one cell; returns ``ok``, ``error`` or ``interrupted``."""

        def hear(self, messages: str) -> str:
            """Gives messages of the front end (JSON) to the widgets; returns as :meth:`run`."""

        def complete(self, code: str, cursor: int) -> dict[str, Any]:
            """What may stand at the cursor."""

        def inspect(self, code: str, cursor: int, detail: int) -> dict[str, Any]:
            """Help on what stands at the cursor."""


# How long after a cell nothing else must come before the time is used for something of ours.
PAUSE = 0.5


class Worker:
    """Runs what the supervisor sends.

    Args:
        channel: the socket to the supervisor.
        ack: pipe on which it acknowledges each event.
    """

    def __init__(self, channel: socket.socket, ack: int) -> None:
        self._channel = channel
        self._ack = ack
        self._lock = threading.Lock()
        self._blobs = ""
        self._inbox = Inbox(channel)
        self._asking = Asking(self._inbox, self.publish)
        self._pace = Pace()
        sys.stdout = self._pace.open(1)
        sys.stderr = self._pace.open(2)
        self._pace.start()
        self._asking.install()
        self._flush_c = unbuffer_c()
        self._used = False
        self._before_lease: dict[str, str | None] = {}
        self._seen: tuple[Any, ...] | None = None
        # A forked child must never answer in the session's name.
        os.register_at_fork(after_in_child=self._channel.close)

    def publish(self, kind: str, **event: Any) -> None:
        """Sends one event and waits until it is in the log; a large one goes through a file beside it.

        Waiting is what keeps the order: what is printed next must not overtake the event.
        """
        self._pace.flush()
        event["kind"] = kind
        content = json.dumps(event, default=_plain).encode("ascii")
        if len(content) > LARGEST_LINE:
            event = {"kind": kind, "blob": write_blob(self._blobs, content), "n": len(content)}
        else:
            event = json.loads(content)
        with Held(), self._lock:
            self._channel.sendall(encode(0, m.Happened(event)))
            os.read(self._ack, 1)

    def serve(self, shell: Shell) -> None:
        """Runs cells until the supervisor goes."""
        signal.signal(signal.SIGINT, _too_late)
        facts = {
            "python": sys.version.split()[0],
            "executable": sys.executable,
            "shell": type(shell).__name__,
        }
        self._look_around()
        self._channel.sendall(encode(0, m.Ready(facts)))
        while True:
            try:
                if not self._inbox.look(PAUSE if self._used else None):
                    self._used = False
                    self._look_around()
            except EOFError:
                return
            while frame := self._inbox.next():
                if isinstance(frame.message, m.Execute):
                    self._run(shell, frame.message, frame.payload.decode("utf-8"))
                elif isinstance(frame.message, m.Consult):
                    self._consult(shell, frame.message, frame.payload.decode("utf-8"))

    def _consult(self, shell: Shell, message: m.Consult, code: str) -> None:
        from .introspection import consult  # most sessions are asked nothing

        facts = consult(shell, message, code)
        self._pace.flush()  # what it printed is no cell's
        with self._lock:
            self._channel.sendall(encode(0, m.Consulted(message.number, facts)))

    def _look_around(self) -> None:
        """Tells which packages there are, when that may have changed since it was told last."""
        try:
            seen = usage.look()
            if seen != self._seen:
                self._seen = seen
                facts = usage.survey()
                with self._lock:
                    self._channel.sendall(encode(0, m.Surveyed(facts)))
        except Exception:
            pass  # whatever the user's code has done to the interpreter: no cell may fail of this

    def _run(self, shell: Shell, message: m.Execute, code: str) -> None:
        self._blobs = message.run["blobs"]
        given = {k: str(v) for k, v in {**(message.run.get("env") or {}), **(message.secrets or {})}.items()}
        if "visible" in message.run:
            self._see(message.run["visible"])
        before = {name: os.environ.get(name) for name in given}
        home = None
        outcome = "interrupted"
        before_cpu = usage.seconds()
        try:
            os.environ.update(given)
            if message.run.get("cwd"):
                home = os.getcwd()
                os.chdir(os.path.expanduser(message.run["cwd"]))
            self._pace.begin()
            self._asking.open = True
            # Python's own handler, so that no frame of ours is in the traceback of an interrupt.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if message.run["kind"] == "cell":
                outcome = self._cell(shell, message.run.get("variables"), code)
            else:
                outcome = shell.hear(code)
            signal.signal(signal.SIGINT, _too_late)
        except KeyboardInterrupt:
            pass
        except OSError as error:
            outcome = "error"
            self.publish("error", ename=type(error).__name__, evalue=str(error), traceback=[str(error)])
        finally:
            signal.signal(signal.SIGINT, _too_late)
            # A debugger that steps out of the cell must not stop in our frames when nobody can be asked any
            # more. Here and not in a function, which it would step into; a tracer of another kind stays.
            bdb = sys.modules.get("bdb")
            if bdb is not None and isinstance(getattr(sys.gettrace(), "__self__", None), bdb.Bdb):
                sys.settrace(None)
            self._asking.open = False
            self._restore(before, home)
        self._flush_c()
        self._pace.end()
        with self._lock:
            self._channel.sendall(encode(0, m.Finished(outcome, usage.of_cell(before_cpu))))
        self._used = True

    def _cell(self, shell: Shell, variables: dict[str, Any] | None, code: str) -> str:
        """Runs one cell, between the variables that come before it and those that are wanted after it."""
        if variables is None:
            return shell.run(code)
        from . import exchange, parcel  # most cells need none of it

        outcome = "error"
        try:
            if variables["load"]:
                exchange.load(variables["load"], shell.namespace, variables["pickle"])
            outcome = shell.run(code)
            # As here: when the cell has failed, nothing that comes after it happens.
            if outcome == "ok" and variables["fetch"]:
                outcome = "error"
                exchange.save(variables["save"], variables["fetch"], shell.namespace, variables["pickle"])
                outcome = "ok"
        except (parcel.Refused, parcel.Broken, OSError) as error:
            told = "\n".join(filter(None, (str(error), getattr(error, "hint", ""))))
            self.publish("error", ename="VariableError", evalue=told, traceback=[told])
        return outcome

    def _see(self, visible: dict[str, str]) -> None:
        # Which GPUs there are: for this cell and all later ones, until another lease says otherwise.
        for name in visible:
            self._before_lease.setdefault(name, os.environ.get(name))
        self._restore({k: v for k, v in self._before_lease.items() if k not in visible}, None)
        os.environ.update(visible)

    @staticmethod
    def _restore(before: dict[str, str | None], home: str | None) -> None:
        # Variables and folder given for one run end with it; what the code itself set in a session stays.
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if home is not None:
            os.chdir(home)


def _too_late(_number: int, _frame: Any) -> None:
    """Between two cells there is nothing to interrupt: the signal came a moment too late."""


def _plain(value: object) -> str:
    # As in the Jupyter message format: binary forms of a display travel in base64.
    return (
        binascii.b2a_base64(value, newline=False).decode("ascii") if isinstance(value, bytes) else str(value)
    )


def make_shell(publish: Publish) -> Shell:
    """IPython's shell where it can be imported, our own otherwise."""
    try:
        from .shell_ipython import IPythonShell

        return IPythonShell(publish)
    except ImportError:
        from .shell_plain import PlainShell

        return PlainShell(publish)


def main() -> None:
    """Entry point; the socket's number is in the environment."""
    number, ack = map(int, os.environ.pop(CHANNEL).split(","))
    channel = socket.socket(fileno=number)
    channel.set_inheritable(False)
    os.set_inheritable(ack, False)
    worker = Worker(channel, ack)
    shell = make_shell(worker.publish)
    # As in a local notebook: modules of the current folder can be imported, whatever it becomes.
    sys.argv = [""]
    sys.path.insert(0, "")
    worker.serve(shell)
    os._exit(0)  # the supervisor is gone: threads of the user's code must not hold the process
