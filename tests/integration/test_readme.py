"""The README's example, copied out of it: its cells in a kernel, its lines in a shell, with a real sshd."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hosts import await_true
from nbclient import NotebookClient
from sshd import HOST, SshHost

README = Path(__file__).parents[2] / "README.md"
# What the reader has: a module, a script, a variable.
MODULE = """
def train(batch=None, epochs=1):
    return [2 * value for value in batch] if batch else ((n, 1 / n) for n in range(1, epochs + 1))
"""
SCRIPT = "import sys, mymodel\nprint(sys.argv[1:], list(mymodel.train(epochs=3))[-1][0])\n"

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    section = text[text.index("## An example") : text.index("## What ran where")]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def test_the_example(ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (server,) = ssh_host.servers[:1]
    ssh_host.alias("gpu1", HostName=HOST, Port=server.port, User=ssh_host.user)
    (tmp_path / "mymodel.py").write_text(MODULE)
    (tmp_path / "train.py").write_text(SCRIPT)
    cells = [*blocks("python"), "run.check().state, weights", "%remote sessions stop gpu1"]
    cells.insert(3, "batch = [1, 2]")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=90, kernel_name="python3", resources=resources).execute()
    said = [
        "".join(str(out.get("text") or out.get("data")) for out in cell.outputs) for cell in notebook.cells
    ]
    assert "1 1.0\n2 0.5\n3 0.333" in said[1]
    assert "0.3333333333333333" in said[2]
    assert "('finished', [2, 4])" in said[-2]

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (lines,) = blocks("sh")
    done = subprocess.run(["bash", "-ec", lines], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "['--epochs', '3'] 3" in done.stdout and "gpu1" in done.stdout
    await_true(lambda: not ssh_host.processes())
