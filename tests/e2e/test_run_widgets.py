"""The widgets of runs in a real JupyterLab: a curve that grows, a stop, a comparison, a board."""

from __future__ import annotations

import re

import nbformat
import pytest
from conftest import PICTURES, Open
from lab import Notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow

# A training that has ended, and one that the cell waits for until it is stopped.
TRAINING = """import time
import matplotlib.pyplot as plt
for epoch in range(1, EPOCHS + 1):
    print(f'epoch {epoch}/EPOCHS loss={1 / epoch:.4f} accuracy={1 - 1 / (epoch + 1):.4f} model=NAME')
    if epoch == 5:
        plt.figure(figsize=(3, 2)); plt.plot([1 / n for n in range(1, 6)]); plt.title('NAME'); plt.show()
    time.sleep(PAUSE)
print('\\x1b[32mtrained\\x1b[0m')
"""


def training(name: str, epochs: int, pause: float) -> str:
    code = TRAINING.replace("EPOCHS", str(epochs)).replace("NAME", name).replace("PAUSE", str(pause))
    return f"%%remote local --label {name} --session {name}\n{code}"


def theme(lab: Notebook, name: str) -> None:
    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
    lab.page.evaluate(change, name)
    light = "false" if "Dark" in name else "true"
    lab.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
    lab.page.wait_for_selector("#jupyterlab-splash", state="detached")


def picture(lab: Notebook, area: Locator, name: str) -> None:
    area.evaluate("area => area.scrollIntoView()")
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"runs-{name}.png").write_bytes(lab.page.screenshot())
    lab.pictured = True


def press(area: Locator, name: str) -> None:
    area.get_by_role("button", name=name, exact=True).first.click()


def row(table: Locator, text: str) -> Locator:
    return table.locator(".jr-row").filter(has_text=text)


def select(table: Locator, text: str) -> None:
    row(table, text).get_by_role("button").click()


def test_a_run_is_seen_stopped_and_compared(notebook: Open) -> None:
    cells = [training("short", 5, 0), "import jupyter_remote as jr\njr.runs_table()"]
    lab = notebook([*cells, training("endless", 5000, 0.2)])
    lab.run(1, 2)
    lab.start(3)  # the kernel is busy with it, and hears nevertheless
    table = lab.output(2).locator(".jr-runs")
    expect(row(table, "short")).to_contain_text("finished")
    expect(row(table, "endless")).to_contain_text("running")
    expect(table.locator("select").first).to_have_value("host: any")
    select(table, "endless")
    press(table, "open")
    view = table.locator(".jr-view")
    expect(view.locator(".jr-log")).to_contain_text("loss=")
    curve = view.locator(".jr-curve").filter(has_text="loss").locator(".jr-path")
    before = curve.get_attribute("d") or ""
    expect(curve).to_have_attribute("d", re.compile(rf"^(?!{re.escape(before)}$)"))
    expect(view.locator("img")).to_have_count(1)
    picture(lab, table, "live-light")
    theme(lab, "JupyterLab Dark")
    picture(lab, table, "live-dark")
    press(table, "stop")
    expect(row(table, "endless")).to_contain_text("stopped")
    expect(view).to_contain_text("stopped")
    select(table, "short")
    press(table, "compare")
    expect(table.locator("img")).to_have_count(1)
    expect(table.locator("table")).to_contain_text("accuracy")
    expect(table.locator("table tbody tr").filter(has_text="short")).to_contain_text("0.2")
    picture(lab, table, "compared-dark")
    theme(lab, "JupyterLab Light")
    picture(lab, table, "compared-light")
    lab.ended(3)
    expect(lab.output(3)).to_contain_text("stopped")
    assert lab.warnings() == []


BOARD = """import jupyter_remote as jr
steps = [
    {'name': 'fetch', 'shell': 'echo got it'},
    {'name': 'train', 'shell': '[ {lr} != 0.2 ]', 'matrix': {'lr': [0.1, 0.2]}, 'after': 'fetch'},
    {'name': 'wait', 'shell': 'until [ -e go ]; do sleep 0.1; done; echo went', 'cwd': 'there'},
]
jr.campaign({'name': 'sweep', 'steps': steps, 'concurrency': 2}, 'local')
jr.campaign_board('sweep')"""


def test_the_board_of_a_campaign(notebook: Open) -> None:
    lab = notebook([BOARD])
    (lab.path.parent / "there").mkdir()
    (lab.path.parent / "there" / "kept").touch()
    lab.run(1)
    board = lab.output(1).locator(".jr-board")
    cells = board.locator(".jr-board-grid button")
    expect(cells).to_have_count(4)
    expect(board).to_contain_text("2 ✓finished")
    expect(cells.filter(has_text="failed")).to_have_count(1)
    cells.filter(has_text="running").click()
    expect(board.locator(".jr-view")).to_contain_text("wait")
    picture(lab, board, "board-light")
    theme(lab, "JupyterLab Dark")
    picture(lab, board, "board-dark")
    press(board.locator(".jr-view"), "interrupt")
    expect(board).to_contain_text("■stopped")
    theme(lab, "JupyterLab Light")
    # It has ended, and is saved with its end.
    copy = lab.output(1).locator("[class^=jr-copy]")
    expect(copy).to_contain_text("1 ■stopped")
    before = lab.save()
    saved = nbformat.read(lab.path, 4).cells[1].outputs[0].data
    assert "■ stopped" in saved["text/plain"] and "sweep" in saved["text/html"]
    assert before < 40_000
