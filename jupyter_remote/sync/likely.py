"""Which old content a new large file may have been made of: a guess by name and size, then a look at samples.

For a file that was renamed and edited between two syncs, so that nothing is at its path on the host. What is
done with the answer is said in `transfer.py`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import BinaryIO

from ..agent.entry import Entry
from .delta import Table

# The host reads each of them once, and tells some 0.4 % of its size.
_CANDIDATES = 3
_MOST_GROWN = 2
_SAMPLES = 16
# What may have been inserted or removed before a sample, so that it is still found.
_AROUND = 64 * 1024


def likely_bases(path: str, size: int, gone: Mapping[str, Entry]) -> list[Entry]:
    """A few contents to be asked for, the likeliest first.

    Args:
        path: of the new file.
        size: of it, in bytes.
        gone: large files that the same change set deletes.
    """
    name = posixpath.basename(path)
    kind = posixpath.splitext(name)[1]
    ranked = []
    for place, entry in gone.items():
        smaller, larger = sorted((size, entry.size))
        other = posixpath.basename(place)
        if larger > _MOST_GROWN * smaller or (other != name and posixpath.splitext(other)[1] != kind):
            continue
        ranked.append((other != name, larger / smaller, place))
    found = {gone[place].digest: gone[place] for _, _, place in sorted(ranked)}
    return list(found.values())[:_CANDIDATES]


def shared(table: Table, size: int, file: BinaryIO) -> int:
    """How many of some blocks of an old file seem to be in a new one.

    Args:
        table: of the old file.
        size: of the new one, in bytes.
        file: the new one, unbuffered.
    """
    found = 0
    for sample in range(_SAMPLES):
        index = table.count * sample // _SAMPLES
        anchor = table.anchor(index)
        # Filling is found everywhere and says nothing.
        if len(set(anchor)) >= 3:
            place = index * table.block
            # As far from the start as it was, or as far from the end.
            found += any(anchor in _window(file, at) for at in {place, place + size - table.size})
    return found


def _window(file: BinaryIO, around: int) -> bytes:
    file.seek(max(0, around - _AROUND))
    return file.read(2 * _AROUND)
