"""What the JupyterLab extension adds beside notebooks: status bar, file browser, palette, notifications."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import PICTURES, Open
from lab import Lab
from panel import Panel
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

WAITS = """%%remote local --detach
import os, time
while not os.path.exists({!r}):
    time.sleep(0.05)"""


def test_nblab_elsewhere_in_lab(notebook: Open, lab: Lab, tmp_path: Path) -> None:
    go = tmp_path / "go"
    one = notebook([WAITS.format(str(go))])
    page = one.page
    page.evaluate(
        """() => window.jupyterapp.serviceManager.settings.save(
            'jupyter-remote:notices', '{"notifyLongRuns": true, "longRunSeconds": 0}')"""
    )
    one.reload()
    one.idle()
    one.run(0, 1)
    status = page.locator("#jupyter-remote-status").get_by_role("button")
    expect(status).to_have_accessible_name("Remote hosts: 1 run")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    (PICTURES / "nblab-dark.png").write_bytes(page.screenshot())
    panel = Panel(page, lab)
    for part in (".jp-NotebookPanel .jr-HostPicker", ".jr-CellMarks", "#jupyter-remote-status"):
        assert panel.accessible(part) == []
    go.touch()
    told = page.locator(".Toastify__toast")
    expect(told).to_contain_text("local · finished")
    expect(status).to_have_accessible_name("Remote hosts: no runs")
    told.get_by_role("button", name="Open").click()
    expect(page.locator(".jr-Run")).to_be_visible()
    # Files.
    data = one.path.parent / "data.csv"
    data.write_text("1,2\n")
    page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:refresh')")
    page.locator(".jp-DirListing-item", has_text="data.csv").click(button="right")
    page.locator(".lm-Menu").get_by_text("Push to…", exact=True).click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_label("Host").fill("local")
    expect(dialog.get_by_label("Workspace")).to_have_value(one.path.parent.name)
    (PICTURES / "nblab-push.png").write_bytes(page.screenshot())
    dialog.get_by_role("button", name="Push").click()
    expect(page.locator(".Toastify__toast", has_text="local: sent 1 path")).to_be_visible()
    data.unlink()
    page.locator(".jp-DirListing-item", has_text="data.csv").click(button="right")
    page.locator(".lm-Menu").get_by_text("Pull from…", exact=True).click()
    dialog.get_by_label("Host").fill("local")
    expect(dialog.get_by_label("Files")).to_have_value("/data.csv")
    dialog.get_by_role("button", name="Pull").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".Toastify__toast", has_text="local: pulled 1 file")).to_be_visible()
    assert data.read_text() == "1,2\n"
