"""Where a run is: on which host, and what its whole id is. What is done with it is not decided here."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .config import Config
from .errors import RemoteError, UsageError
from .pool import connect
from .remote import Remote

# Hosts asked at the same time: a sleeping one costs its whole time-out, and should cost it only once.
_AT_ONCE = 8
_PREFIX = re.compile(r"[0-9a-f-]+")


class Whereabouts(NamedTuple):
    """A run that was found: the host it is on, and its id."""

    remote: Remote
    run_id: str


def find_run(run_id: str, host: str | None = None) -> Whereabouts:
    """Finds a run by its id, or by a beginning of it that only one run has.

    Args:
        run_id: as in ``20261122-014500-7f3a``, or its beginning.
        host: where it is; all configured hosts are asked when None.

    Raises:
        UsageError: there is none, or there are several; hosts that did not answer are named.
        RemoteError: the one host that was named can't be reached.
    """
    if not _PREFIX.fullmatch(run_id):
        raise UsageError(
            f"{run_id!r} is not the id of a run (20261122-014500-7f3a), nor the beginning of one"
        )
    names = [host] if host is not None else Config.load(Path.cwd()).names()
    found: list[Whereabouts] = []
    silent: list[str] = []
    for name, answer in zip(names, _ask(names, run_id), strict=True):
        if isinstance(answer, RemoteError):
            if host is not None:
                raise answer
            silent.append(name)
        else:
            found += answer
    exact = [one for one in found if one.run_id == run_id]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        which = ", ".join(f"{one.run_id} on {one.remote.host.name}" for one in found[:5])
        raise UsageError(f"several runs begin with {run_id}: {which}", hint="Give more of the id, or --host.")
    unasked = f"; not answering: {', '.join(silent)}" if silent else ""
    raise UsageError(f"no run {run_id} on {', '.join(names)}{unasked}", hint="--host names another host.")


def _ask(names: list[str], run_id: str) -> list[list[Whereabouts] | RemoteError]:
    def ask(name: str) -> list[Whereabouts] | RemoteError:
        try:
            remote = connect(name)
            return [Whereabouts(remote, found) for found in remote.find_runs(run_id)]
        except RemoteError as error:
            return error

    if len(names) == 1:
        # In this thread a host may ask about its key, and an interrupt ends the waiting.
        return [ask(names[0])]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, names))
