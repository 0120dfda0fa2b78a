"""A real JupyterLab and its pages: the server, and what a user does with a notebook in a browser."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

START_S = 60.0
# A slow machine that does other things beside; nothing waits this long when all is well.
PATIENCE_MS = 30_000.0
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_NEWS = {"fetchNews": "false", "checkForUpdates": False}
_CONNECTED = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    if (!panel?.sessionContext) return false;
    await panel.sessionContext.ready;
    const kernel = panel.sessionContext.session?.kernel;
    return kernel?.connectionStatus === 'connected' && (!IDLE || kernel.status === 'idle');
}"""
_RUN = """index => {
    const { commands, shell } = window.jupyterapp;
    const notebook = shell.currentWidget.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    window.runs = window.runs || {};
    window.runs[index] = commands.execute('notebook:run-cell');
}"""


@dataclass
class Lab:
    """A running JupyterLab server.

    Args:
        url: where it is, with a slash at the end.
        root: the folder that it shows.
    """

    url: str
    token: str
    root: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, folder: Path, env: dict[str, str]) -> Lab:
        """Starts one, with settings of its own below `folder`; returns when it answers."""
        root, settings = folder / "root", folder / "settings"
        root.mkdir()
        news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text(json.dumps(_NEWS))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        token = secrets.token_hex(16)
        command = [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
            *("--expose-app-in-browser", "--LabApp.extension_manager=readonly", "--LabApp.news_url="),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
            f"--ServerApp.root_dir={root}",
        ]
        own = {
            "JUPYTER_TOKEN": token,
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            # Without it every frozen module is warned about.
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **env, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        lab = cls(f"http://127.0.0.1:{port}/", token, root, process)
        deadline = time.monotonic() + START_S
        while not lab._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                lab.stop()
                raise RuntimeError(f"JupyterLab does not start:\n{(folder / 'log').read_text()[-4000:]}")
            time.sleep(0.05)
        return lab

    def stop(self) -> None:
        """Ends it and all its kernels."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)

    def ask(self, path: str, method: str = "GET") -> Any:
        """What its REST interface says."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def end_kernels(self) -> None:
        """Ends all kernels and waits for it."""
        for session in self.ask("api/sessions"):
            self.ask(f"api/sessions/{session['id']}", "DELETE")

    def disconnect(self) -> None:
        """Closes the server's own connections to hosts, where it has our extension."""
        api = f"{self.url}jupyter-remote/api/"
        try:
            hosts = self.ask("jupyter-remote/api/hosts")["hosts"]
        except urllib.error.HTTPError:
            return
        for host in hosts:
            if host["state"] in ("connected", "connecting"):
                headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
                url = f"{api}hosts/{host['name']}/disconnect"
                with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=30):
                    pass

    def _answers(self) -> bool:
        try:
            return bool(self.ask("api/status"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


class Notebook:
    """A notebook in the page, spoken to by what a user sees of it.

    Args:
        path: of its file.
        picture: where its screenshot goes.
    """

    def __init__(self, page: Page, lab: Lab, path: Path, picture: Path) -> None:
        self.page = page
        self.path = path
        self._lab = lab
        self._picture = picture
        self.pictured = False

    def write(self, cells: list[str]) -> None:
        """Makes the file anew."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, self.path)

    def open(self) -> None:
        """Opens the file in a workspace of its own, and waits for its kernel."""
        name = self.path.relative_to(self._lab.root).as_posix()
        self.page.goto(
            f"{self._lab.url}lab/workspaces/{secrets.token_hex(4)}/tree/{name}?token={self._lab.token}"
        )
        self.ready(idle=True)

    def reload(self) -> None:
        """Reloads the page, as F5 does."""
        self.page.reload()
        self.ready(idle=False)

    def ready(self, *, idle: bool) -> None:
        """Waits until the page shows the notebook and its kernel answers."""
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
        self.page.wait_for_selector(f"{PANEL} .jp-Notebook .jp-Cell")
        self.page.wait_for_function(_CONNECTED.replace("IDLE", "true" if idle else "false"))

    def start(self, index: int) -> None:
        """Runs a cell; returns at once."""
        self.page.evaluate(_RUN, index)

    def ended(self, index: int) -> None:
        """Waits for the end of a cell that was started."""
        self.page.evaluate("index => window.runs[index].then(() => null)", index)

    def run(self, *indexes: int) -> None:
        """Runs cells, one after the other, to their ends."""
        for index in indexes:
            self.start(index)
            self.ended(index)

    def idle(self) -> None:
        """Waits until the kernel does nothing."""
        self.page.wait_for_function(_CONNECTED.replace("IDLE", "true"))

    def cell(self, index: int) -> Locator:
        return self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def type(self, index: int, text: str) -> None:
        """Puts the text into a cell as if it were typed there, with the cursor at its end."""
        self.page.evaluate(
            "index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index
        )
        editor = self.cell(index).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+End")
        expect(editor).to_contain_text(text.splitlines()[-1])

    def press(self, key: str, shows: Locator) -> None:
        """Presses a key until it shows something: a session that is too slow is not waited for."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while True:
            self.page.keyboard.press(key)
            with contextlib.suppress(PlaywrightTimeout):
                shows.wait_for(timeout=2000)
                return
            assert time.monotonic() < deadline, f"{key} shows nothing: {shows}"

    def insert(self, text: str) -> int:
        """Adds a cell at the end; returns its number."""
        index: int = self.page.evaluate(
            """async text => {
                const { commands, shell } = window.jupyterapp;
                const notebook = shell.currentWidget.content;
                notebook.activeCellIndex = notebook.widgets.length - 1;
                await commands.execute('notebook:insert-cell-below');
                notebook.activeCell.model.sharedModel.setSource(text);
                return notebook.activeCellIndex;
            }""",
            text,
        )
        return index

    def save(self) -> int:
        """Saves the notebook; returns the bytes of its file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
        return self.path.stat().st_size

    def warnings(self) -> list[str]:
        """What the log console has: outputs that belong to no cell."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('logconsole:open')")
        messages = self.page.locator(".jp-LogConsole .jp-OutputArea-output")
        expect(self.page.locator(".jp-LogConsole")).to_be_visible()
        return messages.all_inner_texts()

    def picture(self) -> None:
        """Keeps a screenshot of this moment; else one is made at the end of the test."""
        self._picture.parent.mkdir(parents=True, exist_ok=True)
        self._picture.write_bytes(self.page.screenshot())
        self.pictured = True
