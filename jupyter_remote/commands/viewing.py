"""`attach`, `watch` and `logs`: looking at a run that was started somewhere else, or before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..allowance import BYTES
from ..call import Show
from ..display import TerminalSink
from ..follow import follow
from ..link_line import LinkLine
from ..live_line import in_kernel
from ..parsing import Values

if TYPE_CHECKING:
    from ..archives.pulled import Pulled
    from ..whereabouts import Found


def attach(values: Values, show: Show) -> int:
    """`attach ID [--host HOST]`: everything it printed and prints, its end as if it had been started here."""
    found, here = _found(values)
    if here is not None:
        remote, run = here.replay()
        return show(remote, lambda told: run, {**values, "pull": (), "attached": True})
    remote = found.remote()
    return show(remote, lambda told: remote.attach(found.id), {**values, "pull": (), "attached": True})


def watch(values: Values, show: Show) -> int:
    """`watch ID [--host HOST]`: waits for its end; what it prints from now on is shown."""
    found, here = _found(values)
    if here is not None:  # it ended long ago
        remote, run = here.replay(only_end=True)
        return show(remote, lambda told: run, {**values, "pull": (), "attached": True})
    remote = found.remote()
    seq = remote.log(found.id, 0).seq
    return show(remote, lambda told: remote.attach(found.id, seq), {**values, "pull": (), "attached": True})


def logs(values: Values, show: Show) -> None:
    """`logs ID [--tail N] [--follow] [--host HOST]`."""
    found, here = _found(values)
    if here is not None:  # there is nothing more to follow
        for piece in here.log(values["tail"], values["rank"]):
            _write(piece)
        return
    remote = found.remote()
    log = remote.log(found.id, values["tail"], values["rank"])
    for piece in log:
        _write(piece)
    if values["follow"]:
        run = remote.attach(found.id, log.seq)
        run.on_link = LinkLine()
        follow(run, TerminalSink())


def _found(values: Values) -> tuple[Found, Pulled | None]:
    """The run, and its folder when it was pulled from an archive and no host was named."""
    from ..whereabouts import find_run  # a connection's modules take longer to load than most commands need

    found = find_run(values["run"], values["host"])
    return found, found.pulled() if values["host"] is None else None


def _write(piece: bytes) -> None:
    raw = None if in_kernel() else getattr(sys.stdout, "buffer", None)
    if raw is None:
        BYTES.take(len(piece))
        sys.stdout.write(piece.decode("utf-8", "replace"))
    else:
        sys.stdout.flush()
        raw.write(piece)
