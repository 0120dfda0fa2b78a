"""The view of a host: its campaigns with their steps, its environments, its forwarded ports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from panel import API, Panel, PanelLab
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CLI = "import sys; from jupyter_remote.cli import main; sys.exit(main(sys.argv[1:]))"
DIGEST = "0123456789ab"
STEPS = [
    {"name": "quick", "shell": "echo done of {n}", "matrix": {"n": [1, 2]}},
    {"name": "wrong", "shell": "exit 3"},
]


def environment(state: Path) -> None:
    """One that looks as if it had been made there."""
    folder = state / "envs" / DIGEST
    (folder / "env" / "bin").mkdir(parents=True)
    facts = {"python": "3.11.7", "packages": 31, "size": 2 << 30, "created": 1.0}
    (folder / "env.json").write_text(json.dumps(facts))
    (state / "envs" / f"{DIGEST}.lock").touch()
    (state / "envs" / "names.json").write_text(json.dumps({"torch": DIGEST}))


def test_campaigns_environments_and_ports_of_a_host(panel: Panel, panel_lab: PanelLab) -> None:
    environment(panel_lab.state)
    file = panel.lab.root / "sweep.yaml"
    file.write_text(json.dumps({"name": "sweep", "steps": STEPS}))
    words = ["campaign", str(file), "--host", "local", "--wait"]
    subprocess.run([sys.executable, "-c", CLI, *words], cwd=panel.lab.root, env=panel_lab.env, check=False)
    panel.choose(panel.host("local"), "Campaigns, environments, ports")
    view = panel.page.locator(".jr-HostView")
    expect(view).to_contain_text("Not known: connect to the host.")
    view.get_by_role("button", name="Connect").click()
    campaigns = view.get_by_role("region", name="Campaigns")
    campaigns.get_by_text("sweep", exact=True).click()
    expect(campaigns.locator("summary")).to_contain_text("2 finished, 1 failed")
    wrong = campaigns.get_by_role("row", name="wrong")
    expect(wrong).to_contain_text("exit code 3")
    environments = view.get_by_role("region", name="Environments")
    expect(environments.get_by_role("row", name="torch")).to_contain_text("2G")
    # A port: typed wrong, then right, then ended.
    ports = view.get_by_role("region", name="Forwarded ports")
    ports.get_by_label("Port of local").fill("99999")
    expect(ports.get_by_role("button", name="Forward")).to_be_disabled()
    ports.get_by_label("Port of local").fill("8080")
    ports.get_by_label("Port of local").press("Enter")
    expect(ports.get_by_role("row", name="port 8080")).to_be_visible()
    panel.picture("host-view")
    assert panel.accessible(".jr-HostView") == []
    panel.dark()
    panel.picture("host-view-dark")
    assert panel.accessible(".jr-HostView") == []
    ports.get_by_role("button", name="End http").click()
    expect(ports).to_contain_text("None.")
    environments.get_by_role("button", name="Remove torch").click()
    panel.press(panel.dialog("Remove torch from local?"), "Remove")
    expect(environments).to_contain_text("None:")
    wrong.get_by_role("button").click()
    expect(panel.view().get_by_role("status").first).to_contain_text("failed")
    assert panel.lab.ask(f"{API}forwards") == {"forwards": []}
