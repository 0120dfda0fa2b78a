"""Questions of code on a host (`input`, `getpass`, a debugger), put to the user here.

Where the user types is the front's business: `input` and `getpass` of this process, which a kernel sends to
the notebook. How an answer travels is `run.py`'s.
"""

from __future__ import annotations

import _thread
import getpass
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import ConnectionLost, RemoteError
from .transports.prompt import can_ask

if TYPE_CHECKING:
    from .events import Event
    from .run import Run

# How often it is looked whether a question that the user has before him is still open.
_LOOK_S = 1.0


def put(run: Run, event: Event, interrupted: Callable[[], None]) -> None:
    """Asks the user what the code asks, unless that has been answered, and sends the answer.

    Args:
        run: whose code asks.
        event: of kind ``input_request``.
        interrupted: called when the user interrupts instead of answering.

    Raises:
        RemoteError: the host says that there is no such run.
    """
    request = int(event.data["request"])
    if not _open(run, request):
        return
    if not (can_ask() or (run.started_here and _piped())):
        _unanswerable(run, event, request)
        return
    watch = _Watch(run, request)
    try:
        with _own_interrupts(), watch:
            text = _ask(str(event.data.get("prompt", "")), bool(event.data.get("password")))
    except EOFError:
        run.answer(request, how="eof")
    except KeyboardInterrupt:
        if not watch.void:
            interrupted()  # the code there is interrupted, and takes its question back
    except RuntimeError:
        # ipykernel's StdinNotImplementedError, or a process without stdin.
        _unanswerable(run, event, request)
    else:
        run.answer(request, text)


def _open(run: Run, request: int) -> bool:
    try:
        return run.question() == request
    except ConnectionLost:
        return True  # an answer that comes too late is not taken


def _ask(prompt: str, password: bool) -> str:
    return getpass.getpass(prompt) if password else input(prompt)


def _piped() -> bool:
    """Whether this is a plain process, whose stdin may be a pipe with answers in it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is None and threading.current_thread() is threading.main_thread()


def _unanswerable(run: Run, event: Event, request: int) -> None:
    if run.started_here:
        # As in a local kernel: the code gets an error, rather than waiting for ever.
        run.answer(request, how="refused")
        return
    # Somebody else may be there to answer.
    print(
        f"run {run.id} on {run.host} waits for input ({event.data.get('prompt', '')!r}); "
        f"`attach {run.id}` where you can type answers it",
        file=sys.stderr,
        flush=True,
    )


class _Watch:
    """Ends the input here when the question is void: answered by somebody else, or its run is over.

    Args:
        run: whose question it is.
        request: its number.
    """

    def __init__(self, run: Run, request: int) -> None:
        self.void = False
        self._run = run
        self._request = request
        self._answered = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            threading.Thread(target=self._look, name="jupyter-remote question", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:  # from here on nobody is interrupted any more
            self._answered.set()

    def _look(self) -> None:
        while not self._answered.wait(_LOOK_S):
            try:
                void = not _open(self._run, self._request)
            except RemoteError:
                return  # who waits for the run is told
            with self._lock:
                if void and not self._answered.is_set():
                    self.void = True
                    _interrupt_main()
                    return


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):
        # A signal of its own: only that wakes a main thread that reads from a terminal.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Lets an interrupt end the input, as it would in a local cell."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
