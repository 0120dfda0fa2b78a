"""`man jupyter-remote`: everything that can be typed is in it, and `man` has nothing against it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from jupyter_remote import man_page
from jupyter_remote.options import CELL, walk

# The macros of man(7) that are used.
MACROS = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".I", ".B"}


def test_it_has_every_command_option_and_exit_code() -> None:
    text = man_page.page().replace("\\-", "-")
    parts = dict(part.split("\n", 1) for part in text.split('.SS "')[1:])
    for words, command in [((CELL.name,), CELL), *walk()]:
        if not command.subcommands:
            (part,) = [
                parts[line] for line in parts if line == f'{" ".join([*words, command.usage]).strip()}"'
            ]
            assert set(command.flags) <= set(re.findall(r"--[a-z0-9-]+", part))
    codes = re.findall(r"(?m)^\.TP\n(\d+)$", text)
    assert codes == ["1", "2", "3", "4", "5", "6", "7", "8", "130"]


def test_every_line_that_begins_with_a_dot_is_a_macro() -> None:
    found = {line.split()[0] for line in man_page.page().splitlines() if line.startswith((".", "'"))}
    assert found <= MACROS
    assert man_page._plain(".profile\n'x") == "\\&.profile\n\\&'x"


@pytest.mark.skipif(not os.environ.get("CI") and shutil.which("man") is None, reason="there is no man here")
def test_man_shows_it() -> None:
    argv = ["man", "--warnings", "--local-file", "-"]
    done = subprocess.run(argv, input=man_page.page().encode(), capture_output=True, check=True)
    assert done.stderr == b""
    shown = re.sub("\b.", "", done.stdout.decode())
    assert "--min-free" in shown.replace("‐", "-")
