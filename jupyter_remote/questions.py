"""Questions of code on a host (`input`, `getpass`, a debugger), put to the user here.

Where the user types is the front's business: `input` and `getpass` of this process, which a kernel sends to
the notebook. How an answer travels is `run.py`'s.
"""

from __future__ import annotations

import getpass
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import ConnectionLost
from .transports.prompt import can_ask

if TYPE_CHECKING:
    from .run import Event, Run


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
    try:
        with _own_interrupts():
            text = _ask(str(event.data.get("prompt", "")), bool(event.data.get("password")))
    except EOFError:
        run.answer(request, how="eof")
    except KeyboardInterrupt:
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
