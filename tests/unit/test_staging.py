"""Files as they are staged: their modes whatever the umask, and what the index knows them by afterwards."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from mirrors import apply, entry_of

from jupyter_remote.agent.pack import Change
from jupyter_remote.agent.tree import Mirror

CONTENTS = {name: name.encode() * 1000 for name in "abc"}


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(str(tmp_path / "mirror"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755, 0o777])
def test_a_file_has_its_mode_whatever_the_umask(
    tmp_path: Path, mirror: Mirror, umask: int, mode: int
) -> None:
    apply(mirror, [], {})  # its own folders are made with the usual one
    before = os.umask(umask)
    try:
        apply(mirror, [Change("put", "a", entry_of(b"1", mode))], {"a": b"1"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mirror" / "a").stat().st_mode) == mode
    assert [state for _, _, state in mirror.inventory()[1].values()] == ["same"]


@pytest.mark.parametrize("is_renamed_by_copying", [False, True])
def test_the_index_knows_files_by_what_they_are_in_place(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, is_renamed_by_copying: bool
) -> None:
    replace = os.replace

    def copying(source: Any, target: Any) -> None:
        """As on a file system whose files are numbered by their path."""
        if b"staging" not in os.fsencode(source):
            replace(source, target)
            return
        shutil.copy2(source, target)
        Path(os.fsdecode(source)).unlink()

    if is_renamed_by_copying:
        monkeypatch.setattr(os, "replace", copying)
    apply(mirror, [Change("put", name, entry_of(content)) for name, content in CONTENTS.items()], CONTENTS)
    assert {path: state for path, (_, _, state) in mirror.inventory()[1].items()} == dict.fromkeys(
        "abc", "same"
    )
    assert (tmp_path / "mirror" / "b").read_bytes() == CONTENTS["b"]
