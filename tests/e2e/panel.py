"""The JupyterLab panel in a page: what a user does with it."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import urllib.request
from pathlib import Path
from typing import Any

from fake_gpus import provide
from lab import PATIENCE_MS, Lab
from playwright.sync_api import Locator, Page, expect

API = "jupyter-remote/api/"
AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(__file__).parents[2] / "build" / "e2e"
# What the page of JupyterLab itself is not judged by here.
_AXE_RUN = """async selector => {
    const found = await axe.run(selector, { resultTypes: ['violations'] });
    return found.violations
        .filter(one => ['serious', 'critical'].includes(one.impact))
        .map(({ id, nodes }) => [id, nodes[0].failureSummary, ...nodes.map(node => node.html)].join('\\n'));
}"""
# Every line once, by where it is.
_SCROLL = """async log => {
    const rows = log.querySelector('.jr-Log-rows'), found = [];
    const frame = () => new Promise(requestAnimationFrame);
    log.scrollTop = 0;
    // Drawn in the frame after the one that it was heard in.
    await frame();
    for (;;) {
        await frame();
        const offset = new DOMMatrix(getComputedStyle(rows).transform).m42;
        const texts = [...rows.children].map(row => row.textContent);
        if (texts.some(text => text === '')) continue;
        texts.forEach((text, at) => { found[Math.round(offset / 16) + at] = text; });
        if (log.scrollTop + log.clientHeight >= log.scrollHeight - 1) return found;
        log.scrollTop += log.clientHeight;
        await frame();
    }
}"""


class PanelLab:
    """A JupyterLab with a configuration, an ssh configuration and a history of its own.

    Args:
        folder: for all of it.
    """

    def __init__(self, folder: Path) -> None:
        provide(folder / "gpus", folder / "bin", "nvidia-smi").use(1, 31_000, 63)
        self.hosts = folder / "config" / "hosts.yaml"
        self.known_hosts = folder / "known_hosts"
        config = folder / "ssh_config"
        known = f"UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile /dev/null"
        config.write_text(f"Host *\n  {known}\n  IdentityFile {folder / 'none'}\n  IdentitiesOnly yes\n")
        self.state = folder / "state"
        env = {
            "JUPYTER_REMOTE_SSH_CONFIG": str(config),
            "JUPYTER_REMOTE_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_REMOTE_STATE": str(self.state),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self.env = {**os.environ, **env}
        self.lab = Lab.start(folder, env)

    def begin_anew(self) -> None:
        """Forgets the hosts of the test before; its runs stay in the history."""
        self.hosts.unlink(missing_ok=True)
        self.known_hosts.unlink(missing_ok=True)


class Panel:
    """The side bar of a JupyterLab with the extension, opened anew."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.node = page.locator("#jupyter-remote-panel")

    def open(self) -> None:
        """Opens JupyterLab in a workspace of its own, with the panel in sight."""
        self.page.goto(f"{self.lab.url}lab/workspaces/{secrets.token_hex(4)}?token={self.lab.token}")
        self.ready()
        self.show()

    def ready(self) -> None:
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")

    def show(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('jupyter-remote:open-panel')")
        expect(self.node).to_be_visible()

    def reload(self) -> None:
        """As F5 does."""
        self.page.reload()
        self.ready()

    def host(self, name: str) -> Locator:
        """The item of a host in the tree."""
        return self.node.locator(f'[role=treeitem][data-id="host:{name}"]')

    def choose(self, item: Locator, label: str) -> None:
        """Chooses from the context menu of an item."""
        item.click(button="right", position={"x": 60, "y": 8})
        self.page.locator(".lm-Menu").get_by_text(label, exact=True).click()

    def dialog(self, title: str) -> Locator:
        return self.page.locator(".jp-Dialog", has=self.page.locator(".jp-Dialog-header", has_text=title))

    def press(self, dialog: Locator, label: str) -> None:
        """Presses a button of a dialog, which then goes."""
        dialog.locator(".jp-Dialog-button", has_text=re.compile(f"^{label}")).click()
        expect(dialog).to_have_count(0)

    def view(self) -> Locator:
        """The run view in front."""
        return self.page.locator(".jp-MainAreaWidget:not(.lm-mod-hidden) .jr-Run")

    def open_run(self, run: str) -> Locator:
        self.page.evaluate(
            "run => window.jupyterapp.commands.execute('jupyter-remote:run-open', { run })", run
        )
        expect(self.view()).to_be_visible()
        return self.view()

    def dark(self) -> None:
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
        )
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")

    def log_lines(self) -> list[str]:
        """All lines of the log in front, scrolled through from its beginning."""
        log = self.view().locator(".jr-Log")
        lines: list[str] = self.page.evaluate(_SCROLL, log.element_handle())
        return lines

    def end(self) -> None:
        """Ends all sessions of the hosts that it is connected to."""
        for host in self.lab.ask(f"{API}hosts")["hosts"]:
            if host["state"] == "connected":
                ended(self.lab, post(self.lab, f"hosts/{host['name']}/refresh"))
        for session in self.lab.ask(f"{API}sessions")["sessions"]:
            path = f"{API}hosts/{session['host']}/sessions/{session['name']}"
            ended(self.lab, self.lab.ask(path, "DELETE"))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"panel-{name}.png").write_bytes(self.page.screenshot())

    def accessible(self, selector: str) -> list[str]:
        """The serious violations that axe finds there."""
        if not self.page.evaluate("() => 'axe' in window"):
            # Its text: a path would be read in a thread that stays.
            self.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(_AXE_RUN, selector)
        return found


def post(lab: Lab, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
    """A POST to the extension, as another program would make it."""
    request = urllib.request.Request(
        lab.url + API + path,
        method=method,
        data=json.dumps(body or {}).encode(),
        headers={"Authorization": f"token {lab.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def ended(lab: Lab, operation: dict[str, Any]) -> dict[str, Any]:
    """Waits for the end of an operation, which must succeed."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while operation["ended"] is None:
        assert time.monotonic() < deadline, operation
        time.sleep(0.05)
        operation = lab.ask(f"{API}operations/{operation['id']}")
    assert operation["state"] == "done", operation
    return operation


def start_run(lab: Lab, host: str, code: str, **options: Any) -> str:
    """Starts a run; returns its id."""
    operation = post(lab, "runs", {"host": host, "code": code, "sync": False, **options})
    return str(ended(lab, operation)["result"]["run"]["id"])


def change_host(lab: Lab, host: str, settings: dict[str, Any]) -> None:
    """Changes settings of a host in hosts.yaml."""
    post(lab, f"hosts/{host}", {"settings": settings}, "PATCH")
