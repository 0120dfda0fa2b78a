"""How a run is started that was ordered (``ordering.py``), and the sync before it.

What becomes of one that was started is in ``run.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import history
from .agent import messages as m
from .connection import Connection, Stale
from .errors import ConnectionLost, SyncError, UsageError
from .hosts.registry import KINDS
from .linkstate import LinkState
from .run import Run, accepted
from .sync.ahead import Ahead

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .hostlink import HostLink
    from .linkstate import Told
    from .ordering import Order
    from .provenance import Provenance
    from .sync.progress import Report
    from .sync.session import Pushed, WorkspaceSync
    from .variables import Sending

# How often a sync is planned again because somebody else has synced to the same mirror.
ATTEMPTS = 5
# How long a link that breaks before the run has started is tried again.
PATIENCE_S = 120.0


def start(
    link: HostLink,
    order: Order,
    sync: Callable[[], WorkspaceSync],
    provenance: Provenance | None = None,
    progress: Report | None = None,
    on_link: Told | None = None,
) -> Run:
    """Syncs the workspace, where that is wanted, and starts a run.

    Args:
        link: to the host.
        order: what is run.
        sync: makes the workspace's sync, once the host has begun to start.
        provenance: what the record says of the workspace that was synced.
        progress: told how far the sync has come.
        on_link: told when the link breaks meanwhile, and how it is made again.

    Raises:
        ConnectError, SyncError, LaunchError: it could not be started.
        UsageError: a variable can't be sent, or is not set here.
    """
    run, session, text = order.run, order.session, order.code.encode("utf-8")
    values = _values(order.pass_env)
    sending = _noted(order, link.host)
    ahead = Ahead(sync) if order.sync else None
    # The session's interpreter starts while the files are compared.
    connection = link.connection(m.OpenSession(session), ahead.begin if ahead else None)
    notice = KINDS[link.host.type].prepare(link.host, connection)
    workspace = sync() if order.sync else None
    message = m.Execute(run, session, None, values)
    stale = losses = 0
    while stale < ATTEMPTS:
        try:
            started = _send(link, connection, message, text, workspace, provenance, progress, ahead, sending)
            started.notice = notice
            return started
        except Stale:
            assert workspace is not None
            workspace.forget()
            stale += 1
        except ConnectionLost:
            losses += 1
            if losses > ATTEMPTS:
                raise
            # The host may have got it before the link broke.
            told = on_link or (lambda state: None)
            connection = link.restore(told, PATIENCE_S)
            told(LinkState(link.host.name, True))
            with suppress(UsageError, ConnectionLost):
                return _told(attach(link, connection, run["id"]), run, sending)
    raise SyncError(
        f"the mirror on {link.host.name} keeps changing: another client syncs to {session['workspace']}",
        host=link.host.name,
    )


def _send(
    link: HostLink,
    connection: Connection,
    order: m.Execute,
    code: bytes,
    workspace: WorkspaceSync | None,
    provenance: Provenance | None,
    progress: Report | None,
    ahead: Ahead | None,
    sending: Sending | None,
) -> Run:
    pushed = workspace.push(connection, progress, ahead) if workspace else None
    after = pushed.after if pushed else None
    generation = workspace.generation if workspace and after is None else None
    known = provenance.known(generation) if provenance and generation is not None else None
    order.run.update(known or {})
    values = _brought(sending, connection, pushed)
    message = m.Execute(order.run, order.session, generation, order.secrets, after, values)
    stream = connection.request(message, code)
    report = pushed.finish() if pushed else None
    if sending is not None:
        sending.finish()
    run = _told(Run(link, accepted(stream.receive().message), stream), order.run, sending)
    run.sync_report = report
    history.started(run.record, code.decode("utf-8"))
    if provenance and workspace and known is None:
        provenance.follow(connection, run.id, workspace.generation)
    return run


def _noted(order: Order, host: HostConfig) -> Sending | None:
    """Writes into the run's record which variables come and go, and packs those that go there."""
    run, send = order.run, order.send
    if not send and not order.fetch:
        return None
    from .variables import Sending, check_names, pack

    run.update(send=list(send or ()), fetch=list(check_names(order.fetch, host.name)), trust=host.trust)
    return Sending(order.session, run["id"], run["send"], pack(send, host)) if send else None


def _told(run: Run, record: dict[str, Any], sending: Sending | None) -> Run:
    """The same run, told that it is ours, and which variables it was sent and has to give."""
    run.started_here = True
    run.sent = sending.moved if sending else None
    run.wanted = tuple(record.get("fetch") or ())
    return run


def _brought(sending: Sending | None, connection: Connection, pushed: Pushed | None) -> int | None:
    """Sends the variables, unless they are there; returns which stream the run has to wait for."""
    if sending is None:
        return None
    try:
        return sending.over(connection)
    except BaseException:
        if pushed is not None:
            pushed.finish()  # what was synced is there, and has to be known
        raise


def attach(link: HostLink, connection: Connection, run_id: str, seq: int = 0) -> Run:
    """The run of that id, with its events after ``seq``.

    Raises:
        UsageError: there is no such run on the host.
        ConnectionLost: the link is gone.
    """
    stream = connection.request(m.Attach(run_id, seq))
    run = Run(link, accepted(stream.receive().message), stream, seq)
    history.started(run.record, None)
    return run


def _values(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(f"--pass-env: {', '.join(missing)} is not set here")
    return {name: os.environ[name] for name in names}
