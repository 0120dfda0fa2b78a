"""A stand-in for OpenPBS: its commands answer as a recorded 23.06 does, and jobs really run.

There is no package of it. A job's script runs as a process of its own, with its output in the file that was
asked for. What the server would decide (that a job waits, is over its limit, is remembered) a test says when
it likes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pbs_programs
import pytest
from pbs_programs import alive, end, locked

PROGRAMS = ("qsub", "qstat", "qselect", "qdel", "qrls")
WAITS = "Not Running: Insufficient amount of resource: ngpus (R: 2 A: 0 T: 2)"


class PbsServer:
    """A server with its programs; what they keep is in one folder.

    Args:
        folder: for everything, `bin` among it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"

    def start(self) -> None:
        """Makes the programs."""
        self.bin.mkdir(parents=True)
        for name in PROGRAMS:
            path = self.bin / name
            path.write_text(
                f'#!/bin/sh\nexec {sys.executable} -I -S {pbs_programs.__file__} {self.folder} {name} "$@"\n'
            )
            path.chmod(0o755)
        (self.folder / "jobs.json").write_text("{}")
        # As elsewhere no id is given twice, not even by two servers of one test session.
        (self.folder / "counter").write_text(str(int(time.time() * 10)))

    def stop(self) -> None:
        """Ends all jobs."""
        with locked(self.folder) as jobs:
            pids = [job["pid"] for job in jobs.values() if job.get("pid") and job["job_state"] != "F"]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)

    def say(self, name: str, text: str = "") -> None:
        """Sets one of the switches: `history`, `down`, `wait` (a reason)."""
        (self.folder / name).write_text(text)

    def unsay(self, name: str) -> None:
        """Takes it back."""
        (self.folder / name).unlink(missing_ok=True)

    def calls(self, program: str) -> list[str]:
        """How a program was called so far."""
        log = self.folder / "calls"
        rows = log.read_text().splitlines() if log.exists() else []
        return [row.partition(" ")[2] for row in rows if row.split()[0] == program]

    def job(self, name: str) -> dict[str, Any]:
        """What is known of a job."""
        with locked(self.folder) as jobs:
            found: dict[str, Any] = jobs[name]
        return found

    def waiting(self) -> list[str]:
        """The ids of those that wait."""
        with locked(self.folder) as jobs:
            return [name for name, job in jobs.items() if job["job_state"] in ("Q", "H")]

    def delete(self, name: str) -> None:
        """As somebody else would."""
        assert subprocess.run([str(self.bin / "qdel"), name], check=False).returncode == 0

    def release(self, name: str) -> None:
        """Lets a job go that waits."""
        assert subprocess.run([str(self.bin / "qrls"), name], check=False).returncode == 0

    def overrun(self, name: str) -> None:
        """The job is over its time limit: its processes are ended, as the server would."""
        end(self.folder, name, -29, f"job {name} exceeded resource walltime")


@pytest.fixture
def openpbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PbsServer]:
    """Its programs first on PATH; without a history, as it is when nobody has switched that on."""
    server = PbsServer(tmp_path / "pbs")
    server.start()
    monkeypatch.setenv("PATH", f"{server.bin}:{os.environ['PATH']}")
    yield server
    server.stop()
