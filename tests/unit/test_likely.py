"""Which old content a new file may be made of: by name and size, then by samples."""

from __future__ import annotations

import io
import random

import pytest

from jupyter_remote.agent.entry import Entry
from jupyter_remote.agent.pack import Change
from jupyter_remote.agent.recipe import rows
from jupyter_remote.sync.delta import Table
from jupyter_remote.sync.likely import likely_bases, shared
from jupyter_remote.sync.transfer import Base, decide

MB = 1 << 20


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def table_of(old: bytes) -> Table:
    return Table(len(old), b"".join(rows(io.BytesIO(old).read, len(old))))


def entry(size: int, number: int) -> Entry:
    return Entry("file", 0o644, size, f"{number:040x}")


def test_the_same_name_comes_first_then_the_same_kind_by_size() -> None:
    gone = {
        "old/model.pt": entry(5 * MB, 1),
        "a.pt": entry(9 * MB, 2),
        "b.pt": entry(7 * MB, 3),
        "c.pt": entry(8 * MB, 4),
        "huge.pt": entry(90 * MB, 5),
        "model.csv": entry(8 * MB, 6),
    }
    found = likely_bases("new/model.pt", 8 * MB, gone)
    assert [candidate.digest[-1] for candidate in found] == ["1", "4", "2"]
    assert likely_bases("new/model.bin", 8 * MB, gone) == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda old: noise(1000, 2) + old,
        lambda old: old[: 4 * MB] + noise(MB, 2) + old[4 * MB :],
        lambda old: old[3 * MB :],
        lambda old: old + noise(6 * MB, 2),
    ],
)
def test_samples_tell_the_file_it_was_made_of(edit: object) -> None:
    old = noise(8 * MB, 1)
    new: bytes = edit(old)  # type: ignore[operator]
    assert shared(table_of(old), len(new), io.BytesIO(new)) >= 4
    assert shared(table_of(noise(8 * MB, 3)), len(new), io.BytesIO(new)) == 0
    assert shared(table_of(bytes(8 * MB)), 8 * MB, io.BytesIO(bytes(8 * MB))) == 0


def test_only_what_the_change_set_deletes_and_nobody_changed_is_asked_about() -> None:
    new = entry(8 * MB, 9)
    remote = {
        "deleted.bin": (entry(8 * MB, 1), "me", "same"),
        "changed.bin": (entry(8 * MB, 2), "me", "changed"),
        "stays.bin": (entry(8 * MB, 3), "me", "same"),
        "refused.bin": (entry(8 * MB, 4), "me", "same"),
        "small.bin": (entry(1000, 5), "me", "same"),
    }
    changes = [Change("put", "new.bin", new)]
    changes += [Change("delete", path) for path in remote if path != "stays.bin"]
    made = decide(changes, remote, {}, [remote["refused.bin"][0].digest])
    assert made.bases == {"new.bin": Base([remote["deleted.bin"][0]], 8 * MB, 0, True)}
    assert decide(changes[:1], remote, {}).bases == {}
