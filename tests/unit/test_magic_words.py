"""Tab on `%%remote` and `%remote` lines, through IPython's own completer; no host is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import jupyter_remote
from jupyter_remote import history


@pytest.fixture
def loaded(
    shell: InteractiveShell, two_hosts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> InteractiveShell:
    monkeypatch.chdir(tmp_path)
    jupyter_remote.load_ipython_extension(shell)
    return shell


def completions(shell: InteractiveShell, text: str, offset: int | None = None) -> list[str]:
    """What the line becomes with each completion at its end."""
    at = len(text) if offset is None else offset
    with provisionalcompleter():
        return [text[: one.start] + one.text for one in shell.Completer.completions(text, at)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("%%remote dg", ["%%remote dgx01", "%%remote dgx02"]),
        ("%%remote dgx01,d", ["%%remote dgx01,dgx01", "%%remote dgx01,dgx02"]),
        ("%%remote @", ["%%remote @gpus"]),
        ("%%remote dgx01 --de", ["%%remote dgx01 --detach"]),
        ("%%remote dgx01 --timeout 5 --ti", []),
        ("%%remote --quiet lo", ["%%remote --quiet local"]),
        ("%remote sess", ["%remote sessions"]),
        ("%remote sessions st", ["%remote sessions stop"]),
        ("%remote sessions stop dgx0", ["%remote sessions stop dgx01", "%remote sessions stop dgx02"]),
        ("%remote attach --ho", ["%remote attach --host"]),
        ("%remote attach --host dgx01 --q", ["%remote attach --host dgx01 --quiet"]),
        ("%remote attach --host dgx", [f"%remote attach --host dgx0{n}" for n in (1, 2)]),
        ("%remote status dgx01 dgx02 l", ["%remote status dgx01 dgx02 local"]),
        ("x = 1\n%remote attach --ho", ["x = 1\n%remote attach --host"]),
    ],
)
def test_words_are_completed(loaded: InteractiveShell, typed: str, expected: list[str]) -> None:
    found = completions(loaded, typed)
    assert [one for one in found if not one.endswith(("/", ".yaml"))] == expected


def test_runs_come_from_the_history(loaded: InteractiveShell) -> None:
    for number in (1, 2):
        run = {"id": f"20261122-23595{number}-7f3a", "host": "dgx01", "state": "running", "kind": "cell"}
        history.started(run, "x")
    history.flush()
    found = completions(loaded, "%remote attach 20261122-23595")
    assert found == [f"%remote attach 20261122-23595{number}-7f3a" for number in (2, 1)]


def test_a_body_without_a_link_is_completed_as_ever(loaded: InteractiveShell) -> None:
    loaded.user_ns["zebra_here"] = 1
    text = "%%remote dgx01\nzebra_h"
    assert completions(loaded, text) == ["%%remote dgx01\nzebra_here"]


def test_unloading_takes_it_back(loaded: InteractiveShell) -> None:
    matchers = len(loaded.Completer.custom_matchers)
    jupyter_remote.load_ipython_extension(loaded)
    assert len(loaded.Completer.custom_matchers) == matchers
    jupyter_remote.unload_ipython_extension(loaded)
    assert len(loaded.Completer.custom_matchers) == matchers - 1
    assert loaded.find_cell_magic("remote") is None
    assert "%%remote dgx01" not in completions(loaded, "%%remote dg")
