"""What the session of a `%%remote` cell says of the code that is being typed in it: completions and help.

Only a host that is connected already is asked, and it has 300 ms in all: nobody waits for a network because
of a Tab. What becomes of the answer is `completion.py`'s and `inspection.py`'s.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .connection import Connection

BOUND_S = 0.3
LONGEST = 1 << 16
MAGIC = "%%remote"


@dataclass(frozen=True)
class Cell:
    """A `%%remote` cell that is being typed.

    Args:
        line: what stands behind the magic.
        body: the lines below.
        offset: where the body begins in the whole text.
    """

    line: str
    body: str
    offset: int


def cell_of(text: str) -> Cell | None:
    """The text as a `%%remote` cell, None when it is something else."""
    first, newline, body = text.partition("\n")
    magic, _, line = first.partition(" ")
    if magic.rstrip() != MAGIC:
        return None
    return Cell(line, body, len(first) + len(newline))


def consult(
    cell: Cell, namespace: Mapping[str, object], what: str, cursor: int, detail: int = 0
) -> dict[str, Any] | None:
    """What the cell's session says, None when it can't be asked or doesn't say in time.

    Args:
        cell: which.
        namespace: the user's, for the name of the session.
        what: ``complete`` or ``inspect``.
        cursor: where in the body, in characters.
        detail: as IPython's detail level.
    """
    from . import pool

    if not pool.any_live() or len(cell.body) > LONGEST:
        return None  # nothing has to be parsed, nor the parser imported
    target = _target(cell, namespace)
    if target is None:
        return None
    connection, session = target
    return _ask(connection, m.Consult(session, what, cursor, detail), cell.body.encode())


def _target(cell: Cell, namespace: Mapping[str, object]) -> tuple[Connection, str] | None:
    from . import pool
    from .call import configuration
    from .notebook import session_name
    from .options import CELL
    from .parsing import parse, split_line

    try:
        values = parse(CELL, split_line(cell.line))
        names = configuration().expand_hosts(values["hosts"])
    except RemoteError:
        return None  # the line is not finished; it is complained about when the cell runs
    if values["fresh"] or values["bash"] or values["script"]:
        return None  # no namespace outlives such a run
    for name in names:
        remote = pool.live(name)
        connection = remote.link.live if remote is not None else None
        if connection is not None:
            return connection, values["session"] or session_name(namespace)
    return None


def _ask(connection: Connection, question: m.Consult, code: bytes) -> dict[str, Any] | None:
    answers: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def ask() -> None:
        with suppress(RemoteError):
            answers.put(connection.ask(question, code))

    # An answer that comes too late is taken by this thread, and nobody hears of it.
    threading.Thread(target=ask, name="jupyter-remote consult", daemon=True).start()
    try:
        facts = answers.get(timeout=BOUND_S)
    except Empty:
        return None
    return None if facts.get("busy") else facts
