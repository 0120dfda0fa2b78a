"""The JupyterLab panel in Chromium: its size, how soon it shows hosts, its work in a frame while news come.

The page is JupyterLab's own with the real extension; the answers and events of 32 hosts, 1,000 runs and
a log of a million lines are made up here, so that they come at a known rate. What a frame takes is
measured from its beginning to the moment after it is painted.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

from tests.e2e.lab import Lab

from .harness import Row, at_most_bytes

BUILT = Path(__file__).parents[1] / "jupyter_remote" / "labextension" / "static"
SOCKET = Path(__file__).with_name("panel_socket.js")
LARGEST = 200_000
FRAME_S = 0.016
SOON_S = 0.1
HOSTS = 32
GPUS = 8
RUNS = 1000
LINES = 1_000_000
API = re.compile(r"/jupyter-remote/api/")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# The work of each frame, in seconds: from the first callback of a frame until it is painted.
_FRAMES = """seconds => new Promise(resolve => {
    const found = [], end = performance.now() + seconds * 1000;
    const channel = new MessageChannel();
    let start = 0;
    channel.port1.onmessage = () => {
        found.push((performance.now() - start) / 1000);
        if (performance.now() > end) resolve(found); else requestAnimationFrame(frame);
    };
    const frame = () => { start = performance.now(); EACH; channel.port2.postMessage(0); };
    requestAnimationFrame(frame);
})"""
_SCROLL = """const log = document.querySelector('.jr-Log');
    log.scrollTop = (log.scrollTop + 1337) % (log.scrollHeight - log.clientHeight)"""
# From the command to the first picture with a host in it.
_OPENED = """([command, shows]) => new Promise(resolve => {
    const start = performance.now();
    window.jupyterapp.commands.execute(command);
    const seen = () => resolve((performance.now() - start) / 1000);
    const look = () => requestAnimationFrame(
        document.querySelector(shows)?.offsetHeight ? seen : look);
    look();
})"""


def measure(quick: bool) -> Iterator[Row]:
    sizes = [len(gzip.compress(path.read_bytes(), 9)) for path in BUILT.glob("*.js")]
    if not sizes:
        raise SystemExit("The panel is not built: scripts/panel says why.")
    yield at_most_bytes("panel: bundle, gzipped", sum(sizes), LARGEST)
    with _page() as (page, world):
        yield _opening(page, world, 2 if quick else 9)
        seconds = 2.0 if quick else 8.0
        world.silent = False
        _reload(page)
        still = page.evaluate(_FRAMES.replace("EACH", ""), seconds)
        page.evaluate("() => window.jupyterapp.commands.execute('jupyter-remote:open-panel')")
        page.wait_for_selector(".jr-RunRow")
        page.wait_for_selector(".jr-Gpu")
        page.evaluate("runs => { window.benchRuns = runs; window.benchPlay(); }", world.runs[-40:])
        busy = page.evaluate(_FRAMES.replace("EACH", ""), seconds)
        yield _frame("32 hosts, 1,000 runs, 52 news a second", busy, still)
        run = world.runs[0]["id"]
        page.evaluate("run => window.jupyterapp.commands.execute('jupyter-remote:run-open', { run })", run)
        page.wait_for_function("() => document.querySelector('.jr-Log-line')?.textContent")
        scrolled = page.evaluate(_FRAMES.replace("EACH", _SCROLL), seconds)
        yield _frame("and scrolling a log of a million lines", scrolled, still)


def _opening(page: Page, world: _World, n: int) -> Row:
    """From the click to the first picture with hosts, while the server says nothing."""
    ours, peer = [], []
    world.silent = True
    for _ in range(n):
        for command, shows, into in (
            ("jupyter-remote:open-panel", "#jupyter-remote-panel .jr-Host", ours),
            ("running:show-panel", ".jp-RunningSessions .jp-RunningSessions-section", peer),
        ):
            _reload(page)
            into.append(page.evaluate(_OPENED, [command, shows]))
    name, beside = "panel: hosts of the last time, from the click on", "running kernels"
    limit = f"≤ {SOON_S * 1000:g} ms"
    return Row(name, beside, median(ours), median(peer), limit, median(ours) <= SOON_S, n)


def _frame(name: str, ours: list[float], peer: list[float]) -> Row:
    """The 95th percentile: what a viewer notices is the frame that comes late now and then."""
    late, still = (sorted(frames)[int(len(frames) * 0.95)] for frames in (ours, peer))
    limit = f"≤ {FRAME_S * 1000:g} ms"
    title = f"panel: work in a frame (p95), {name}"
    return Row(title, "panel closed", late, still, limit, late <= FRAME_S, len(ours))


def _reload(page: Page) -> None:
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")


class _World:
    """Hosts and runs that are made up; their news are made by `panel_socket.js`, in the page."""

    def __init__(self) -> None:
        self.silent = False
        self.hosts = [_host(number) for number in range(HOSTS)]
        self.runs = [_run(number) for number in range(RUNS)]

    def answer(self, route: Route) -> None:
        if self.silent:
            return  # it never comes
        path = route.request.url.split("/api/", 1)[1].partition("?")[0]
        bodies = {
            "hosts": {"hosts": self.hosts, "groups": {}, "problem": None},
            "runs": {"runs": self.runs, "next": None},
        }
        route.fulfill(json=_output(route.request.url) if path.endswith("/output") else bodies.get(path, {}))


def _output(url: str) -> dict[str, Any]:
    wanted = {key: int(value) for key, value in re.findall(r"(from_line|lines)=(-?\d+)", url)}
    start = wanted.get("from_line", 0)
    start = LINES + start if start < 0 else start
    numbers = range(start, min(start + wanted.get("lines", 500), LINES))
    text = "\x1b[3{}mstep={}\x1b[0m loss={:.6f} and some words"
    lines = [{"text": text.format(n % 8, n, 1 / (n + 1)), "stream": "stdout"} for n in numbers]
    known = {"first_line": 0, "total": LINES, "settled": LINES, "complete": True, "state": "finished"}
    return {"run": "", "from_line": start, "lines": lines, "problem": None, **known}


def _host(number: int) -> dict[str, Any]:
    gpu = {"name": "NVIDIA H100", "use": 50.0, "memory_used": 40 << 30, "memory_total": 80 << 30}
    gpu |= {"temperature": 60, "power": 400, "who": ["me: python"], "leased": False, "uuid": None}
    gpus = [{**gpu, "index": str(index)} for index in range(GPUS)]
    memory = {"total": 1 << 40, "available": 1 << 39}
    load = [1.0, 1.0, 1.0]
    sample = {"time": 1.0, "cpu_count": 64, "cpu": 20.0, "load": load, "memory": memory, "gpus": gpus}
    return {
        **{"name": f"gpu{number:02}", "kind": "ssh", "groups": ["gpus"], "address": f"me@gpu{number:02}"},
        **{"defined_in": "hosts.yaml", "state": "connected", "reason": None, "since": 1.0, "seen": 1.0},
        **{"can_start": False, "facts": {}, "disk": None, "sessions": [], "runs": 1},
        "sample": {**sample, "gpu_error": None},
    }


def _run(number: int) -> dict[str, Any]:
    state = "running" if number % 10 == 0 else "finished"
    empty = ["notebook", "session", "campaign", "step", "project", "command", "exit_code", "reason", "seen"]
    empty += ["rerun_of", "git_commit", "git_dirty", "cpu_seconds", "peak_memory", "gpu_memory"]
    return {
        **dict.fromkeys(empty),
        **{"id": f"20261126-{number:06}-abcd", "host": f"gpu{number % HOSTS:02}", "state": state},
        **{"kind": "cell", "label": f"run {number}", "created": time.time(), "started": time.time()},
        **{"ended": None, "seconds": 5.0, "metrics": {"loss": 0.5}, "archives": [], "deleted": False},
        "source": "train()",
    }


@contextmanager
def _page() -> Iterator[tuple[Page, _World]]:
    """JupyterLab with the panel that has been opened once, in a browser."""
    world = _World()
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory(prefix="jr-bench-", ignore_cleanup_errors=True) as folder:
        lab = Lab.start(Path(folder), {})
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 1200})
                page.add_init_script(
                    SOCKET.read_text(encoding="utf-8").replace("HOSTS;", json.dumps(world.hosts) + ";")
                )
                page.route(API, world.answer)
                page.goto(f"{lab.url}lab?token={lab.token}")
                page.wait_for_selector("#jupyter-remote-panel", state="attached")
                page.wait_for_function(
                    "() => Object.keys(localStorage).some(key => key.startsWith('jupyter-remote'))"
                )
                yield page, world
                browser.close()
        finally:
            lab.stop()
