"""Content that was replaced or deleted on the mirror: what of it is kept, for whom, and when it goes."""

from __future__ import annotations

import errno
import io
import os
import random
from pathlib import Path

import pytest
from mirrors import Contents, apply, entry_of, packed, put

from jupyter_remote.agent import cast_off
from jupyter_remote.agent.cast_off import SMALLEST
from jupyter_remote.agent.pack import Change
from jupyter_remote.agent.tree import Mirror

LARGE: Contents = {name: name.encode() * SMALLEST for name in "abcdef"}
DIGESTS = {name: entry_of(content).digest for name, content in LARGE.items()}


def replaced(mirror: Mirror, *names: str) -> None:
    """One file after the other in the same place."""
    for name in names:
        put(mirror, {"p": LARGE[name]})


def test_what_is_replaced_or_deleted_is_kept_and_what_is_small_is_not(root: Path, mirror: Mirror) -> None:
    put(mirror, {"p": LARGE["a"], "q": LARGE["b"], "small": b"s" * (SMALLEST - 1)})
    inode = (root / "p").stat().st_ino
    applied = put(mirror, {"p": LARGE["c"], "small": b"t"})
    assert applied.old == [DIGESTS["a"]]
    applied = apply(mirror, [Change("delete", "q")], {})
    assert applied.old == [DIGESTS["b"]]
    assert sorted(mirror.old()) == sorted([DIGESTS["a"], DIGESTS["b"]])
    kept = root / ".jupyter-remote/old" / DIGESTS["a"]
    assert kept.stat().st_ino == inode and kept.stat().st_nlink == 1  # moved, not copied
    assert (root / "p").read_bytes() == LARGE["c"]


def test_what_somebody_else_holds_or_has_changed_is_not_touched(
    tmp_path: Path, root: Path, mirror: Mirror
) -> None:
    replaced(mirror, "a")
    os.link(root / "p", tmp_path / "second name")
    replaced(mirror, "b")
    assert mirror.old() == [] and (tmp_path / "second name").read_bytes() == LARGE["a"]
    (root / "p").write_bytes(b"the host's")
    assert len(put(mirror, {"p": LARGE["c"]}).kept) == 1
    put(mirror, {"theirs": LARGE["d"]}, "you")
    assert len(put(mirror, {"theirs": LARGE["e"]}).kept) == 1
    assert mirror.old() == []


def test_there_is_an_end_to_it(root: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cast_off, "_MOST_BYTES", 2 * SMALLEST)
    for name in "abcde":
        replaced(mirror, name)
    assert set(mirror.old()) == {DIGESTS["c"], DIGESTS["d"]}  # the oldest went
    monkeypatch.setattr(cast_off, "_MOST_FILES", 1)
    replaced(mirror, "f")
    assert mirror.old() == [DIGESTS["e"]]
    monkeypatch.setattr(cast_off, "_KEPT_S", 0)
    put(mirror, {"small": b""})
    assert mirror.old() == [] and not (root / ".jupyter-remote/old").exists()


def test_on_a_full_disk_it_goes_first_and_then_what_has_come(mirror: Mirror) -> None:
    replaced(mirror, "a", "b")
    content = random.Random(1).randbytes(500_000)
    data = packed([Change("put", "p", entry_of(content))], {"p": content})

    def filled() -> None:
        stream = io.BytesIO(data[:400_000])

        def read(size: int) -> bytes:
            if piece := stream.read(size):
                return piece
            raise OSError(errno.ENOSPC, "no space is left")

        with pytest.raises(OSError, match="no space"):
            mirror.apply(mirror.generation(), "me", read)

    filled()
    assert mirror.old() == [] and len(mirror.received()) == 1
    filled()
    assert mirror.received() == {}


def test_without_links_it_is_only_not_kept(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    replaced(mirror, "a", "b")
    assert mirror.old() == []
