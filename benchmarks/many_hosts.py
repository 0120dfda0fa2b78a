"""A cell that does nothing on 16 hosts at once, over connections that stand, beside the same on one.

The hosts are aliases of one sshd on this machine, so all sixteen share its processors with the client: what
is measured is the work that a host costs, and whether anything waits for anything else.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .harness import Row, at_most_times, interleaved, timed
from .host import open_host

HOSTS = 16


def measure(quick: bool) -> Iterator[Row]:
    import jupyter_remote

    n = 7 if quick else 31
    with open_host() as host:
        names = [f"h{number:02d}" for number in range(HOSTS)]
        for name in names:
            host.server.alias(name, HostName="127.0.0.1", Port=host.server.port)
        workspace = host.scratch / "project"
        workspace.mkdir()
        (workspace / "module.py").write_text("VALUE = 1\n")
        before = Path.cwd()
        os.chdir(workspace)
        try:
            many, one = _cell(names), _cell_on_one(names[0])
            many(), one(), many()  # The first ones connect, copy the file and start the sessions.
            ours, peer = interleaved(n, lambda: timed(many), lambda: timed(one))
            yield at_most_times(
                f"warm no-op cell on {HOSTS} hosts", "the same on one of them", ours, peer, 2.5, n
            )
        finally:
            jupyter_remote.connect(names[0]).stop_sessions()
            for name in names:
                jupyter_remote.connect(name).close()
            os.chdir(before)


def _cell_on_one(name: str) -> Callable[[], None]:
    import jupyter_remote
    from jupyter_remote.call import run_arguments
    from jupyter_remote.display import TerminalSink
    from jupyter_remote.follow import follow
    from jupyter_remote.options import CELL
    from jupyter_remote.parsing import parse

    values = parse(CELL, [name, "--quiet"])

    def cell() -> None:
        run = jupyter_remote.connect(name).run_cell("pass", session="bench", **run_arguments(values))
        follow(run, TerminalSink(io.StringIO(), io.StringIO()))
        run.check()

    return cell


def _cell(names: list[str]) -> Callable[[], None]:
    from jupyter_remote.call import Start, run_arguments
    from jupyter_remote.group import Part
    from jupyter_remote.host_areas import PrefixView
    from jupyter_remote.options import CELL
    from jupyter_remote.parsing import parse
    from jupyter_remote.several import Several

    values = parse(CELL, [",".join(names), "--quiet"])

    def starter(part: Part) -> Start:
        arguments = run_arguments(part.values)
        session = part.session("bench")
        return lambda told: part.remote.run_cell("pass", session=session, progress=told, **arguments)

    def cell() -> None:
        nowhere = io.StringIO()
        Several(names, starter, values, PrefixView(names, True, nowhere, nowhere)).follow()

    return cell
