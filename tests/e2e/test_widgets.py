"""Widgets of remote cells in a real JupyterLab: bars that move, callbacks that answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import HOSTS, Open
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow

# A bar that goes on when there is a file of the name of its next step.
BAR = """import os, time
from tqdm.notebook import tqdm
for step in tqdm(range(4), mininterval=0, desc='epochs'):
    while not os.path.exists(GO + str(step)):
        time.sleep(0.01)
"""


def test_a_bar_moves_while_the_cell_runs(notebook: Open, host: str, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    lab = notebook([f"%%remote {host}\n{BAR.replace('GO', repr(go))}"])
    lab.start(1)
    output = lab.output(1)
    seen = []
    for step in range(4):
        expect(output.locator(".widget-html-content").last).to_contain_text(f"{step}/4")
        assert lab.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:"
        style = output.locator(".progress-bar").get_attribute("style") or ""
        seen.append(re.search(r"width: (\d+)%", style).group(1))
        if step == 2:
            lab.picture()
        Path(go + str(step)).touch()
    lab.ended(1)
    expect(output.locator(".widget-html-content").last).to_contain_text("4/4")
    assert seen == ["0", "25", "50", "75"]


SLIDER = """import ipywidgets
slider, label = ipywidgets.IntSlider(description='layers'), ipywidgets.Label('not moved')
def moved(change):
    label.value = f"{change['new']} layers, " + type(get_ipython()).__name__
slider.observe(moved, 'value')
ipywidgets.VBox([slider, label])
"""
INTERACT = """from ipywidgets import interact
import matplotlib.pyplot as plt
@interact(power=(1, 5), title='curve')
def show(power, title):
    plt.figure(figsize=(3, 2))
    plt.plot([x ** power for x in range(20)])
    plt.title(title)
    plt.show()
    print('power', power)
"""


def move(output: Locator, by: int) -> None:
    """Moves the slider in an output with the keyboard, as a user can."""
    handle = output.locator(".noUi-handle").first
    handle.focus()
    for _ in range(abs(by)):
        handle.press("ArrowRight" if by > 0 else "ArrowLeft")


@pytest.mark.parametrize("host", HOSTS)
def test_a_sliders_callback_answers_after_the_cell(notebook: Open, host: str) -> None:
    lab = notebook([f"%%remote {host}\n{cell}" for cell in (SLIDER, INTERACT)])
    lab.run(1, 2)
    move(lab.output(1), 3)
    expect(lab.output(1).locator(".widget-label").last).to_contain_text("3 layers, CellShell")
    curve = lab.output(2)
    expect(curve).to_contain_text("power 3")
    before = curve.locator("img").get_attribute("src")
    move(curve, 2)
    expect(curve).to_contain_text("power 5")
    expect(curve.locator("img")).to_have_count(1)
    assert curve.locator("img").get_attribute("src") != before
    text = curve.get_by_role("textbox").last
    text.fill("steep")
    text.press("Enter")
    expect(curve.locator("img")).not_to_have_attribute("src", before or "")
    lab.idle()
    lab.picture()


# Its figures are too large to be told to the host as what the output widget has shown.
LARGE = """import numpy, matplotlib.pyplot as plt
from ipywidgets import interact
@interact(size=(600, 602))
def noise(size):
    plt.figure(figsize=(8, 8))
    plt.imshow(numpy.random.rand(size, size, 3), interpolation='nearest')
    plt.show()
    print('size', size)
"""


def test_widgets_are_there_after_a_reload(notebook: Open, host: str) -> None:
    mine = "import ipywidgets\nipywidgets.IntSlider(7, description='here')"
    lab = notebook([mine, *(f"%%remote {host}\n{cell}" for cell in (SLIDER, INTERACT, LARGE))])
    lab.run(1, 2, 3, 4)
    move(lab.output(2), 2)
    move(lab.output(3), 2)
    move(lab.output(4), 1)
    expect(lab.output(3)).to_contain_text("power 5")
    expect(lab.output(4)).to_contain_text("size 602")
    lab.idle()
    lab.save()
    lab.reload()
    expect(lab.output(1)).to_contain_text("here")
    expect(lab.output(2).locator(".widget-label").last).to_contain_text("2 layers")
    expect(lab.output(3)).to_contain_text("power 5")
    expect(lab.output(3).locator("img")).to_have_count(1)
    expect(lab.output(4)).to_contain_text("size 602")
    # They are alive, too.
    move(lab.output(2), 1)
    expect(lab.output(2).locator(".widget-label").last).to_contain_text("3 layers")
    move(lab.output(3), -1)
    expect(lab.output(3)).to_contain_text("power 4")
    expect(lab.output(3).locator("img")).to_have_count(1)
    lab.idle()
    lab.picture()
    assert lab.warnings() == []
