"""Fixtures of the tests in a browser: one JupyterLab and one Chromium a process, a fresh page for each test.

They run in processes of their own (`make e2e`): Playwright's event loop tolerates no other in its thread.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import PATIENCE_MS, Lab, Notebook
from panel import Panel, PanelLab
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from sshd import SshHost, pytest_runtest_makereport, sshd

from jupyter_remote.config import Config
from jupyter_remote.remote import Remote

BUILT = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "jupyter-remote" / "package.json"
PICTURES = Path(__file__).parents[2] / "build" / "e2e"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
# What the notebooks of the tests know.
HOSTS = ("local", "own")

Open = Callable[[list[str]], Notebook]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's browser, without a window."""
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        reason = "Chromium is not installed (package chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        # Helpers that it starts with its first page stay: they are no test's.
        with browser.new_context() as context:
            context.new_page().goto("data:text/html,<h1>warm</h1>")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(sshd: SshHost) -> Iterator[Lab]:
    """A JupyterLab whose kernels know two hosts: `local`, and `own` behind a real sshd."""
    sshd.start_own("own")
    hosts = {"own": {"type": "ssh", "python": sys.executable}}
    config = Path(os.environ["JUPYTER_REMOTE_CONFIG_DIR"])
    (config / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    with tempfile.TemporaryDirectory(prefix="jr-lab-", ignore_cleanup_errors=True) as folder:
        lab = Lab.start(Path(folder), sshd.env)
        yield lab
        lab.stop()


@pytest.fixture(scope="session")
def panel_lab() -> Iterator[PanelLab]:
    """A JupyterLab in which nothing is configured; `local` has two GPUs."""
    if not BUILT.exists():
        reason = "the panel is not built (scripts/panel says why)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="jr-panel-", ignore_cleanup_errors=True) as folder:
        panel_lab = PanelLab(Path(folder))
        yield panel_lab
        panel_lab.lab.stop()


@pytest.fixture
def panel(page: Page, panel_lab: PanelLab) -> Iterator[Panel]:
    """The panel in its first use: no hosts yet, none known to ssh, none connected to."""
    panel_lab.begin_anew()
    panel = Panel(page, panel_lab.lab)
    panel.open()
    yield panel
    page.close()
    panel.end()
    panel_lab.lab.end_kernels()
    panel_lab.lab.disconnect()


@pytest.fixture
def host() -> str:
    """The name of the host that cells run on: the one behind SSH, which is the longer way.

    A test of what differs without SSH asks for both, by `@pytest.mark.parametrize("host", HOSTS)`.
    """
    return "own"


@pytest.fixture
def leaves_nothing_behind(chromium: Browser, leaves_nothing_behind: None) -> None:
    """As in all tests; the browser is there before and stays, and so do the servers of the whole session."""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page, without anything of the tests before; errors in its console fail the test."""
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def notebook(
    page: Page, lab: Lab, sshd: SshHost, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Opens a notebook of these cells in a folder of its own, with the extension loaded by the first.

    At the end there is a picture of it; its kernel and its sessions on the hosts are ended.
    """
    for name, value in sshd.env.items():
        monkeypatch.setenv(name, value)
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    folder = lab.root / name
    opened: list[Notebook] = []

    def open_notebook(cells: list[str]) -> Notebook:
        one = Notebook(page, lab, folder / "Notebook.ipynb", PICTURES / f"{name}.png")
        opened.append(one)
        one.write(["%load_ext jupyter_remote", *(cell.rstrip() for cell in cells)])
        one.open()
        one.run(0)
        return one

    yield open_notebook
    for one in opened:
        if not one.pictured:
            one.picture()
    page.close()
    lab.end_kernels()
    for host in HOSTS:
        with Remote(Config.load(folder).host(host, {}), folder) as remote:
            remote.stop_sessions()
    lab.disconnect()


__all__ = ["pytest_runtest_makereport", "sshd"]
