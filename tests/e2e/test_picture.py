"""The picture of the README: a notebook that trains on another machine, with the side bar beside it.

`docs/images/lab.png` is what this test has made (build/e2e/readme.png), copied there when it looks different.
"""

from __future__ import annotations

import pytest
from conftest import PICTURES
from lab import Notebook
from panel import Panel
from playwright.sync_api import expect

HOSTS = """
hosts:
  dgx01: {type: command, command: [env]}
  dgx02: {type: command, command: [env]}
groups: {gpus: [dgx01, dgx02]}
"""
TRAIN = """%%remote --label digits
import time
for epoch in range(1, 9):
    print(f"epoch {epoch}/8 loss={1 / epoch:.4f} accuracy={1 - 0.6 / epoch:.4f}", flush=True)
    time.sleep(0.05)
epoch"""
VIEW = "import jupyter_remote\njupyter_remote.run_view(_run)"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_picture_of_the_readme(panel: Panel) -> None:
    config = panel.lab.root.parent / "config" / "hosts.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(HOSTS)
    panel.page.set_viewport_size({"width": 1200, "height": 760})
    notebook = Notebook(panel.page, panel.lab, panel.lab.root / "digits.ipynb", PICTURES / "readme.png")
    notebook.write([TRAIN, VIEW])
    notebook.open()
    picker = panel.page.get_by_label("Default host of this notebook")
    picker.select_option("dgx01")
    panel.show()
    panel.choose(panel.host("dgx01"), "Connect")
    expect(panel.host("dgx01")).to_contain_text("63 %")
    notebook.run(0, 1)
    expect(notebook.output(0)).to_contain_text("epoch 8/8")
    expect(notebook.output(1)).to_contain_text("accuracy")
    expect(panel.host("dgx01")).to_contain_text("loss")
    panel.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    notebook.picture()
