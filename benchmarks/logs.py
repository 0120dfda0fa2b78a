"""What it costs a process that its output is logged, with nobody watching, beside a script into a file.

A cell's peer is the plain script. A program's output is unbuffered there, so that it is seen when it is
printed; its peer is the script with unbuffered output. The time is the host's own, of the run alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .harness import Row, at_most_times, interleaved, timed
from .host import BenchHost, open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote

LINES = "for number in range(1_000_000):\n    print(number)\n"
FLUSHED = "line = 'x' * 99\nfor _ in range(200_000):\n    print(line, flush=True)\n"


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 2 if quick else 5
    with open_host() as host:
        workspace = host.scratch / "empty"
        workspace.mkdir()
        remote = jupyter_remote.connect(host.name, workspace=workspace, python="/usr/bin/python3")
        try:
            remote.run_cell("pass").wait()
            for name, code, program, unbuffered in (
                ("cell that prints 1,000,000 lines", LINES, False, False),
                ("program that prints 1,000,000 lines", LINES, True, True),
                ("program that flushes 200,000 lines", FLUSHED, True, True),
            ):
                ours, peer = interleaved(
                    n,
                    partial(_logged, remote, code, program),
                    partial(timed, partial(_plain, host, code, unbuffered)),
                )
                words = ("PYTHONUNBUFFERED=1 " if unbuffered else "") + "python3 script.py > file"
                yield at_most_times(name, words, ours, peer, 1.3, n)
        finally:
            remote.stop_sessions()
            remote.close()


def _logged(remote: Remote, code: str, program: bool) -> float:
    run = remote.run_script("script.py", code, sync=False) if program else remote.run_cell(code, sync=False)
    path = Path(remote.info["state"]) / "runs" / run.id / "run.json"
    remote.close()  # the link is only a viewer, and here there is to be none
    record = _ended(path)
    if record["state"] != "finished":
        raise RuntimeError(f"run {run.id} has {record['state']}")
    return float(str(record["seconds"]))


def _ended(path: Path) -> dict[str, object]:
    while not (record := json.loads(path.read_text())).get("ended"):
        time.sleep(0.05)
    return dict(record)


def _plain(host: BenchHost, code: str, unbuffered: bool) -> None:
    script = host.scratch / "script.py"
    script.write_text(code)
    env = {**os.environ, **({"PYTHONUNBUFFERED": "1"} if unbuffered else {})}
    with (host.scratch / "output").open("wb") as file:
        subprocess.run(["/usr/bin/python3", script], stdout=file, env=env, check=True)
