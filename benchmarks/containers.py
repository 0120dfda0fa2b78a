"""Runs in containers: the first line of one beside the engine's own `run`, a warm cell beside a direct one.

The engines are those of the tests, the image is made of this machine's files. Where one can't be started a
line says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.containers import Engine, running_docker, running_podman, why_not, write_root

from .harness import Row, at_most_above, beside, interleaved, timed

if TYPE_CHECKING:
    from jupyter_remote import Remote

ENGINES = {"podman": (running_podman, ("podman", "runc")), "docker": (running_docker, ("docker", "dockerd"))}


def measure(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="jr-bench-") as name:
        scratch = Path(name)
        before = os.environ.get("JUPYTER_REMOTE_STATE")
        os.environ["JUPYTER_REMOTE_STATE"] = str(scratch / "state")
        write_root(scratch / "root.tar")
        try:
            for engine, (running, programs) in ENGINES.items():
                if why := why_not(*programs):
                    print(f"no figures of {engine}: {why}", file=sys.stderr)
                    continue
                with running(scratch / "root.tar") as one:
                    yield from _figures(one, scratch, quick)
        finally:
            os.environ.pop("JUPYTER_REMOTE_STATE")
            if before is not None:
                os.environ["JUPYTER_REMOTE_STATE"] = before


def _figures(engine: Engine, scratch: Path, quick: bool) -> Iterator[Row]:
    inside, direct = _remote(scratch, **engine.settings(scratch)), _remote(scratch)
    try:
        first, own = _first_line(inside), _engines_own(engine)
        first(), own()
        n = 3 if quick else 11
        ours, peer = interleaved(n, first, own)
        yield beside(f"first line of a run in {engine.name}", f"{engine.name} run", ours, peer, n)
        cells = [_cell(inside, engine.name), _cell(direct, "direct")]
        for cell in (*cells, *cells):
            cell()
        n = 7 if quick else 51
        ours, peer = interleaved(n, *cells)
        yield at_most_above(f"warm cell in {engine.name}", "a direct one", ours, peer, 0.010, n)
    finally:
        for remote in (inside, direct):
            remote.stop_sessions()
            remote.close()


def _remote(scratch: Path, **settings: Any) -> Remote:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    workspace = scratch / "project"
    workspace.mkdir(exist_ok=True)
    wanted = {"workspace": str(scratch / "mirror"), **settings}
    return Remote(Config.load(workspace).host("local", wanted), workspace)


def _first_line(remote: Remote) -> Callable[[], float]:
    def first_line() -> float:
        began = time.perf_counter()
        run = remote.run_bash("echo here", sync=False)
        next(event for event in run.events() if event.text)
        took = time.perf_counter() - began
        run.wait().check()
        return took

    return first_line


def _engines_own(engine: Engine) -> Callable[[], float]:
    words = [engine.name, "run", "--rm", "--network=host", engine.image, "/usr/bin/bash", "-c", "echo here"]

    def own() -> float:
        began = time.perf_counter()
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            return time.perf_counter() - began

    return own


def _cell(remote: Remote, session: str) -> Callable[[], float]:
    return lambda: timed(lambda: remote.run_cell("pass", session=session, sync=False).wait().check())
