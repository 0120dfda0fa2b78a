"""What every front does with a call on several hosts: a dry run, detached runs, or all followed to the end.

The threads and the waiting are `several.py`, the looks `host_areas.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .call import describe_dry_run
from .detached import show_detached
from .display import show_kept
from .errors import HostsFailed, RemoteError
from .host_areas import AreasView, PrefixView
from .live_line import in_kernel
from .many import ask_all
from .parsing import Values
from .several import Several, Starter

if TYPE_CHECKING:
    from .run import Run


def run_together(hosts: Sequence[str], starter: Starter, what: str, values: Values) -> dict[str, Run]:
    """Run on several hosts as the options say, and show it; return the runs by host.

    `_run` is that mapping in a notebook, also when a host failed.

    Args:
        hosts: their names, in the order of the ranks.
        starter: makes the start of one host's run.
        what: in words, for a dry run.
        values: of the options.

    Raises:
        HostsFailed: some of them failed; the others did not stop for it.
        Interrupted: nobody waits any longer; the runs may go on.
    """
    if values["dry_run"]:
        _dry_run(hosts, what, values)
        return {}
    view = (AreasView if in_kernel() else PrefixView)(hosts, values["quiet"])
    several = Several(hosts, starter, values, view)
    if not values["detach"]:
        try:
            several.follow()
        finally:
            _keep(several.runs)
        return several.runs
    try:
        several.start()
    finally:
        _keep(several.runs)
        for part in several.parts:
            if (run := several.runs.get(part.name)) is not None:
                show_kept(run)
                if show_detached(part.remote, run) is None:
                    print(f"run {run.id} on {run.host} goes on; `jupyter remote attach {run.id}` shows it")
    return several.runs


def _dry_run(hosts: Sequence[str], what: str, values: Values) -> None:
    answers = ask_all(hosts, lambda remote: describe_dry_run(remote, what, values))
    failures = {host: answer for host, answer in answers if isinstance(answer, RemoteError)}
    for _, answer in answers:
        if isinstance(answer, str):
            print(answer)
    if failures:
        raise HostsFailed(failures, len(hosts))


def _keep(runs: Mapping[str, Run]) -> None:
    # The shell of a notebook; the command line has none.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        shell.push({"_run": dict(runs)}, interactive=False)
