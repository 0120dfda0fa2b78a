"""What is left of us on a host, and what of that goes. What may go is decided there, in `agent/leftovers.py`.

How it is listed, and who is asked first, is `commands/cleaning.py`'s business.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .records import ask

if TYPE_CHECKING:
    from .remote import Remote

# What a host may have of us that is of no use: each is removed by `clean` without further options.
KINDS = ("processes", "sessions", "agents", "leases", "environments", "campaigns")


def find(remote: Remote, *, mirror: bool = False, runs: bool = False) -> dict[str, Any]:
    """What could go, with its sizes; nothing is removed.

    Args:
        remote: the host.
        mirror: the workspace's mirror too, as far as it was put there and not changed since.
        runs: all ended runs too.

    Returns:
        As `agent/leftovers.py` says.

    Raises:
        RemoteError: the host can't be asked.
    """
    return _clean(remote, {"dry_run": True, "sizes": True}, mirror, runs, None)


def remove(
    remote: Remote, *, mirror: bool = False, runs: bool = False, only: Iterable[str] | None = None
) -> dict[str, Any]:
    """Removes what can go, for good.

    Args:
        remote: the host.
        mirror: as :func:`find`.
        runs: ended runs too.
        only: of the runs only these; all when None.

    Returns:
        What was removed, with its sizes, as `agent/leftovers.py` says.

    Raises:
        RemoteError: the host can't be asked.
    """
    return _clean(remote, {"dry_run": False, "sizes": True}, mirror, runs, only)


def count(remote: Remote) -> dict[str, int]:
    """How many leftovers there are, by kind (`KINDS`); sizes, which take longer, are not looked at.

    Raises:
        RemoteError: the host can't be asked.
    """
    told = _clean(remote, {"dry_run": True}, False, False, None)
    return {kind: len(told.get(kind) or ()) for kind in KINDS}


def _clean(
    remote: Remote, options: dict[str, Any], mirror: bool, runs: bool, only: Iterable[str] | None
) -> dict[str, Any]:
    options |= {"workspace": remote.mirror if mirror else None, "runs": runs}
    payload = b"" if only is None else zlib.compress(json.dumps(list(only)).encode("ascii"))
    # First, because the folder of a container's job may go now.
    containers = _containers(remote, remove=not options["dry_run"]) if options.get("sizes") else []
    return {**ask(remote, m.Clean(options), payload), "containers": containers}


def _containers(remote: Remote, *, remove: bool) -> list[str]:
    """The containers of this user that nobody watches: engine and name."""
    from . import jobs
    from .launchers.container import left

    return jobs.ask(remote.connection(), left(remove=remove), 0)[0].out.splitlines()
