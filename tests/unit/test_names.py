"""Names that a client's system can't have, for every system, on every system."""

from __future__ import annotations

import pytest

from jupyter_remote.sync.names import Names, impossible_name

FINE = ["a", "results/run 1/b.csv", ".hidden", "console", "com10", "a.con", "Größe", "日本", "x" * 255]
WINDOWS_ONLY = [
    *("a:b", "CON", "con.txt", "x/Nul", "COM1", "lpt9.log", "com\u00b9", "aux .txt", "CONIN$"),
    *(
        "dot.",
        "space ",
        "folder./a",
        "a<b",
        'a"b',
        "a|b",
        "what?",
        "*",
        "back\\slash",
        "new\nline",
        "\U0001f600" * 128,
    ),
]
NO_TEXT = "caf\udce9"


@pytest.mark.parametrize("path", FINE)
def test_fine_everywhere(path: str) -> None:
    assert [impossible_name(path, platform) for platform in ("linux", "darwin", "win32")] == [None] * 3


@pytest.mark.parametrize("path", WINDOWS_ONLY)
def test_not_on_windows(path: str) -> None:
    assert impossible_name(path, "linux") is impossible_name(path, "darwin") is None
    why = impossible_name(path, "win32")
    assert why is not None and why.startswith("Windows can't have the name ")


def test_names_that_are_no_text_are_for_linux_only() -> None:
    assert impossible_name(NO_TEXT, "linux") is None
    assert impossible_name(f"x/{NO_TEXT}", "darwin") == f"macOS can't have the name {NO_TEXT!r}"
    assert impossible_name(NO_TEXT, "win32") is not None


def test_the_second_of_two_names_that_are_one_is_refused() -> None:
    paths = ["A/readme", "a/README", "a/other", "\u00e9", "e\u0301", "stra\u00dfe", "STRASSE"]
    refused = {}
    for platform in ("linux", "darwin", "win32"):
        names = Names(platform)
        refused[platform] = [path for path in paths if names.refuse(path)]
    assert refused == {
        "linux": [],
        "darwin": ["a/README", "e\u0301", "STRASSE"],
        "win32": ["a/README", "STRASSE"],
    }
