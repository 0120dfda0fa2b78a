"""The panel from its first use on, with a real sshd behind it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from panel import Panel, change_host, start_run
from playwright.sync_api import expect
from sshd import HOST, SshHost, ssh_host

PASSWORD = "c4n4ry-pa55 w0rd"

TRAINING = """
import pathlib, struct, time, zlib
for step in range(int({steps})):
    print(f"step={{step}} loss={{{rate} / (step + 1):.4f}} acc={{1 - {rate} / (step + 2):.4f}}", flush=True)
    time.sleep(0.05)
out = pathlib.Path("results")
out.mkdir(exist_ok=True)
(out / "curve.csv").write_text("step,loss\\n0,0.5\\n1,0.25\\n")
(out / "note.txt").write_text("<b>kept as text</b>\\n")
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = zlib.compress((b"\\0" + bytes(range(0, 240, 2))) * 60)
picture = chunk(b"IHDR", struct.pack(">IIBBBBB", 120, 60, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
(out / "map.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + picture + chunk(b"IEND", b""))
"""
# Nothing that it prints may be lost, or be markup.
COUNTING = """
import pathlib, time
go = pathlib.Path({go!r})
for number in range(3000):
    print(f"\\x1b[3{{number % 8}}mline {{number}}\\x1b[0m <b>&amp;", flush=number % 50 == 0)
    if number == 1500:
        while not go.exists():
            time.sleep(0.02)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: it makes a PAM service")
def test_the_first_host_is_added_in_the_page(ssh_host: SshHost, panel: Panel) -> None:
    pam = [
        "auth required pam_unix.so nodelay",
        "account required pam_permit.so",
        "session required pam_permit.so",
    ]
    server = ssh_host.start(
        ["KbdInteractiveAuthentication yes", "AuthenticationMethods keyboard-interactive"],
        pam=pam,
        known=False,
    )
    subprocess.run(["chpasswd"], input=f"{ssh_host.user}:{PASSWORD}\n", text=True, check=True)
    expect(panel.node).to_contain_text("Add the machine:")
    panel.picture("first-use")
    assert panel.accessible("#jupyter-remote-panel") == []

    panel.node.get_by_role("button", name="Add a host…").click()
    dialog = panel.dialog("Add a Host")
    dialog.get_by_label("Machine").fill(f"{ssh_host.user}@{HOST}:{server.port}")
    dialog.get_by_label("Name", exact=True).fill("lab1")
    dialog.get_by_label("Group").fill("gpus")
    panel.picture("add-host")
    assert panel.accessible(".jp-Dialog") == []
    panel.press(dialog, "Connect and add")

    question = panel.dialog("Is this really")
    expect(question).to_contain_text("SHA256:")
    panel.picture("host-key")
    panel.press(question, "Yes, and remember")
    question = panel.dialog("Log in to")
    field = question.locator("input")
    assert field.get_attribute("type") == "password"
    field.fill(PASSWORD)
    panel.picture("password")
    panel.press(question, "Send")
    host = panel.host("lab1")
    expect(host).to_contain_text("@gpus")
    expect(host).to_have_class(re.compile("jr-mod-connected"))
    panel.picture("host")

    run = start_run(panel.lab, "lab1", "print('over ssh')")
    expect(panel.open_run(run).locator(".jr-Log")).to_contain_text("over ssh")
    panel.page.evaluate("() => window.jupyterapp.commands.execute('jupyter-remote:open-panel')")
    expect(host.locator(".jr-Item.jr-mod-finished")).to_have_count(1)
    # What was typed is nowhere in the page or what it keeps.
    kept = panel.page.evaluate("() => JSON.stringify(localStorage) + document.documentElement.innerHTML")
    assert PASSWORD not in kept
    subprocess.run(["usermod", "-p", "*", ssh_host.user], check=True)


def test_runs_are_watched_stopped_and_compared(panel: Panel, tmp_path: Path) -> None:
    local = panel.host("local")
    local.get_by_role("button", name="Connect").click()
    expect(local.locator(".jr-Gpu")).to_have_count(2)
    expect(local.locator(".jr-Gpu").nth(1)).to_contain_text("63 %")
    panel.picture("gpus")

    go = tmp_path / "go"
    run = start_run(panel.lab, "local", COUNTING.format(go=str(go)), label="counting")
    view = panel.open_run(run)
    expect(view.locator(".jr-Log")).to_contain_text("line 1500 <b>&amp;")
    expect(view.get_by_role("status").first).to_contain_text("running")
    panel.picture("log")
    assert panel.accessible(".jr-Run") == []
    panel.reload()
    view = panel.view()
    expect(view.locator(".jr-Log")).to_contain_text("line 1500")
    go.touch()
    expect(view.locator(".jr-Log")).to_contain_text("line 2999")
    expect(view.locator(".jr-Log-count")).to_have_text("3,000 lines")
    expect(view.get_by_role("status").first).to_contain_text("finished")
    assert panel.log_lines() == [f"line {number} <b>&amp;" for number in range(3000)]

    run = start_run(panel.lab, "local", "import time\nprint('on')\ntime.sleep(600)", label="to be stopped")
    view = panel.open_run(run)
    expect(view.locator(".jr-Log")).to_contain_text("on")
    view.get_by_role("button", name="Stop").click()
    panel.press(panel.dialog("Stop this run?"), "Stop")
    expect(view.get_by_role("status").first).to_contain_text("stopped")


def test_metrics_artifacts_and_comparison(panel: Panel) -> None:
    change_host(panel.lab, "local", {"sync.pull": ["results/**"]})
    panel.host("local").get_by_role("button", name="Connect").click()
    runs = [
        start_run(panel.lab, "local", TRAINING.format(steps=20, rate=rate), label=f"rate {rate}", sync=True)
        for rate in (0.5, 0.8)
    ]
    view = panel.open_run(runs[0])
    expect(view.get_by_role("status").first).to_contain_text("finished")
    view.get_by_role("tab", name="Metrics").click()
    expect(view.locator(".jr-Curve")).to_have_count(2)
    panel.picture("metrics")
    assert panel.accessible(".jr-Run") == []
    view.get_by_role("button", name="Pull artifacts").click()
    view.get_by_role("tab", name="Artifacts").click()
    view.get_by_role("button", name="Show results/note.txt").click()
    expect(view.locator(".jr-Preview pre")).to_have_text("<b>kept as text</b>\n")
    view.get_by_role("button", name="Show results/curve.csv").click()
    expect(view.locator(".jr-Preview td").first).to_have_text("0")
    view.get_by_role("button", name="Show results/map.png").click()
    image = view.locator(".jr-Preview img")
    expect(image).to_be_visible()
    panel.page.wait_for_function("image => image.naturalWidth === 120", arg=image.element_handle())
    panel.picture("artifact-picture")
    with panel.page.expect_download() as download:
        view.get_by_role("button", name="Download results/curve.csv").click()
    assert Path(download.value.path()).read_text() == "step,loss\n0,0.5\n1,0.25\n"
    panel.picture("artifacts")
    assert panel.accessible(".jr-Run") == []

    panel.show()
    rows = panel.node.get_by_role("option")
    rows.filter(has_text="rate 0.5").click()
    rows.filter(has_text="rate 0.8").click(modifiers=["Control"])
    panel.node.get_by_role("toolbar").get_by_role("button", name="Compare").click()
    comparison = panel.page.locator(".jr-Compare")
    expect(comparison.locator("tbody tr")).to_have_count(2)
    expect(comparison.locator("td.jr-mod-best").first).to_contain_text("★")
    expect(comparison.locator(".jr-Curve-path")).to_have_count(2)
    panel.picture("compare")
    assert panel.accessible(".jr-Compare") == []
    panel.dark()
    panel.picture("compare-dark")
    assert panel.accessible(".jr-Compare") + panel.accessible("#jupyter-remote-panel") == []
    expect(panel.open_run(runs[1]).locator(".jr-Log")).to_contain_text("step=19 ")
    panel.picture("log-dark")
    assert panel.accessible(".jr-Run") == []


def test_several_runs_are_chosen_and_changed_together(panel: Panel) -> None:
    for number in (1, 2):
        start_run(panel.lab, "local", f"print({number})", label=f"small {number}")
    start_run(panel.lab, "local", "import time\ntime.sleep(600)", label="long one")
    rows = panel.node.get_by_role("option")
    chosen = panel.node.locator("[role=option][aria-selected=true]")
    bar = panel.node.get_by_role("toolbar", name="Chosen runs")
    panel.node.get_by_label("Filter runs").fill("small")
    expect(rows.and_(panel.node.locator(".jr-mod-finished"))).to_have_count(2)
    panel.node.get_by_label("Filter runs").fill("")
    # By the mouse: one, one more, and up to there.
    rows.filter(has_text="small 1").click()
    expect(chosen).to_have_count(1)
    rows.filter(has_text="long one").click(modifiers=["Control"])
    expect(chosen).to_have_count(2)
    rows.filter(has_text="small 1").click()
    rows.filter(has_text="long one").click(modifiers=["Shift"])
    expect(chosen).to_have_count(3)
    # The same by the keyboard, from the newest down.
    panel.page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    for key in (
        "Home",
        "Shift+ArrowDown",
        "Shift+ArrowDown",
        "Shift+ArrowUp",
        "Control+ArrowDown",
        "Control+Space",
    ):
        panel.page.keyboard.press(key)
    expect(chosen).to_have_count(3)
    expect(bar).to_contain_text("3 chosen")
    panel.picture("chosen")
    assert panel.accessible("#jupyter-remote-panel") == []
    bar.get_by_role("button", name="Label…").click()
    dialog = panel.dialog("Label of 3 runs")
    dialog.locator("input").fill("together")
    dialog.locator("input").press("Enter")
    expect(rows.filter(has_text="together")).to_have_count(3)
    # One of them goes on, and is refused; the others are in the trash.
    bar.get_by_role("button", name="Delete").click()
    refused = panel.dialog("1 of 3 runs was refused")
    expect(refused).to_contain_text("together (local)")
    panel.picture("refused")
    assert panel.accessible(".jp-Dialog") == []
    panel.press(refused, "Close")
    expect(rows.filter(has_text="together")).to_have_count(1)
    rows.filter(has_text="together").click()
    bar.get_by_role("button", name="Stop").click()
    panel.press(panel.dialog("Stop this run?"), "Stop")
    expect(rows.filter(has_text="together")).to_have_class(re.compile("jr-mod-stopped"))
    panel.node.get_by_role("button", name="Trash").click()
    expect(rows.filter(has_text="together")).to_have_count(2)
    rows.first.click()
    panel.page.keyboard.press("Control+a")
    bar.get_by_role("button", name="Restore").click()
    expect(rows).to_have_count(0)
    panel.node.get_by_role("button", name="Trash").click()
    expect(rows.filter(has_text="together")).to_have_count(3)


__all__ = ["ssh_host"]
