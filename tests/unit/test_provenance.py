"""Git is asked once for all hosts of a call, and again for the next call."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from jupyter_remote.provenance import _git_of


def test_git_is_asked_once_for_all_hosts_of_a_call(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", "-C", tmp_path, *author, *words], check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    call = time.monotonic()
    said = _git_of(tmp_path).state(call)
    git("commit", "--allow-empty", "-m", "second")
    assert _git_of(tmp_path).state(call) is said
    later, _ = _git_of(tmp_path).state(time.monotonic())
    assert later["commit"] != said[0]["commit"]
    git("commit", "--allow-empty", "-m", "third")
    assert _git_of(tmp_path).state(float("inf"))[0]["commit"] != later["commit"]
