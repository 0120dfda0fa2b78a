"""A host with GPUs that aren't there: `nvidia-smi` and `rocm-smi` of `tests/fakes`, first on PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

FAKES = Path(__file__).parents[1] / "fakes"


class FakeGpus:
    """What the fakes tell, and what was asked of them.

    Args:
        folder: see `tests/fakes/nvidia-smi`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def uuid(self, index: int) -> str:
        """Of a card."""
        return f"GPU-{index:08d}-1ad5-d63d-1844-886cba1b3f9e"

    def scenario(self, name: str) -> None:
        """What there is from now on."""
        (self.folder / "scenario").write_text(name)

    def use(self, index: int, mib: int, percent: int) -> None:
        """How much of a card is in use, by nobody that is seen."""
        (self.folder / f"use-{index}.new").write_text(f"{mib} {percent}")
        (self.folder / f"use-{index}.new").replace(self.folder / f"use-{index}")

    def app(self, index: int, pid: int, mib: int = 3012, name: str = "python3", instance: str = "") -> None:
        """A process on a card, as long as it lives."""
        (self.folder / f"app-{pid}").write_text(f"{self.uuid(index)} {pid} {mib} {name} {instance}")

    def calls(self, words: str = "") -> list[int]:
        """The pids of the starts of nvidia-smi whose arguments have these words."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[0]) for line in lines if words in line]

    def running(self) -> list[int]:
        """The pids of those that live."""
        found = []
        for pid in self.calls():
            with suppress(psutil.Error):
                if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(pid)
        return found


def provide(folder: Path, bin_folder: Path, *programs: str) -> FakeGpus:
    """Puts the fakes into a folder that is to be first on PATH."""
    folder.mkdir()
    bin_folder.mkdir()
    for program in programs:
        # Started by this very interpreter: one that PATH finds may be a slow shim.
        path = bin_folder / program
        path.write_text(f'#!/bin/sh\nFAKE_GPUS={folder} exec {sys.executable} -I -S {FAKES / program} "$@"\n')
        path.chmod(0o755)
    return FakeGpus(folder)


@pytest.fixture
def fake_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpus]:
    """Two idle H100s."""
    made = provide(tmp_path / "gpus", tmp_path / "bin", "nvidia-smi")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield made


@pytest.fixture
def fake_amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpus]:
    """One MI250."""
    made = provide(tmp_path / "gpus", tmp_path / "bin", "rocm-smi")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield made


__all__ = ["FakeGpus", "fake_amd", "fake_gpus", "provide"]
