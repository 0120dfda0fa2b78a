"""How the content of each file of a change set travels: whole, not at all, its rest, or its changed blocks.

Decided from what the client knows of the host; what turns out to be wrong there, the host says by digest, and
the next try doesn't count on it. Which files are sent is decided in `plan.py`, which blocks in `delta.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from ..agent import messages as m
from ..agent.entry import FILE, Entry
from ..agent.mirror_index import SAME
from ..agent.pack import PUT, Change
from ..agent.recipe import ROW, Copy, Recipe, block_size
from ..connection import Connection
from ..errors import ProtocolError
from .delta import Table, rest, skipped, steps
from .plan import Inventory

# A smaller file is sent in less than it takes to say where it is.
WORTH_A_COPY = 256
# What asking for the blocks of the old file costs, one round trip, a smaller file is sent in.
WORTH_BLOCKS = 1 << 20
# The tables of one sync, in bytes: enough for 16 GB in files of 1 MB, or 700 GB in files of 1 GB.
LARGEST_TABLES = 1 << 26


@dataclass
class Transfer:
    """What needs not be sent whole.

    Args:
        recipes: of files, by path.
        bases: path -> old content on the host that a file may share blocks with, and how many bytes of the
            new one are there already.
    """

    recipes: dict[str, Recipe] = field(default_factory=dict)
    bases: dict[str, tuple[Entry, int]] = field(default_factory=dict)


def decide(
    changes: Iterable[Change],
    remote: Inventory,
    received: Mapping[str, int],
    refused: Collection[str] = (),
    old: Collection[str] = (),
) -> Transfer:
    """Looks for the content of each file on the host.

    Args:
        changes: the change set, in the order in which it is sent.
        remote: what the host has.
        received: digest -> bytes that a sync which was cut has left there.
        refused: digests that the host has said it can't give.
        old: digests of what the mirror held until lately.
    """
    transfer = Transfer()
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
            transfer.bases[path] = before, begun
        elif begun:
            transfer.recipes[path] = Recipe("", partial(rest, received=begun))
        # It may come twice in one change set; the second is copied from the first.
        there.add(entry.digest)
    return transfer


def recipes(transfer: Transfer, connection: Connection, mirror: str) -> dict[str, Recipe]:
    """All recipes, after the host has told of the blocks of old files: one round trip where there are any.

    The digests of blocks are asked for rather than remembered from the last send: what is remembered would
    have to be kept on disk, and would be wrong for the second machine that uses the mirror.

    Raises:
        ProtocolError: the answer is none.
        ConnectionLost: the link is gone.
    """
    found = dict(transfer.recipes)
    asked: dict[str, tuple[Entry, int]] = {}
    room = LARGEST_TABLES
    for path, (old, begun) in transfer.bases.items():
        room -= old.size // block_size(old.size) * ROW
        if room >= 0:
            asked[path] = old, begun
        elif begun:
            found[path] = Recipe("", partial(rest, received=begun))
    if asked:
        tables = _ask(connection, mirror, [old for old, _ in asked.values()])
        for (path, (old, begun)), table in zip(asked.items(), tables, strict=True):
            if table is not None:
                found[path] = Recipe(old.digest, partial(steps, table=table, received=begun))
            elif begun:
                found[path] = Recipe("", partial(rest, received=begun))
    return found


def _ask(connection: Connection, mirror: str, contents: list[Entry]) -> Iterator[Table | None]:
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
    for entry in contents:
        here = bytes(told[at : at + 1])
        size = entry.size // block_size(entry.size) * ROW if here == b"\1" else 0
        at += 1 + size
        if here not in (b"\0", b"\1") or at > len(told):
            raise ProtocolError("the host doesn't tell of all blocks that it was asked for")
        yield Table(entry.size, bytes(told[at - size : at])) if size else None


def _copy(size: int, _read: object) -> list[Copy]:
    return [Copy(0, size)]
