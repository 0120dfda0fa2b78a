"""Fronts with less than a notebook in a browser: nbconvert, and IPython in a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from test_fronts_local import STATUS, workspace

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
BAR = "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3), desc='bar'):\n    pass"
FIGURE = "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1)); plt.plot([1, 2]);"


def test_nbconvert_executes_and_shows_everything(workspace: Path) -> None:
    """No input, no page that draws widgets."""
    cells = ["6 * 7", BAR, FIGURE, "input('name? ')", "import pandas as pd\npd.DataFrame({'a': [1]})"]
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(text)
            for text in ("%load_ext jupyter_remote", *(f"%%remote local\n{cell}" for cell in cells))
        ]
    )
    nbformat.write(notebook, workspace / "n.ipynb")
    command = ["-m", "jupyter", "nbconvert", "--execute", "--allow-errors", "--to", "notebook", "--stdout"]
    done = subprocess.run([sys.executable, *command, "n.ipynb"], capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    made = nbformat.reads(done.stdout.decode(), 4).cells[1:]
    number, bar, figure, question, table = ([dict(one) for one in cell.outputs] for cell in made)
    assert [one["data"]["text/plain"] for one in number if one["output_type"] == "execute_result"] == ["42"]
    assert any("3/3" in str(one.get("data")) or "bar" in str(one.get("data")) for one in bar)
    assert any("image/png" in one.get("data", {}) for one in figure)
    (error,) = [one for one in question if one["output_type"] == "error"]
    assert "StdinNotImplementedError" in "".join(error["traceback"])
    assert any("<table" in one.get("data", {}).get("text/html", "") for one in table)
    for outputs in (number, bar, figure, question, table):
        lines = [one["data"].get("text/plain", "") for one in outputs if one["output_type"] == "display_data"]
        assert any(line[0] in "✓✗" for line in lines if line)


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, *argv: str) -> None:
        self._ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
        self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)
        self.text = ""

    def until(self, pattern: str) -> str:
        """Reads until the pattern comes; returns all up to there, without controls."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := re.search(pattern, self.text)) is None:
            ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} does not come:\n{self.text[-2000:]}"
            self.text += _CONTROL.sub("", os.read(self._ours, 65536).decode(errors="replace"))
        until, self.text = self.text[: found.end()], self.text[found.end() :]
        return until

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def cell(self, *lines: str) -> str:
        """Types a cell at a prompt; returns what comes before the next."""
        for line in (*lines, "", ""):
            self.type(line)
        return self.until(r"In \[\d+\]: $")

    def close(self) -> None:
        self.type("exit")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


def test_ipython_in_a_terminal(workspace: Path) -> None:
    terminal = Terminal(sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor")
    try:
        terminal.until(r"In \[1\]: $")
        terminal.type("%load_ext jupyter_remote")
        terminal.until(r"In \[2\]: $")
        shown = terminal.cell("%%remote local", "print('printed')", "20 + 1")
        assert "printed" in shown and re.search(r"Out\[2\]: *21", shown)
        assert STATUS.search(shown)
        shown = terminal.cell(
            "%%remote local --quiet", "import pandas as pd", "pd.DataFrame({'column': [1]})"
        )
        assert "column" in shown and "<table" not in shown
        shown = terminal.cell("%%remote local --quiet", *BAR.split("\n"))
        assert "Error" not in shown
        shown = terminal.cell("%%remote local --quiet", "def f(): return {}['missing']", "f()")
        assert "KeyError: 'missing'" in shown and "jupyter_remote" not in shown
        for line in ("%%remote local --quiet", "print('hello', input('name? '))", "", ""):
            terminal.type(line)
        terminal.until(r"name\? $")
        terminal.type("Ada")
        assert "hello Ada" in terminal.until(r"In \[\d+\]: $")
    finally:
        terminal.close()


__all__ = ["workspace"]
