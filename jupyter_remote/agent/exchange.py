"""Variables on their way between client and worker, as files: where they are, and when they go.

Those for a run lie in its session's folder until the worker takes them; those of a run lie in the run's own
directory until a client has them. What is in the files is ``parcel.py``'s and ``variables.py``'s business.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from .parcel import PIECE, Broken, Refused, read_parcel, sealed, unsealed
from .rundir import FINAL_STATES, RUN_ID, WRITE, RunDir, write_all
from .variables import Unpacker, pack_all

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from .streams import Stream

PART = ".part"
# How often the supervisor hears that variables are still coming, in seconds; it waits 60 for a first run.
STILL_COMING = 10.0


@contextmanager
def _whole(path: str, part: str) -> Iterator[int]:
    """A file to write to that appears at `path` when all of it is written; nothing is left of a part."""
    fd = os.open(part, WRITE | os.O_TRUNC, 0o600)
    try:
        yield fd
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
    finally:
        os.close(fd)


def incoming(folder: str, run_id: str) -> str:
    """Where the variables for a run are, in the folder of its session.

    Raises:
        ValueError: not a run id (it becomes a path, so it is checked).
    """
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is not the id of a run")
    return os.path.join(folder, "variables", run_id)


def discard(folder: str, run_id: str) -> None:
    """Removes the variables for a run that doesn't take them any more, also what a cut link left of them."""
    path = incoming(folder, run_id)
    try:
        for name in os.listdir(os.path.dirname(path)):
            if name.partition(".")[0] == run_id:
                os.unlink(os.path.join(os.path.dirname(path), name))
    except OSError:
        pass  # somebody else has just done it, or it goes with the folder


def receive(path: str, read: Callable[[int], bytes], tell: Callable[[], None]) -> None:
    """Writes what comes to a file that is there only when it is whole.

    Args:
        path: of the file; its folder is made.
        read: gives what comes, nothing at its end.
        tell: called now and then.

    Raises:
        Broken: it is not what was sent.
        OSError: it can't be written.
    """
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _clear(folder)
    with _whole(path, f"{path}.{os.getpid()}{PART}") as fd:
        told = time.monotonic()
        tell()
        for piece in unsealed(read):
            write_all(fd, piece)
            if time.monotonic() - told > STILL_COMING:
                told = time.monotonic()
                tell()


def keep(state: str, session: dict[str, Any], run_id: str, read: Callable[[int], bytes]) -> None:
    """Receives the variables for a run that is to come; its session is started meanwhile.

    Raises:
        ValueError: they are not what was sent, or for no run.
        NoSession: it does not start.
        OSError: they can't be written.
    """
    from . import messages as m
    from . import sessions

    folder = sessions.folder_of(state, session["name"])
    path = incoming(folder, run_id)
    link = sessions.ensure(state, session)

    def tell() -> None:
        link.ask(m.Put({}, run_id))

    try:
        receive(path, read, tell)
    except Broken as broken:
        raise ValueError(f"the variables did not arrive as they were sent: {broken}") from None
    except FileNotFoundError:
        if not _over(state, run_id):  # or its end has just removed them
            raise
    finally:
        link.close()
    if _over(state, run_id):
        discard(folder, run_id)  # sent again over another link, and had before


def _over(state: str, run_id: str) -> bool:
    record = RunDir(state, run_id).record()
    return record is not None and record["state"] in FINAL_STATES


def give(run: RunDir, stream: Stream) -> None:
    """Sends the variables that a run has left, and removes them once the client says that it has them.

    Raises:
        ValueError: there are none.
        Cancelled: the client doesn't want them any more.
    """
    from . import messages as m

    try:
        for piece in sealed(pieces(run.variables_path)):
            stream.send(m.Data(), piece)
    except FileNotFoundError:
        raise ValueError(f"run {run.id} has no variables to fetch, or they were fetched") from None
    stream.send(m.End())
    if isinstance(stream.receive().message, m.End):
        os.unlink(run.variables_path)
        stream.send(m.Facts({}))  # or a client that goes now would end this before it was removed


def _clear(folder: str) -> None:
    """Removes what agents left that ended while they wrote."""
    for name in os.listdir(folder):
        if name.endswith(PART):
            try:
                os.kill(int(name.split(".")[-2]), 0)
            except ProcessLookupError:
                os.unlink(os.path.join(folder, name))
            except (PermissionError, ValueError):
                pass


def pieces(path: str) -> Iterator[bytes]:
    """The content of a file.

    Raises:
        FileNotFoundError: there is none.
    """
    with open(path, "rb", buffering=0) as file:
        while True:
            piece = file.read(PIECE)
            if not piece:
                return
            yield piece


def load(path: str, namespace: dict[str, Any], pickle: bool) -> None:
    """Takes the variables of a file into the namespace, all or none; the file goes, whatever happens.

    Args:
        pickle: whether what only pickle can read is read.

    Raises:
        Refused, Broken: a value can't be made here, or the file is not what was sent.
        OSError: it isn't there.
    """
    with open(path, "rb", buffering=0) as file:
        os.unlink(path)
        header, buffers = read_parcel(file.read, seal=False)
    # Whoever sends here runs code here anyway.
    unpacker = Unpacker(buffers, namespace, pickle=pickle, code=True)
    del buffers
    before = {name: namespace[name] for name in header["values"] if name in namespace}
    try:
        for name, node in header["values"].items():
            namespace[name] = unpacker.unpack(name, node)  # at once: the next may be a function that needs it
    except BaseException:
        for name in header["values"]:
            namespace.pop(name, None)
        namespace.update(before)
        raise


def save(path: str, names: list[str], namespace: dict[str, Any], pickle: bool) -> None:
    """Writes variables of the namespace to a file; why some are not in it is in the file too.

    Args:
        pickle: whether what only pickle can write is written.

    Raises:
        Refused: all together are too much.
        OSError: it can't be written.
    """
    values = {name: namespace[name] for name in names if name in namespace}
    missing = {name: Refused(f"{name} is not defined") for name in names if name not in namespace}
    parcel, _ = pack_all(values, pickle, missing)
    with _whole(path, path + PART) as fd:
        for piece in parcel.pieces():
            write_all(fd, piece)
