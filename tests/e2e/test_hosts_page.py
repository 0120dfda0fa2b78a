"""`host_picker` and `host_status` in a real JupyterLab: a choice by keyboard, gauges that move."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from conftest import PICTURES, Open
from fake_gpus import FakeGpus, provide
from hosts import await_true
from lab import Lab, Notebook
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

# Leads to this machine, unless the machine is switched off.
GATE = """#!/bin/sh
if [ -e {down} ]; then echo 'box: switched off' >&2; exit 1; fi
exec "$@"
"""
BEGIN = """import os, jupyter_remote
os.environ['PATH'] = {bin!r} + os.pathsep + os.environ['PATH']
os.environ['JUPYTER_REMOTE_CONFIG_DIR'] = {config!r}"""
ENDED = "box = jupyter_remote.connect('box')\nprint(box.stop_sessions(), 'ended')\nbox.close()"


class Box:
    """A host that can be switched off, with two GPUs that aren't there."""

    def __init__(self, folder: Path) -> None:
        self.gpus: FakeGpus = provide(folder / "gpus", folder / "bin", "nvidia-smi")
        self.down = folder / "down"
        gate = folder / "gate"
        gate.write_text(GATE.format(down=self.down))
        gate.chmod(0o755)
        box = {"type": "command", "command": [str(gate)], "python": sys.executable}
        config = {"hosts": {"box": box, "other": box}, "groups": {"both": ["box", "other"]}}
        (folder / "hosts.yaml").write_text(json.dumps(config))
        self.begin = BEGIN.format(bin=str(folder / "bin"), config=str(folder))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def picture(lab: Notebook, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"widgets-{name}.png").write_bytes(lab.page.screenshot())


def theme(lab: Notebook, name: str) -> None:
    lab.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    light = "true" if "Light" in name else "false"
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)
    expect(lab.page.locator("body")).to_have_attribute("data-jp-theme-light", light)


def test_a_host_is_picked_and_watched(notebook: Open, box: Box) -> None:
    status = "jupyter_remote.host_status('box')"
    agent = "print('agent', jupyter_remote.connect('box').info['pid'])"
    remote = "%%remote --quiet\nimport os; print('on', os.environ['PATH'].split(':')[0])"
    lab = notebook([box.begin, "jupyter_remote.host_picker()", remote, status, agent, ENDED])
    keyboard = lab.page.keyboard
    lab.run(1, 2)
    picker = lab.output(2)
    hosts = picker.locator("select")
    expect(hosts).to_contain_text("box  ✓ ready  2/2 GPUs free".replace(" ", "\N{NO-BREAK SPACE}"))
    # By keyboard alone: the arrow keys move in the list, and Enter chooses.
    names = [text.split()[0] for text in hosts.locator("option").all_inner_texts()]
    hosts.focus()
    for _ in names:
        keyboard.press("ArrowUp")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(picker).to_contain_text(f"%%remote without a name runs on {names[1]}.")
    expect(hosts).to_be_focused()
    picture(lab, "picker-list")
    # In the box for text as well, by letters.
    field = picker.get_by_placeholder("Enter chooses")
    field.focus()
    keyboard.type("other")
    expect(hosts.locator("option")).to_have_count(2)
    keyboard.press("Enter")
    expect(picker).to_contain_text("%%remote without a name runs on other.")
    expect(field).to_have_value("")
    keyboard.type("box")
    keyboard.press("Enter")
    expect(picker).to_contain_text("%%remote without a name runs on box.")
    picture(lab, "picker-light")
    lab.run(3, 5)
    expect(lab.output(3)).to_contain_text(f"on {box.gpus.folder.parent / 'bin'}")
    lab.run(4)
    gauges = lab.output(4)
    card = gauges.locator("tr", has_text="GPU 1").filter(visible=True)
    for percent in (87, 13):
        box.gpus.use(1, 40000, percent)
        expect(card.get_by_label("GPU 1 use")).to_have_attribute("aria-valuenow", str(percent))
        picture(lab, f"status-{'light' if percent == 87 else 'dark'}")
        theme(lab, "JupyterLab Dark" if percent == 87 else "JupyterLab Light")
    # The machine goes, and comes back.
    box.down.touch()
    os.kill(int(lab.output(5).inner_text().split()[1]), signal.SIGKILL)
    expect(gauges.locator(".jr-gone")).to_contain_text("unreachable: ")
    expect(gauges.locator(".jr-gone")).to_contain_text("switched off")
    expect(card).to_have_count(1)
    picture(lab, "status-lost")
    box.down.unlink()
    box.gpus.use(1, 40000, 44)
    expect(card.get_by_label("GPU 1 use")).to_have_attribute("aria-valuenow", "44")
    expect(gauges.locator(".jr-gone").filter(visible=True)).to_have_count(0)
    lab.run(6)


# A minute of them with `WIDGETS_MINUTE=1`.
UPDATES = 3000 if os.environ.get("WIDGETS_MINUTE") else 100
FLOOD = f"""import time
from jupyter_remote.widgets.sampler import News
facts = status._news['box'].facts
for n in range({UPDATES}):
    status._take('box', News('ready', {{**facts, 'cpu': n % 50 + 50}}, '', time.time()))
    time.sleep(0.02)
status._take('box', News('unreachable', facts, 'flooded'))"""


def heap(page: Page) -> int:
    """Bytes of the page's objects, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = int(session.send("Runtime.getHeapUsage")["usedSize"])
    session.detach()
    return used


@pytest.mark.timeout(300)
def test_fifty_updates_a_second_leave_nothing_in_the_page(notebook: Open, box: Box) -> None:
    lab = notebook(
        [box.begin, "status = jupyter_remote.host_status('box', interval=600)\nstatus", FLOOD, FLOOD]
    )
    lab.run(1, 2, 3)
    expect(lab.output(2).locator(".jr-gone")).to_contain_text("flooded")
    size, before = lab.save(), heap(lab.page)
    lab.run(4)
    lab.idle()
    grown = heap(lab.page) - before
    print(f"{UPDATES} updates: heap {grown:+} bytes, file {lab.save() - size:+} bytes")
    # The number before the cell. A page keeps 0.2 MB of whatever it has done, short or long.
    assert abs(lab.save() - size) < 100
    assert grown < 1_000_000


QUICK = """from jupyter_remote.widgets import audience
audience.BEAT_S, audience.GONE_S = 0.3, 3"""


def test_samples_end_with_the_page_and_come_back_with_it(notebook: Open, box: Box, lab: Lab) -> None:
    busy = "import time\nfor _ in range(40): time.sleep(0.1)\n"
    busy += "print('following', status.following, status._audience._beat > 0)"
    show = "status = jupyter_remote.host_status('box', interval=0.2)\nstatus"
    one = notebook([box.begin, QUICK, show, busy])
    one.run(1, 2, 3)
    await_true(box.gpus.running)
    # A kernel that is busy for longer still hears its page.
    one.run(4)
    expect(one.output(4)).to_contain_text("following True True")
    one.save()
    one.reload()
    expect(one.output(3).locator(".widget-html .jr-meter").first).to_be_visible()
    await_true(box.gpus.running)
    one.page.goto("about:blank")
    await_true(lambda: not box.gpus.running())
    one.open()
    expect(one.output(3).locator(".widget-html .jr-meter").first).to_be_visible()
    await_true(box.gpus.running)
    expect(one.output(3).locator(".jr-gone").filter(visible=True)).to_have_count(0)
    # Its output is cleared.
    one.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    await_true(lambda: not box.gpus.running())


def test_a_widget_whose_kernel_has_gone_is_a_table(notebook: Open, box: Box, lab: Lab) -> None:
    one = notebook([box.begin, "jupyter_remote.host_status('box')"])
    copy = one.output(2).get_by_text("As it was at")
    live = one.output(2).locator(".widget-html .jr-meter").first
    one.run(1, 2)
    expect(live).to_be_visible()
    expect(copy).to_be_hidden()
    # Saved while it is live; the file is kept for later, under another name.
    one.save()
    kept = one.path.with_name("Kept.ipynb")
    kept.write_bytes(one.path.read_bytes())
    # The kernel is restarted: its last act is to leave the copy.
    one.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(copy).to_be_visible()
    expect(live).to_be_hidden()
    # Opened when the kernel that it was saved with is no more. ipywidgets complains in the page's console.
    one.page.close()
    lab.end_kernels()
    later = Notebook(one.page.context.new_page(), lab, kept, PICTURES / "widgets-saved.png")
    later.open()
    expect(later.output(2).get_by_text("As it was at")).to_be_visible()
    expect(later.output(2).locator(".jr-meter").first).to_be_visible()
    failed = later.output(2).get_by_text("Error displaying widget")
    expect(failed).to_have_count(1)
    expect(failed).to_be_hidden()
    later.picture()
    later.page.close()
    one.pictured = True
