"""How the content of each file of a change set travels: whole, not at all, its rest, or its changed blocks.

Decided from what the client knows of the host; what turns out to be wrong there, the host says by digest, and
the next try doesn't count on it. Which files are sent is decided in `plan.py`, which blocks in `delta.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, NamedTuple

from ..agent import messages as m
from ..agent.entry import FILE, Entry
from ..agent.mirror_index import SAME
from ..agent.pack import DELETE, PUT, Change
from ..agent.recipe import ROW, Copy, Recipe, block_size
from ..connection import Connection
from ..errors import ProtocolError
from .delta import Table, rest, skipped, steps
from .likely import likely_bases, shared
from .plan import Inventory

# A smaller file is sent in less than it takes to say where it is.
WORTH_A_COPY = 256
# What asking for the blocks of the old file costs, one round trip, a smaller file is sent in.
WORTH_BLOCKS = 1 << 20
# The tables of one sync, in bytes: enough for 16 GB in files of 1 MB, or 700 GB in files of 1 GB.
LARGEST_TABLES = 1 << 26


class Base(NamedTuple):
    """What a file may be made of.

    Args:
        old: contents on the host, one of which it may share blocks with.
        size: of the file, in bytes.
        begun: how many bytes from its start are there already.
        is_guess: nothing is at its path there.
    """

    old: list[Entry]
    size: int
    begun: int
    is_guess: bool


@dataclass
class Transfer:
    """What needs not be sent whole.

    Args:
        recipes: of files, by path.
        bases: of files that may share blocks with old content on the host, by path.
    """

    recipes: dict[str, Recipe] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)


def decide(
    changes: Iterable[Change],
    remote: Inventory,
    received: Mapping[str, int],
    refused: Collection[str] = (),
    old: Collection[str] = (),
) -> Transfer:
    """Looks for the content of each file on the host.

    Args:
        changes: the change set, in the order in which it is sent; what it deletes is still there.
        remote: what the host has.
        received: digest -> bytes that a sync which was cut has left there.
        refused: digests that the host has said it can't give.
        old: digests of what the mirror held until lately.
    """
    transfer = Transfer()
    changes = list(changes)
    puts = [
        (change.path, change.entry)
        for change in changes
        if change.op == PUT
        and change.entry is not None
        and change.entry.kind == FILE
        and change.entry.size >= WORTH_A_COPY
    ]
    wanted = {entry.digest for _, entry in puts}
    there = {
        entry.digest
        for entry, _, state in remote.values()
        if entry.digest in wanted and state == SAME and entry.kind == FILE and entry.digest not in refused
    }
    there.update(wanted.intersection(old) - set(refused))
    gone: dict[str, Entry] | None = None
    for path, entry in puts:
        begun = 0 if entry.digest in refused else max(0, min(received.get(entry.digest, 0), entry.size))
        before, _, state = remote.get(path, (entry, "", ""))
        if entry.digest in there:
            transfer.recipes[path] = Recipe(entry.digest, partial(_copy, entry.size))
        elif begun == entry.size:
            transfer.recipes[path] = Recipe("", partial(skipped, size=begun))
        elif (
            state == SAME
            and before.kind == FILE
            and min(before.size, entry.size) >= WORTH_BLOCKS
            and before.digest not in refused
        ):
            transfer.bases[path] = Base([before], entry.size, begun, False)
        elif begun:
            transfer.recipes[path] = Recipe("", partial(rest, received=begun))
        elif entry.size >= WORTH_BLOCKS:
            if gone is None:
                gone = _gone(changes, remote, refused)
            if likely := likely_bases(path, entry.size, gone):
                transfer.bases[path] = Base(likely, entry.size, 0, True)
        # It may come twice in one change set; the second is copied from the first.
        there.add(entry.digest)
    return transfer


def recipes(
    transfer: Transfer, connection: Connection, mirror: str, open_content: Callable[[str], BinaryIO]
) -> dict[str, Recipe]:
    """All recipes, after the host has told of the blocks of old files: one round trip where there are any.

    The digests of blocks are asked for rather than remembered from the last send: what is remembered would
    have to be kept on disk, and would be wrong for the second machine that uses the mirror.

    Args:
        transfer: what was decided.
        connection: to the host.
        mirror: path of the mirror there.
        open_content: opens a file of the workspace, unbuffered.

    Raises:
        ProtocolError: the answer is none.
        ConnectionLost: the link is gone.
    """
    found = dict(transfer.recipes)
    asked: dict[str, Entry] = {}
    room = LARGEST_TABLES
    for base in transfer.bases.values():
        for old in base.old:
            size = old.size // block_size(old.size) * ROW
            if old.digest not in asked and size <= room:
                asked[old.digest] = old
                room -= size
    tables = _ask(connection, mirror, list(asked.values())) if asked else {}
    for path, base in transfer.bases.items():
        digest = _chosen(path, base, tables, open_content)
        if digest:
            found[path] = Recipe(digest, partial(steps, table=tables[digest], received=base.begun))
        elif base.begun:
            found[path] = Recipe("", partial(rest, received=base.begun))
    return found


def _chosen(
    path: str, base: Base, tables: Mapping[str, Table], open_content: Callable[[str], BinaryIO]
) -> str:
    """The content that a file shares most with; "" for none."""
    here = [old.digest for old in base.old if old.digest in tables]
    if not here or not base.is_guess:
        return here[0] if here else ""
    try:
        with open_content(path) as file:
            scores = {digest: shared(tables[digest], base.size, file) for digest in here}
    except OSError:
        return ""  # it is gone, which the packing will notice
    best = max(here, key=lambda digest: scores[digest])
    return best if scores[best] else ""


def _gone(changes: Sequence[Change], remote: Inventory, refused: Collection[str]) -> dict[str, Entry]:
    """Large files that the change set deletes: what is new may have been made of them."""
    gone = {}
    for change in changes:
        entry, _, state = remote.get(change.path, (None, "", ""))
        if change.op != DELETE or entry is None or state != SAME or entry.digest in refused:
            continue
        if entry.kind == FILE and entry.size >= WORTH_BLOCKS:
            gone[change.path] = entry
    return gone


def _ask(connection: Connection, mirror: str, contents: Sequence[Entry]) -> dict[str, Table]:
    """The tables of those contents that the host has, by digest."""
    most = sum(1 + entry.size // block_size(entry.size) * ROW for entry in contents)
    stream = connection.request(m.Blocks(mirror, [[entry.digest, entry.size] for entry in contents]))
    told = bytearray()
    try:
        while not isinstance((frame := stream.receive()).message, m.End):
            told += frame.payload
            if len(told) > most:
                raise ProtocolError("the host tells of more blocks than it was asked for")
    finally:
        stream.close()
    at = 0
    tables = {}
    for entry in contents:
        here = bytes(told[at : at + 1])
        size = entry.size // block_size(entry.size) * ROW if here == b"\1" else 0
        at += 1 + size
        if here not in (b"\0", b"\1") or at > len(told):
            raise ProtocolError("the host doesn't tell of all blocks that it was asked for")
        if size:
            tables[entry.digest] = Table(entry.size, bytes(told[at - size : at]))
    return tables


def _copy(size: int, _read: object) -> list[Copy]:
    return [Copy(0, size)]
