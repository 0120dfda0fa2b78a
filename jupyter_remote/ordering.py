"""What is ordered when something shall run: a record, a session, code. Nothing is sent here.

`starting.py` carries an order out; a campaign hands many to its hosts. The verbs that a user has are in
`remote.py`.
"""

from __future__ import annotations

import secrets as random_source
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from .errors import UsageError
from .metric_wishes import wishes

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .gpu_request import Gpus
    from .provenance import Provenance

MAX_CODE = 1 << 20
# How far an id is from the one before in the same second, at most: others may make some at the same time.
_STRIDE = 64
_lock = threading.Lock()
_last = ("", 0)


class Options(TypedDict, total=False):
    """What every kind of run may be ordered with; `Remote.run_cell` says what each means."""

    sync: bool
    cwd: str | None
    env: Mapping[str, str] | None
    pass_env: Sequence[str]
    gpus: Gpus | None
    min_free: int | str | None
    wait: bool | float | None
    timeout: float | None
    label: str | None
    notebook: str | None
    notes: Mapping[str, Any] | None
    launcher: str | None
    resources: Mapping[str, str] | None
    metrics: Sequence[str]
    metric_files: Sequence[str]


@dataclass(frozen=True)
class Order:
    """One run as it was asked for.

    Args:
        run: its record: see ``agent.messages.Execute``.
        session: what its session is started with.
        code: what is run.
        pass_env: names of variables here whose values go there and are never written down.
        sync: whether the workspace is synced before.
        send: variables that the session gets before.
        fetch: names of variables that are wanted after.
    """

    run: dict[str, Any]
    session: dict[str, Any]
    code: str
    pass_env: tuple[str, ...] = ()
    sync: bool = True
    send: Mapping[str, object] | None = None
    fetch: tuple[str, ...] = ()


class Orders:
    """Makes the orders of one workspace on one host. Pure: neither is asked anything.

    Args:
        host: the resolved settings.
        workspace: the local project folder.

    Attributes:
        mirror: the workspace on the host, as its settings say.
    """

    def __init__(self, host: HostConfig, workspace: Path) -> None:
        self.host = host
        self.workspace = workspace
        self.mirror = host.workspace.replace("{project}", workspace.name or "root")

    @cached_property
    def provenance(self) -> Provenance:
        """What records say of the workspace and the host's settings."""
        from .provenance import Provenance  # a remote that only looks has no use for it

        return Provenance(self.workspace, self.host)

    def cell(
        self,
        code: str,
        session: str = "default",
        *,
        fresh: bool = False,
        send: Mapping[str, object] | None = None,
        fetch: Sequence[str] = (),
        **options: Unpack[Options],
    ) -> Order:
        """Python code in a session, or with ``fresh`` in one for this run only.

        Raises:
            UsageError, ConfigError: a bad argument.
        """
        run: dict[str, Any] = {**(options.get("notes") or {}), "id": new_run_id(), "kind": "cell"}
        name = f"run-{run['id']}" if fresh else session
        return self._order(run, name, "cell" if fresh else None, code, options, None, send, fetch)

    def words(
        self,
        argv: Sequence[str],
        code: str = "",
        *,
        script: str | None = None,
        python: str | None = None,
        **options: Unpack[Options],
    ) -> Order:
        """A program, in a session of its own.

        Args:
            argv: its words; ``{python}``, ``{code}`` and ``{script}`` are filled in on the host.
            code: what ``{code}`` or the file ``{script}`` is.
            script: the name of that file.
            python: another interpreter than the host's.
            options: see :class:`Options`.

        Raises:
            UsageError, ConfigError: a bad argument.
        """
        run: dict[str, Any] = {**(options.get("notes") or {}), "id": new_run_id(), "kind": "program"}
        run.update(argv=list(argv), script=script)
        return self._order(run, f"run-{run['id']}", "program", code, options, python)

    def bash(self, code: str, **options: Unpack[Options]) -> Order:
        """A shell script; raises as :meth:`words`."""
        return self.words(["bash", "{code}"], code, **options)

    def script(self, name: str, text: str, args: Sequence[str] = (), **options: Unpack[Options]) -> Order:
        """Python code as a program of that file name, with arguments; raises as :meth:`words`."""
        return self.words(["{python}", "{script}", *args], text, script=name, **options)

    def program(self, argv: Sequence[str], **options: Unpack[Options]) -> Order:
        """A program; a ``.py`` file is given to the host's Python.

        Raises:
            UsageError, ConfigError: there is no program in ``argv``, or another bad argument.
        """
        if not argv:
            raise UsageError("no program to run")
        return self.words(["{python}", *argv] if argv[0].endswith(".py") else argv, **options)

    def _order(
        self,
        run: dict[str, Any],
        name: str,
        one_run: str | None,
        code: str,
        options: Options,
        python: str | None = None,
        send: Mapping[str, object] | None = None,
        fetch: Sequence[str] = (),
    ) -> Order:
        if (size := len(code.encode("utf-8"))) > MAX_CODE:
            raise UsageError(f"the code is {size} bytes; more than 1 MiB belongs in a file of the workspace")
        launcher, resources, lease = self._gpus(options)
        settings = session_settings(self.host, self.mirror, name, one_run, launcher, resources)
        if python is not None:
            settings["python"] = python
        pass_env = tuple(options.get("pass_env") or ())
        sync = options.get("sync", True)
        run.update(_launched(launcher, resources))
        run.update(env=dict(options.get("env") or {}), pass_env=sorted(set(pass_env)))
        run.update({key: options.get(key) for key in ("cwd", "timeout", "label", "notebook")})
        run.update(wishes(self.host, options.get("metrics") or (), options.get("metric_files") or ()))
        if lease is not None:
            run["lease"] = lease
        run.update(host=self.host.name, workspace=self.mirror, project=str(self.workspace))
        run.update(settings=self.provenance.settings, sync=sync, fresh=one_run is not None)
        return Order(run, settings, code, pass_env, sync, send, tuple(fetch))

    def _gpus(self, options: Options) -> tuple[str | None, Mapping[str, str] | None, dict[str, Any] | None]:
        """The launcher and its settings, and the lease that the run asks for; a scheduler needs none."""
        launcher, resources = options.get("launcher"), options.get("resources")
        gpus, min_free, wait = options.get("gpus"), options.get("min_free"), options.get("wait")
        if gpus is None and min_free is None and not wait:
            return launcher, resources, None
        from .gpu_request import check_variables, lease_request, scheduler_request  # most runs ask for none
        from .launchers import launcher as launcher_of

        request = lease_request(gpus, min_free, wait, self.host.gpu_leases)
        check_variables(request, [*(options.get("env") or ()), *(options.get("pass_env") or ())])
        kind = launcher or self.host.launcher
        if getattr(launcher_of(kind), "GIVES_GPUS", False):
            return launcher, scheduler_request(gpus, min_free, kind, resources or {}), None
        return launcher, resources, request


def new_run_id() -> str:
    """An id that sorts by time (UTC) and is unique: ``20261122-014500-7f3a``.

    Ids of one process that are made within a second sort as they were made, as long as the four digits last.
    """
    global _last
    with _lock:
        second = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        before, number = _last
        left = 0xFFFF - number if before == second else 0
        number = (
            number + 1 + random_source.randbelow(min(left, _STRIDE))
            if left
            else random_source.randbelow(0x8000)
        )
        _last = second, number
    return f"{second}-{number:04x}"


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


def _launched(launcher: str | None, resources: Mapping[str, str] | None) -> dict[str, Any]:
    """What the record says of how it was to be started, so that it can be run again."""
    asked = {"launcher": launcher, "set": dict(resources or {})}
    return {"launch": {key: value for key, value in asked.items() if value}} if launcher or resources else {}
