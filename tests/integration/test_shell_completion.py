"""Tab in a real bash, with the script that the README says to load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What bash does at Tab, without a terminal: it calls the function with the words so far.
ASK = """
eval "$(_JUPYTER_REMOTE_COMPLETE=bash_source jupyter-remote)"
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_jupyter_remote_completion jupyter-remote
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("jupyter-remote camp", ["campaign"]),
        ("jupyter-remote test gp", ["gpu1", "gpu2"]),
        ("jupyter-remote run @", ["@gpus"]),
        ("jupyter-remote runs la", ["label"]),
        ("jupyter-remote clean gpu1 --un", ["--unarchived"]),
    ],
)
def test_bash(words: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "hosts: {gpu1: {}, gpu2: {}, box: {}}\ngroups: {gpus: [gpu1, gpu2]}\n"
    )
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    told = subprocess.run(["bash", "-c", ASK.format(words=words)], capture_output=True, text=True, check=True)
    assert (told.stdout.split(), told.stderr) == (expected, "")


def test_a_shell_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_remote.cli import main

    monkeypatch.setenv("_JUPYTER_REMOTE_COMPLETE", "tcsh_source")
    assert main([]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "first"), [("zsh", "#compdef jupyter-remote"), ("fish", "function ")])
def test_other_shells_get_their_script_and_the_words(shell: str, first: str) -> None:
    program = Path(sys.executable).with_name("jupyter-remote")

    def told(what: str) -> str:
        env = {**os.environ, "_JUPYTER_REMOTE_COMPLETE": f"{shell}_{what}"}
        env |= {"COMP_WORDS": "jupyter-remote camp", "COMP_CWORD": "1" if shell == "zsh" else "camp"}
        return subprocess.run([program], env=env, capture_output=True, text=True, check=True).stdout

    assert told("source").startswith(first)
    assert "campaign" in told("complete")
