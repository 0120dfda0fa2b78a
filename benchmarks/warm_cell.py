"""A cell that does nothing, over a connection that stands, with a workspace in which nothing changed.

Its floor is the bare round trip of a channel: one byte to `cat` on the host and back. Its peer is what people
do today, each time from nothing: `rsync -az`, then `ssh HOST python3 -c pass`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .harness import Row, at_most_above, faster_by, interleaved, timed
from .host import BenchHost, echo, open_host

if TYPE_CHECKING:
    from jupyter_remote import Remote

FILES = 1000


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 7 if quick else 51
    with open_host() as host, echo(host) as round_trip:
        workspace = make_workspace(host.scratch / "thousand", FILES)
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        try:
            cell = _cell(remote)
            old = _old_way(host, workspace)
            cell(), old(), round_trip()  # The first ones start a session and copy the files.
            ours, floor = interleaved(n, lambda: timed(cell), lambda: timed(round_trip))
            yield at_most_above(f"warm no-op cell, {FILES} files", "echo of 1 byte", ours, floor, 0.010, n)
            n = 3 if quick else 7
            ours, peer = interleaved(n, lambda: timed(cell), lambda: timed(old))
            yield faster_by(
                f"warm no-op cell, {FILES} files", "rsync -az + ssh python3 -c pass", ours, peer, 30, n
            )
        finally:
            remote.stop_sessions()
            remote.close()


def make_workspace(folder: Path, files: int) -> Path:
    """A git work tree with that many small files, all committed, fifty to a folder."""
    for number in range(files):
        path = folder / f"part{number // 50:02d}" / f"module{number:04d}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" * 20, encoding="utf-8")
    author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init"], ["add", "."], [*author, "commit", "-m", "files"]):
        subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)
    return folder


def _cell(remote: Remote) -> Callable[[], None]:
    def cell() -> None:
        run = remote.run_cell("pass").wait()
        if run.exit_code != 0:
            raise RuntimeError(f"the cell failed: {run.error}")

    return cell


def _old_way(host: BenchHost, workspace: Path) -> Callable[[], None]:
    rsync = ["rsync", "-az", "-e", f"ssh -F {host.ssh_config}", f"{workspace}/", f"{host.name}:rsync-copy/"]
    python = host.ssh("python3", "-c", "pass")

    def old_way() -> None:
        subprocess.run(rsync, check=True, stdin=subprocess.DEVNULL)
        subprocess.run(python, check=True, stdin=subprocess.DEVNULL)

    return old_way
