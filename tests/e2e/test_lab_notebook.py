"""Notebooks with the JupyterLab extension: the default host, cells that are sent, their marks, attaching."""

from __future__ import annotations

import nbformat
import pytest
from conftest import Open
from lab import Notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow


def command(notebook: Notebook, name: str, args: dict[str, object] | None = None) -> None:
    """Executes a command to its end, as a menu would."""
    notebook.page.evaluate(
        "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, args or {}]
    )


def choose(notebook: Notebook, index: int) -> None:
    """Makes a cell the active one."""
    notebook.page.evaluate(
        "index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index
    )


def mark(notebook: Notebook, index: int) -> Locator:
    """The mark of a cell."""
    return notebook.cell(index).locator(".jr-CellMark")


def test_nblab_a_cell_is_sent_as_it_stands(notebook: Open) -> None:
    one = notebook(["import os\nx = os.getpid()\nprint('there')\nx", "x"])
    choose(one, 1)
    command(one, "jupyter-remote:cell-run", {"host": "local"})
    expect(one.output(1)).to_contain_text("there")
    expect(mark(one, 1)).to_contain_text("local")
    expect(mark(one, 1)).to_contain_text("finished")
    one.picture()
    print(one.cell(1).inner_text())
    one.save()
    print(nbformat.read(one.path, 4).cells[1])
