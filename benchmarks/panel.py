"""The JupyterLab panel in Chromium: its size, how soon it shows hosts, its work in a frame while news come.

The page is JupyterLab's own with the real extension; the answers and events of 32 hosts, 1,000 runs and
a log of a million lines are made up here, so that they come at a known rate. What a frame takes is measured
twice: what the page's main thread works for it, in seconds of the processor (other programs don't count; the
tracing that tells it does), and by the clock, from its beginning to the moment after it is painted, which a
busy machine makes long. Beside it, the same of a page with nothing to do, and of JupyterLab's editor.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

from tests.e2e.lab import Lab

from .harness import Row, at_most_bytes, beside

BUILT = Path(__file__).parents[1] / "jupyter_remote" / "labextension" / "static"
SOCKET = Path(__file__).with_name("panel_socket.js")
LARGEST = 200_000
FRAME_S = 0.016
SOON_S = 0.1
HOSTS = 32
GPUS = 8
RUNS = 1000
LINES = 1_000_000
# Each host once a second, and 20 runs.
NEWS = HOSTS + 20
PEERS_LOG = "log.txt"
API = re.compile(r"/jupyter-remote/api/")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

_TEXT = "step={} loss={:.6f} and some words"
# What each frame takes by the clock, in seconds: from the first callback of a frame until it is painted.
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
# So far that each frame has other lines than the one before.
_SCROLL = """const log = document.querySelector('SCROLLER');
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
        still = _frames(page, seconds)
        page.evaluate("() => window.jupyterapp.commands.execute('jupyter-remote:open-panel')")
        page.wait_for_selector(".jr-RunRow")
        page.wait_for_selector(".jr-Gpu")
        page.evaluate("runs => { window.benchRuns = runs; window.benchPlay(); }", world.runs[-40:])
        news = f"{HOSTS} hosts, {RUNS:,} runs, {NEWS} news a second"
        yield from _compared(news, _frames(page, seconds), "panel closed", still)
        run = world.runs[0]["id"]
        page.evaluate("run => window.jupyterapp.commands.execute('jupyter-remote:run-open', { run })", run)
        page.wait_for_function("() => document.querySelector('.jr-Log-line')?.textContent")
        scrolled = _frames(page, seconds, ".jr-Log")
        page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', { path }).then(() => null)",
            PEERS_LOG,
        )
        page.wait_for_selector(".cm-scroller .cm-line")
        peer = _frames(page, seconds, ".cm-scroller")
        yield from _compared(
            "and scrolling a log of a million lines", scrolled, "a tenth in the editor", peer
        )


def _opening(page: Page, world: _World, n: int) -> Row:
    """From the click to the first picture with hosts, while the server says nothing."""
    ours: list[float] = []
    peer: list[float] = []
    world.silent = True
    for _ in range(n):
        for command, shows, into in (
            ("jupyter-remote:open-panel", "#jupyter-remote-panel .jr-Host", ours),
            ("running:show-panel", ".jp-RunningSessions .jp-RunningSessions-section", peer),
        ):
            _reload(page)
            into.append(page.evaluate(_OPENED, [command, shows]))
    name, peer_name = "panel: hosts of the last time, from the click on", "running kernels"
    limit = f"≤ {SOON_S * 1000:g} ms"
    return Row(name, peer_name, median(ours), median(peer), limit, median(ours) <= SOON_S, n)


def _compared(what: str, ours: _Frames, peer_name: str, peer: _Frames) -> Iterator[Row]:
    """The 95th percentiles: what a viewer notices is the frame that comes late now and then."""
    limit = f"≤ {FRAME_S * 1000:g} ms"
    work, peers = _late(ours.work), _late(peer.work)
    title = f"panel: main thread's work in a frame (p95), {what}"
    yield Row(title, peer_name, work, peers, limit, work <= FRAME_S, len(ours.work))
    title = f"panel: a frame, with its waits for this machine (p95), {what}"
    yield beside(title, peer_name, _late(ours.wall), _late(peer.wall), len(ours.wall))


@dataclass(frozen=True)
class _Frames:
    """Seconds of each frame: of the processor, and by the clock."""

    work: list[float]
    wall: list[float]


def _frames(page: Page, seconds: float, scroller: str = "") -> _Frames:
    """Watches the page's frames, and scrolls in each of them if there is a scroller."""
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    complete: list[bool] = []
    session.on("Tracing.dataCollected", lambda message: events.extend(message["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.append(True))
    categories = {"includedCategories": ["toplevel", "disabled-by-default-devtools.timeline"]}
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": categories})
    each = _SCROLL.replace("SCROLLER", scroller) if scroller else ""
    wall = page.evaluate(_FRAMES.replace("EACH", each), seconds)
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(20)
    session.detach()
    return _Frames(_work(events), wall)


def _work(events: list[dict[str, Any]]) -> list[float]:
    """What the main thread did from one frame that it handed over to the next."""
    threads: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in events:
        if event["ph"] == "X" and event["name"] in ("ThreadControllerImpl::RunTask", "Commit"):
            threads.setdefault((event["pid"], event["tid"]), []).append(event)
    # Other pages' threads hand over less.
    main = max(threads.values(), key=lambda some: sum(event["name"] == "Commit" for event in some))
    frames = sorted(event["ts"] for event in main if event["name"] == "Commit")
    work = [0.0] * (len(frames) + 1)
    for event in main:
        if event["name"] != "Commit":
            work[bisect(frames, event["ts"])] += event.get("tdur", 0) / 1e6
    return work[1:-1] or work


def _late(frames: list[float]) -> float:
    return sorted(frames)[int(len(frames) * 0.95)]


def _reload(page: Page) -> None:
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
    # Nobody clicks before the page has stopped moving.
    page.evaluate("() => new Promise(resolve => requestIdleCallback(resolve))")


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
    texts = (f"\x1b[3{n % 8}m" + _TEXT.format(f"{n}\x1b[0m", 1 / (n + 1)) for n in numbers)
    lines = [{"text": text, "stream": "stdout"} for text in texts]
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
        text = "".join(_TEXT.format(n, 1 / (n + 1)) + "\n" for n in range(LINES // 10))
        (lab.root / PEERS_LOG).write_text(text)
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
