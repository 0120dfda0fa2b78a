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
    from ..remote import Remote


def attach(values: Values, show: Show) -> int:
    """`attach ID [--host HOST]`: everything it printed and prints, its end as if it had been started here."""
    remote, run_id = _found(values)
    return show(remote, lambda told: remote.attach(run_id), {**values, "pull": (), "attached": True})


def watch(values: Values, show: Show) -> int:
    """`watch ID [--host HOST]`: waits for its end; what it prints from now on is shown."""
    remote, run_id = _found(values)
    seq = remote.log(run_id, 0).seq
    return show(remote, lambda told: remote.attach(run_id, seq), {**values, "pull": (), "attached": True})


def logs(values: Values, show: Show) -> None:
    """`logs ID [--tail N] [--follow] [--host HOST]`."""
    remote, run_id = _found(values)
    log = remote.log(run_id, values["tail"], values["rank"])
    for piece in log:
        _write(piece)
    if values["follow"]:
        run = remote.attach(run_id, log.seq)
        run.on_link = LinkLine()
        follow(run, TerminalSink())


def _found(values: Values) -> tuple[Remote, str]:
    from ..whereabouts import find_run  # a connection's modules take longer to load than most commands need

    found = find_run(values["run"], values["host"])
    return found.remote(), found.id


def _write(piece: bytes) -> None:
    raw = None if in_kernel() else getattr(sys.stdout, "buffer", None)
    if raw is None:
        BYTES.take(len(piece))
        sys.stdout.write(piece.decode("utf-8", "replace"))
    else:
        sys.stdout.flush()
        raw.write(piece)
