"""A notebook whose cells run on a host that is only an alias of the ssh configuration."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from hosts import await_true
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from sshd import SshHost

CELLS = [
    "%load_ext jupyter_remote",
    "%%remote l1\nimport getpass, model\nx = model.SIZE\nprint(getpass.getuser())",
    "%%remote l1 --quiet\nx + 1",
    "%%remote l1 --bash --quiet\ncat model.py; exit 0",
    "%%remote l1 --quiet\nx / 0",
    "%remote sessions stop l1",
]


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """What the cell shows, as text; on a slow machine there are empty places of lines that came and went."""
    said = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs]
    return [text for text in said if text]


def test_an_alias_with_include_and_jump_host_needs_no_configuration(
    ssh_host: SshHost, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text("SIZE = 41\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    notebook.cells[4].metadata["tags"] = ["raises-exception"]
    client = NotebookClient(
        notebook, timeout=90, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    cells = notebook.cells
    assert texts(cells[1])[0] == f"{ssh_host.user}\n"
    assert texts(cells[1])[1].startswith("✓ l1 · ")
    assert [(out.output_type, out.data["text/plain"]) for out in cells[2].outputs] == [
        ("execute_result", "42")
    ]
    assert texts(cells[3]) == ["SIZE = 41\n"]
    (error,) = cells[4].outputs
    assert (error.output_type, error.ename) == ("error", "ZeroDivisionError") or "ZeroDivisionError" in str(
        error
    )
    assert not any("jupyter_remote" in line for line in error.traceback)
    await_true(lambda: not ssh_host.processes())


def test_run_all_stops_at_the_failed_cell(ssh_host: SshHost, tmp_path: Path) -> None:
    sources = ["%load_ext jupyter_remote", "%%remote l1 --fresh\n1 / 0", "print('never')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
    client = NotebookClient(
        notebook, timeout=90, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        client.execute()
    assert not notebook.cells[2].get("outputs")
    await_true(lambda: not ssh_host.processes())
