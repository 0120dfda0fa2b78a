"""How a run is started: its id, what its session is told, and the sync before it.

Which runs there are is in ``remote.py``; what becomes of one that was started, in ``run.py``.
"""

from __future__ import annotations

import os
import secrets as random_source
import time
from collections.abc import Callable, Mapping, Sequence
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
    from .provenance import Provenance
    from .sync.progress import Report
    from .sync.session import Pushed, WorkspaceSync
    from .variables import Sending

MAX_CODE = 1 << 20
# How often a sync is planned again because somebody else has synced to the same mirror.
ATTEMPTS = 5
# How long a link that breaks before the run has started is tried again.
PATIENCE_S = 120.0


def new_run_id() -> str:
    """An id that sorts by time (UTC) and is unique: ``20261122-014500-7f3a``."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{random_source.token_hex(2)}"


def session_settings(
    host: HostConfig,
    mirror: str,
    name: str,
    one_run: str | None,
    launcher: str | None = None,
    resources: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a session of that name is started with.

    Args:
        host: the resolved settings.
        mirror: the workspace on the host.
        name: of the session.
        one_run: ``cell`` or ``program`` when it ends with that one run.
        launcher: its kind; the host's when None.
        resources: settings of the launcher for this call, over those of the host.

    Raises:
        UsageError, ConfigError: there is no such launcher, or a setting it can't have.
    """
    from .launchers.choice import ordered  # after what every start has to import

    order = ordered(host, name, one_run, launcher, resources)
    python = (order or {}).pop("python", host.interpreter)
    return {
        "launcher": order,
        "name": name,
        "python": python,
        "env_root": host.env_root,
        "env_setup": host.env_setup,
        "env_setup_timeout": host.env_setup_timeout,
        "env": dict(host.env),
        "idle": host.session_idle,
        "log_cap": host.log_cap,
        "workspace": mirror,
        "one_run": one_run,
    }


def start(
    link: HostLink,
    run: dict[str, Any],
    session: dict[str, Any],
    code: str,
    pass_env: Sequence[str] = (),
    sync: Callable[[], WorkspaceSync] | None = None,
    provenance: Provenance | None = None,
    progress: Report | None = None,
    on_link: Told | None = None,
    send: Mapping[str, object] | None = None,
    fetch: Sequence[str] = (),
) -> Run:
    """Syncs the workspace and starts a run.

    Args:
        link: to the host.
        run: its record: see ``agent.messages.Execute``.
        session: what its session is started with.
        code: what is run.
        pass_env: names of variables here whose values go there and are never written down.
        sync: makes the workspace's sync, once the host has begun to start; None runs without one.
        provenance: what the record says of the workspace that was synced.
        progress: told how far the sync has come.
        on_link: told when the link breaks meanwhile, and how it is made again.
        send: variables that the session gets before.
        fetch: names of variables that are wanted after.

    Raises:
        ConnectError, SyncError, LaunchError: it could not be started.
        UsageError: a bad argument.
    """
    text = code.encode("utf-8")
    if len(text) > MAX_CODE:
        raise UsageError(f"the code is {len(text)} bytes; more than 1 MiB belongs in a file of the workspace")
    values = _values(pass_env)
    run.update(pass_env=sorted(values), sync=sync is not None, fresh=bool(session["one_run"]))
    sending = _noted(run, session, link.host, send, fetch)
    ahead = Ahead(sync) if sync is not None else None
    # The session's interpreter starts while the files are compared.
    connection = link.connection(m.OpenSession(session), ahead.begin if ahead else None)
    notice = KINDS[link.host.type].prepare(link.host, connection)
    workspace = sync() if sync is not None else None
    order = m.Execute(run, session, None, values)
    stale = losses = 0
    while stale < ATTEMPTS:
        try:
            started = _send(link, connection, order, text, workspace, provenance, progress, ahead, sending)
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


def _noted(
    run: dict[str, Any],
    session: dict[str, Any],
    host: HostConfig,
    send: Mapping[str, object] | None,
    fetch: Sequence[str],
) -> Sending | None:
    """Writes into the run's record which variables come and go, and packs those that go there."""
    if not send and not fetch:
        return None
    from .variables import Sending, check_names, pack

    run.update(send=list(send or ()), fetch=list(check_names(fetch, host.name)), trust=host.trust)
    return Sending(session, run["id"], run["send"], pack(send, host)) if send else None


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
