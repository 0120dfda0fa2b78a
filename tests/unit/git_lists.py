"""What git itself says of a folder's files, for tests that compare a list with its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_remote.sync.rules import Listing


@pytest.fixture
def own_git_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "gitconfig"
    configuration.write_text("[user]\nname = Test\nemail = test@example.org\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *args: str) -> bytes:
    return subprocess.run(["git", "-C", folder, *args], check=True, capture_output=True).stdout


def git_files(folder: Path, *args: str) -> set[str]:
    listed = git(folder, *args, "ls-files", "-z", "-co", "--exclude-standard").split(b"\0")
    paths = {os.fsdecode(path) for path in listed if path}
    # Tracked files that are gone, or have become a folder, are not files that git would take.
    return {path for path in paths if (folder / path).is_file() or (folder / path).is_symlink()}


def is_ignored(top: Path, name: str) -> bool:
    asked = ["git", "-C", top, "check-ignore", "-q", "--no-index", "--", name]
    return subprocess.run(asked, check=False).returncode == 0


def assert_all_explained(listing: Listing) -> None:
    assert not [skipped for skipped in listing.skipped if skipped.source == "git"]
