"""A cell that does nothing on 16 hosts at once, over connections that stand.

The hosts are aliases of one sshd on this machine, so the processes of all sixteen share its processors with
the client, and beside one of them the cell takes as many times as long as that makes it. A peer that shares
them likewise is the same number of bare `ssh HOST true` at once. What does not depend on where hosts are is
the processor time of this process: that is what many hosts cost where each is a machine of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import process_time

from .harness import Row, at_most, at_most_times, interleaved, timed
from .host import BenchHost, open_host

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
            title = f"warm no-op cell on {HOSTS} hosts"
            spent = process_time()
            ours, peer = interleaved(n, lambda: timed(many), lambda: timed(one))
            spent = (process_time() - spent) / n / (HOSTS + 1)
            where = f"one of them; all on {os.cpu_count()} processors"
            yield at_most_times(title, f"the same on {where}", ours, peer, 2.5, n)
            yield at_most(f"{title}: processor time here for each", spent, 0.001, n)
            with _bare(host, names) as bare:
                bare()
                ours, peer = interleaved(n, lambda: timed(many), lambda: timed(bare))
            yield at_most_times(
                title, f"{HOSTS} bare `ssh HOST true` at once, each with a master", ours, peer, 1, n
            )
        finally:
            jupyter_remote.connect(names[0]).stop_sessions()
            for name in names:
                jupyter_remote.connect(name).close()
            os.chdir(before)


@contextlib.contextmanager
def _bare(host: BenchHost, names: list[str]) -> Iterator[Callable[[], None]]:
    """A function that has `ssh` run `true` on all hosts at once, over connections that stand."""
    with contextlib.ExitStack() as masters:
        commands = []
        for name in names:
            there = replace(host, name=name)
            options = masters.enter_context(there.master())
            commands.append([*there.ssh()[:3], *options, name, "true"])

        def bare() -> None:
            running = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for command in commands]
            if sum(process.wait() for process in running):
                raise RuntimeError("a bare ssh failed")

        yield bare


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
