"""How a run is started: its id, what its session is told, and the sync before it.

Which runs there are is in ``remote.py``; what becomes of one that was started, in ``run.py``.
"""

from __future__ import annotations

import os
import secrets as random_source
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .connection import Stale
from .errors import ProtocolError, SyncError, UsageError
from .run import Run

if TYPE_CHECKING:
    from .agent.parcel import Parcel
    from .config_models import HostConfig
    from .connection import Connection
    from .hostlink import HostLink
    from .sync.progress import Report
    from .sync.session import Pushed, WorkspaceSync
    from .variables import Moved, Sending

MAX_CODE = 1 << 20
# How often a sync is planned again because somebody else has synced to the same mirror.
ATTEMPTS = 5


def new_run_id() -> str:
    """An id that sorts by time (UTC) and is unique: ``20261122-014500-7f3a``."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{random_source.token_hex(2)}"


def session_settings(host: HostConfig, mirror: str, name: str, one_run: str | None) -> dict[str, Any]:
    """What a session of that name is started with.

    Args:
        host: the resolved settings.
        mirror: the workspace on the host.
        name: of the session.
        one_run: ``cell`` or ``program`` when it ends with that one run.
    """
    python = host.python
    if host.type == "local" and "python" not in host.model_fields_set:
        import sys

        python = sys.executable  # the built-in host is the environment of the notebook itself
    return {
        "name": name,
        "python": python,
        "env_setup": host.env_setup,
        "env": dict(host.env),
        "idle": host.session_idle,
        "workspace": mirror,
        "one_run": one_run,
    }


def start(
    link: HostLink,
    run: dict[str, Any],
    session: dict[str, Any],
    code: str,
    *,
    pass_env: Sequence[str] = (),
    sync: Callable[[], WorkspaceSync] | None = None,
    progress: Report | None = None,
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
        progress: told how far the sync has come.
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
    parcel = _told_variables(run, link.host, send, fetch)
    # The session's interpreter starts while the files are compared.
    connection = link.connection(m.OpenSession(session))
    workspace = sync() if sync is not None else None
    sending: Sending | None = None
    sent: Moved | None = None
    for _ in range(ATTEMPTS):
        try:
            pushed = workspace.push(connection, progress) if workspace else None
            after = pushed.after if pushed else None
            generation = workspace.generation if workspace and after is None else None
            if parcel is not None and sending is None:
                sending = _sending(connection, session, run, parcel, pushed)
            put = sending.number if sending else None
            stream = connection.request(m.Execute(run, session, generation, values, after, put), text)
            report = pushed.finish() if pushed else None
            if sending is not None and sent is None:
                sent = sending.finish()
            started = Run(connection, accepted(stream.receive().message), stream)
            started.sync_report = report
            started.sent = sent
            started.wanted = tuple(fetch)
            return started
        except Stale:
            assert workspace is not None
            workspace.forget()
    raise SyncError(
        f"the mirror on {link.host.name} keeps changing: another client syncs to {session['workspace']}",
        host=link.host.name,
    )


def _told_variables(
    run: dict[str, Any], host: HostConfig, send: Mapping[str, object] | None, fetch: Sequence[str]
) -> Parcel | None:
    """Writes into the run's record which variables come and go, and packs those that go there."""
    if not send and not fetch:
        return None
    from .variables import check_names, pack

    run.update(send=list(send or ()), fetch=list(check_names(fetch, host.name)), trust=host.trust)
    return pack(send, host) if send else None


def _sending(
    connection: Connection,
    session: dict[str, Any],
    run: dict[str, Any],
    parcel: Parcel,
    pushed: Pushed | None,
) -> Sending:
    from .variables import Sending

    try:
        return Sending(connection, session, run["id"], run["send"], parcel)
    except BaseException:
        if pushed is not None:
            pushed.finish()  # what was synced is there, and has to be known
        raise


def accepted(message: m.Message) -> dict[str, Any]:
    """The run's record, from the host's answer.

    Raises:
        ProtocolError: it is another answer.
    """
    if not isinstance(message, m.Accepted):
        raise ProtocolError(f"a {type(message).__name__} came instead of a run")
    return message.run


def _values(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(f"--pass-env: {', '.join(missing)} is not set here")
    return {name: os.environ[name] for name in names}
