"""Ray for tests: a stand-in for its program, and a real cluster of one machine (`make ray`).

The stand-in is what the suite has: the real one is 400 MB of packages and 17 processes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray_program

REAL = "RAY_REAL"


class StandIn:
    """A cluster of one GPU.

    Args:
        folder: for everything, `bin` among it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        program = self.bin / "ray"
        here = Path(ray_program.__file__).parent
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={here} exec {sys.executable} -S {ray_program.__file__} {folder} "$@"\n'
        )
        program.chmod(0o755)

    def stop(self) -> None:
        """Ends all jobs."""
        for place in (self.folder / "jobs").glob("*"):
            if (place / "pid").exists() and not (place / "exit").exists():
                ray_program.end(place)

    def end(self, name: str) -> None:
        """As somebody else would."""
        assert ray_program.stop(self.folder, [name]) == 0

    def start_waiting(self, name: str) -> None:
        """Its resources are free now."""
        subprocess.run([str(self.bin / "ray"), "job", "begin", name], check=True)

    def calls(self, verb: str) -> list[str]:
        """How it was called so far."""
        rows = (self.folder / "calls").read_text().splitlines()
        return [row for row in rows if row.startswith(f"job {verb} ") or row == f"job {verb}"]


@pytest.fixture
def standin_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Its program first on PATH."""
    cluster = StandIn(tmp_path / "ray")
    monkeypatch.setenv("PATH", f"{cluster.bin}:{os.environ['PATH']}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def real_ray() -> Iterator[dict[str, str]]:
    """The settings by which a host finds a real cluster on loopback, with one GPU that exists on paper."""
    if not os.environ.get(REAL):
        pytest.skip("400 MB of packages, and a minute: make ray")
    program = Path(sys.executable).parent / "ray"
    if not program.exists():
        pytest.fail(f"no {program}: make ray installs it")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER_REMOTE_", "RAY_"))}
    env.update(RAY_USAGE_STATS_ENABLED="0", PATH=f"{program.parent}:{env['PATH']}")
    ports = [_free_port() for _ in range(2)]
    with tempfile.TemporaryDirectory(prefix="jr-ray-", ignore_cleanup_errors=True) as folder:
        argv = [str(program), "start", "--head", "--node-ip-address=127.0.0.1", f"--port={ports[0]}"]
        argv += [f"--dashboard-port={ports[1]}", "--num-cpus=4", "--num-gpus=1", f"--temp-dir={folder}"]
        try:
            done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=90, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            yield {"ray.address": f"http://127.0.0.1:{ports[1]}", "ray.program": str(program)}
        finally:
            _end(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(folder: str) -> None:
    """Ends what names that folder; `ray stop` would end every Ray of the machine."""
    ours = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if folder in " ".join(process.cmdline()):
                ours += [process, *process.children(recursive=True)]
    for process in ours:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(ours, 10)
