"""Variables of a run in a notebook: put into the user's namespace, and told when they were large.

How values travel is `variables.py`'s business.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .call import format_size

if TYPE_CHECKING:
    from .run import Run
    from .variables import Moved

# Less than this is there before one has read about it.
TOLD = 10_000_000


def bring_variables(namespace: dict[str, Any], run: Run, quiet: bool) -> None:
    """Fetch what the run was asked for into the namespace; what came is kept when something else is missing.

    Raises:
        UsageError: a variable is not defined there, or can't travel.
        RemoteError: the host could not be asked.
    """
    try:
        run.fetch()
    finally:
        namespace.update(run.fetched)
        if not quiet:
            show_moved(run.received, "fetched", run.host)


def bring_from_hosts(
    namespace: dict[str, Any], runs: Mapping[str, Run], names: Sequence[str], quiet: bool
) -> None:
    """The same of several hosts: each name becomes a mapping from host to value.

    Raises:
        UsageError: a variable is not defined on one of them, or can't travel.
        RemoteError: a host could not be asked.
    """
    gathered: dict[str, dict[str, Any]] = {}
    try:
        for host, run in runs.items():
            gathered[host] = {}
            bring_variables(gathered[host], run, quiet)
    finally:
        for name in names:
            namespace[name] = {host: found[name] for host, found in gathered.items() if name in found}


def show_moved(moved: Moved | None, verb: str, host: str) -> None:
    """Tell on stderr what travelled, when it was large.

    Args:
        verb: `sent` or `fetched`.
    """
    if moved is not None and moved.bytes >= TOLD:
        names = ", ".join(moved.names)
        text = f"{host}: {verb} {names} ({format_size(moved.bytes)} in {moved.seconds:.1f} s)"
        print(text, file=sys.stderr, flush=True)
