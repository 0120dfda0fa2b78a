"""Notebooks with the JupyterLab extension: the default host, cells that are sent, their marks, attaching."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from conftest import PICTURES, Open
from lab import PANEL, Notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow

# It goes on until the file is there.
WAITS = """%%remote local --detach
import os, time
print("begun", flush=True)
while not os.path.exists({!r}):
    time.sleep(0.05)
print("the end")"""


def command(notebook: Notebook, name: str, args: dict[str, object] | None = None) -> None:
    """Executes a command to its end, as a menu would."""
    notebook.page.evaluate(
        "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
        [name, args or {}],
    )


def choose(notebook: Notebook, index: int) -> None:
    """Makes a cell the active one."""
    notebook.page.evaluate(
        "index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index
    )


def mark(notebook: Notebook, index: int) -> Locator:
    """The mark of a cell."""
    return notebook.cell(index).locator(".jr-CellMark")


def toolbar_host(notebook: Notebook) -> Locator:
    return notebook.page.get_by_role("combobox", name="Default host of this notebook")


def picture(notebook: Notebook, name: str) -> None:
    """Keeps a screenshot of this moment."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"nblab-{name}.png").write_bytes(notebook.page.screenshot())


def saved(notebook: Notebook) -> nbformat.NotebookNode:
    notebook.save()
    return nbformat.read(notebook.path, 4)  # type: ignore[no-untyped-call]


def test_nblab_a_cell_is_sent_as_it_stands(notebook: Open) -> None:
    one = notebook(["word = 'there'\nprint(word)\nword", "word", "word = 'here'\nword"])
    choose(one, 1)
    button = one.page.locator(f'{PANEL} .jp-cell-toolbar [data-jp-item-name="jupyter-remote-run-on"]')
    button.get_by_role("button").click()
    menu = one.page.locator(".jr-RunOnMenu")
    expect(menu.get_by_role("menuitem", name="own")).to_be_visible()
    picture(one, "menu")
    menu.get_by_role("menuitem", name="local").click()
    expect(mark(one, 1)).to_contain_text(re.compile(r"local · run \S+ · finished"))
    expect(one.output(1)).to_contain_text("there")
    command(one, "jupyter-remote:cell-run", {"host": "local"})
    one.run(3)
    choose(one, 2)
    command(one, "jupyter-remote:cell-run", {"host": "local"})
    expect(one.output(2)).to_contain_text("'there'")  # the session's, not the kernel's
    expect(mark(one, 3)).to_have_count(0)
    one.picture()
    file = saved(one)
    cell = file.cells[1]
    assert cell.source == "word = 'there'\nprint(word)\nword"
    assert cell.execution_count is not None
    (run,) = cell.metadata.jupyter_remote.runs
    assert run.host == "local" and run.state == "finished"
    one.reload()
    expect(mark(one, 1)).to_contain_text(run.run)
    expect(one.cell(1).get_by_role("button", name=f"Ran on local, run {run.run}, finished")).to_be_visible()
    # Executed here, it has run nowhere else.
    one.run(1)
    expect(mark(one, 1)).to_have_count(0)
    assert "jupyter_remote" not in saved(one).cells[1].metadata


def test_nblab_the_toolbar_chooses_the_host_of_cells_that_name_none(notebook: Open) -> None:
    one = notebook(
        ["%%remote\nprint('it runs')", "from jupyter_remote import default_host\ndefault_host.get()"]
    )
    toolbar_host(one).select_option("own")
    one.run(1)
    expect(mark(one, 1)).to_contain_text("own")
    one.picture()
    assert saved(one).metadata.jupyter_remote == {"host": "own"}
    # A kernel that is started anew is told again.
    one.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    one.idle()
    one.run(2)
    expect(one.output(2)).to_contain_text("'own'")
    # What is chosen in the kernel is shown, and kept.
    index = one.insert("default_host.set('local')")
    one.run(index)
    expect(toolbar_host(one)).to_have_value("local")
    toolbar_host(one).select_option("")
    one.run(2)
    expect(one.output(2)).not_to_contain_text("'")
    assert "jupyter_remote" not in saved(one).metadata


def test_nblab_a_run_that_outlives_the_page_and_the_kernel_is_attached_to(
    notebook: Open, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    source = WAITS.format(str(go))
    one = notebook([source])
    one.run(1)
    expect(mark(one, 1)).to_contain_text("running")
    expect(one.cell(1).get_by_role("button", name="Attach")).to_have_count(0)  # it shows what comes
    one.save()
    one.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    one.reload()
    one.idle()
    attach = one.cell(1).get_by_role("button", name="Attach")
    expect(attach).to_be_visible()
    one.picture()
    attach.click()
    expect(one.output(1)).to_contain_text("begun")
    go.touch()
    expect(one.output(1)).to_contain_text("the end")
    expect(mark(one, 1)).to_contain_text("finished")
    expect(attach).to_have_count(0)
    assert saved(one).cells[1].source == source


def test_nblab_a_page_that_is_loaded_anew_shows_the_run_that_its_kernel_waits_for(
    notebook: Open, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    one = notebook([WAITS.format(str(go)).replace(" --detach", "")])
    one.save()
    one.start(1)
    expect(mark(one, 1)).to_contain_text("running")
    # Nothing of it is saved, and the kernel is busy with it: the server knows.
    one.reload()
    attach = one.cell(1).get_by_role("button", name="Attach")
    attach.click()
    expect(one.output(1)).to_contain_text("begun")
    picture(one, "attached-by-the-server")
    go.touch()
    expect(one.output(1)).to_contain_text("the end")
    expect(mark(one, 1)).to_contain_text("finished")
    expect(attach).to_have_count(0)
    one.idle()
