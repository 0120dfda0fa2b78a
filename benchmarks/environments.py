"""The first cell in an environment that is there already, beside the same interpreter given by its path.

Both are cold, as in `cold_cell`: a fresh client each time connects, starts a session and runs one cell.
What `env:NAME` adds is looked up by the supervisor on the host, in files, and costs no round trip.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from .cold_cell import first_cell
from .harness import Row, at_most_times
from .host import open_host
from .warm_cell import make_workspace


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 15
    with open_host() as host:
        import jupyter_remote
        from jupyter_remote.config_edit import set_host
        from jupyter_remote.environments.create import Plan, create, listing
        from jupyter_remote.environments.sources import read_source

        workspace = make_workspace(host.scratch / "ten", 10)
        wanted = host.scratch / "requirements.txt"
        wanted.write_text("# Python alone\n")
        remote = jupyter_remote.connect(host.name, workspace=workspace)
        create(remote, Plan(read_source(str(wanted)), "bench", builder="venv"), []).wait().check()
        path = listing(remote)["environments"][0]["path"]
        remote.close()
        set_host("by-name", {"hostname": host.name, "python": "env:bench"})
        set_host("by-path", {"hostname": host.name, "python": f"{path}/bin/python"})
        seconds: dict[str, list[float]] = {"by-name": [], "by-path": []}
        for each in seconds:
            first_cell(host, workspace, name=each)
        for turn in range(n):
            for each in sorted(seconds, reverse=bool(turn % 2)):
                seconds[each].append(first_cell(host, workspace, name=each)[0])
        ours, peer = (median(seconds[each]) for each in ("by-name", "by-path"))
        yield at_most_times("cold first cell, in env:NAME", "the same Python by its path", ours, peer, 1.1, n)
