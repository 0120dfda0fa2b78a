"""The host's list of what its mirror holds, as it travels: in columns, which are quicker than rows for both.

``COUNT DIGESTS TEXT``: how many digests there are (4 bytes), the digests of the files in their order, 20
bytes each, and zlib of JSON with all the rest. Digests don't compress, so nobody tries. How it is received
within bounds is sync/inventory.py's business.
"""

from __future__ import annotations

import json
import struct
import zlib

from .entry import DIR, FILE, LINK, Entry
from .mirror_index import CHANGED, MISSING, SAME

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterable

    Inventory = dict[str, tuple[Entry, str, str]]

COUNT = struct.Struct(">I")
DIGEST_SIZE = 20
_KINDS = {FILE: "f", LINK: "l", DIR: "d"}
_STATES = {SAME: "s", CHANGED: "c", MISSING: "m"}


def write(generation: int, entries: Inventory, received: dict[str, int], old: Iterable[str] = ()) -> bytes:
    """The list: what was put, what syncs that were cut have left, what was replaced lately.

    Args:
        generation: of the mirror.
        entries: entry, owner and state, by path.
        received: bytes by digest, of syncs that were cut.
        old: digests of what was replaced.
    """
    rows = list(entries.values())
    stuff = [row[0] for row in rows]
    owners = {owner: number for number, owner in enumerate({row[1]: None for row in rows})}
    told = {
        "generation": generation,
        "received": received,
        "old": list(old),
        "owners": list(owners),
        "paths": list(entries),
        "put_by": [owners[row[1]] for row in rows],
        "states": "".join([_STATES[row[2]] for row in rows]),
        "kinds": "".join([_KINDS[entry.kind] for entry in stuff]),
        "modes": [entry.mode for entry in stuff],
        "sizes": [entry.size for entry in stuff],
        "targets": [entry.target for entry in stuff if entry.kind == LINK],
    }
    return pack(told, bytes.fromhex("".join([entry.digest for entry in stuff])))


def pack(told: Any, digests: bytes = b"") -> bytes:
    """Any JSON in the same form, for other long answers."""
    text = json.dumps(told, separators=(",", ":")).encode("ascii")
    return b"".join((COUNT.pack(len(digests) // DIGEST_SIZE), digests, zlib.compress(text, 1)))


def parse(text: bytes, digests: bytes) -> tuple[int, Inventory, dict[str, int], list[str]]:
    """What was given to :func:`write`, checked field by field: nobody vouches for it.

    Raises:
        ValueError, TypeError, LookupError, RecursionError: it is no list.
    """
    told = json.loads(text)
    paths, modes, sizes = _all(told["paths"], str), _all(told["modes"], int), _all(told["sizes"], int)
    kinds, states = _named(told["kinds"], _KINDS), _named(told["states"], _STATES)
    owners, put_by = _all(told["owners"], str), _all(told["put_by"], int)
    if {len(paths), len(modes), len(sizes), len(kinds), len(states)} != {len(put_by)}:
        raise ValueError("the columns are not as long as each other")
    if min(modes, default=0) < 0 or min(sizes, default=0) < 0 or min(put_by, default=0) < 0:
        raise ValueError("a negative number")
    files, links = kinds.count(FILE), kinds.count(LINK)
    targets = _all(told["targets"], str)
    if len(digests) != files * DIGEST_SIZE or len(targets) != links:
        raise ValueError("not every file has a digest, or not every link a target")
    text_of = digests.hex()
    width = 2 * DIGEST_SIZE
    named = [text_of[at : at + width] for at in range(0, len(text_of), width)]
    if files < len(kinds):
        next_digest, next_target = iter(named), iter(targets)
        named = [next(next_digest) if kind == FILE else "" for kind in kinds]
        targets = [next(next_target) if kind == LINK else "" for kind in kinds]
    else:
        targets = [""] * len(kinds)
    entries = map(Entry, kinds, modes, sizes, named, targets)
    inventory = dict(zip(paths, zip(entries, [owners[number] for number in put_by], states)))
    received = told["received"]
    _all(list(received.values()), int)
    return int(told["generation"]), inventory, received, _all(told["old"], str)


def _all(column: Any, kind: type) -> list[Any]:
    if type(column) is not list or not {type(value) for value in column} <= {kind}:
        raise TypeError("a column that is none")
    return column


def _named(column: Any, names: dict[str, str]) -> list[str]:
    if type(column) is not str:
        raise TypeError("a column that is none")
    meant = {letter: name for name, letter in names.items()}
    return [meant[letter] for letter in column]
