"""One host looked at from all sides: the way there, what it is, or why it can't be used and what helps.

Both `setup` and `doctor` begin with this. What they make of it is theirs.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..connection import Connection
from ..errors import (
    AuthenticationError,
    DiskFull,
    HostKeyError,
    HostUnreachable,
    LaunchError,
    NoPython,
    RemoteError,
)
from ..transports import make_transport
from ..transports.prompt import FrontPrompter, RememberingPrompter
from . import local_facts, probing, shell_probe
from .checks_python import OLDEST
from .facts import Facts
from .shell_probe import ShellFacts, version_of

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..transports import Prompter

# How long the agent may take to answer once there is a link: Python may start from a slow file system.
PATIENCE_S = 25.0
_SHELL_S = 10.0


@dataclass(frozen=True)
class Examination:
    """What came of it.

    Attributes:
        facts: all that is known; of the way there only, where there is a `problem`.
        problem: why the agent does not run there, with what to do about it.
        shell: what the login shell said, where the agent does not run but a login works.
    """

    facts: Facts
    problem: RemoteError | None = None
    shell: ShellFacts | None = None

    @property
    def python(self) -> str | None:
        """A Python that would do, where none was found by itself."""
        if not isinstance(self.problem, NoPython) or self.shell is None:
            return None
        return next((path for version, path in self.shell.pythons if version_of(version) >= OLDEST), None)


def examine(
    host: HostConfig, mirror: str, ask: Prompter | None = None, patience: float = PATIENCE_S
) -> Examination:
    """Looks at the host: one connection, one round trip; a second connection where no agent starts.

    Args:
        host: the resolved settings.
        mirror: the place of the workspace there.
        ask: who answers questions; None for the terminal or notebook.
        patience: seconds that the agent may take to answer once there is a link.
    """
    prompter = RememberingPrompter(ask or FrontPrompter())
    local: dict[str, Any] = {}
    looking = threading.Thread(target=lambda: local.update(local_facts.look(host)), daemon=True)
    looking.start()
    try:
        connection = Connection.open(host, prompter, patience=patience)
        try:
            facts = probing.ask(connection, mirror)
        finally:
            connection.close()
    except RemoteError as error:
        shell = _shell(host, prompter, error, min(patience, _SHELL_S))
        problem = explain(error, shell, host)
        looking.join()
        local.update(local_facts.knock(local))
        local["problem"] = {
            "kind": type(problem).__name__,
            "message": problem.message,
            "hint": problem.hint,
        }
        return Examination(Facts(host, {}, {}, local), problem, shell)
    looking.join()
    if local.get("known") == []:
        local["known"] = local_facts.known(host)  # it may have been asked about, and remembered, just now
    return Examination(Facts(host, facts.hello, facts.answer, local))


def explain(error: RemoteError, shell: ShellFacts | None, host: HostConfig) -> RemoteError:
    """The error, in the light of what the login shell said.

    Args:
        error: why the agent did not start.
        shell: None when it was not asked, or could not be.
        host: the resolved settings.
    """
    if shell is None:
        return error
    name = host.name
    if not shell.works:
        return _no_command(shell, name)
    if "restricted" in f"{error} {shell.said}":
        return LaunchError(
            f"the login shell of {name} is a restricted one, and starts no program of ours",
            host=name,
            hint="Ask for a normal shell (`chsh -s /bin/bash`), or for another account there.",
        )
    if isinstance(error, NoPython):
        error.hint = _python_hint(shell, name)
    elif isinstance(error, DiskFull) and shell.free:
        rooms = ", ".join(f"{folder}: {free} KiB free" for folder, free in shell.free.items())
        error.hint = f"{rooms}. Free some space there, for example in ~/.cache, and try again."
    return error


def _shell(
    host: HostConfig, prompter: RememberingPrompter, error: RemoteError, seconds: float
) -> ShellFacts | None:
    if isinstance(error, (HostUnreachable, AuthenticationError, HostKeyError)) or host.type == "local":
        return None
    with contextlib.suppress(RemoteError):
        transport = make_transport(host, prompter.replay())  # nobody is asked twice
        try:
            return shell_probe.look(transport, seconds)
        finally:
            transport.close()
    return None


def _no_command(shell: ShellFacts, name: str) -> RemoteError:
    if shell.said and "sftp" not in shell.said.lower():
        return LaunchError(
            f"{name} lets you log in, but runs no command; it says: {shell.said.splitlines()[0][:200]}",
            host=name,
            hint="The account may be closed, or its login shell be one that runs nothing: ask its admin.",
        )
    ended = f" ({shell.said.splitlines()[0][:200]})" if shell.said else ""
    return LaunchError(
        f"{name} lets you log in, but runs no command{ended}: the account seems to be for file transfer only",
        host=name,
        hint="So does `ForceCommand internal-sftp` of sshd, and a login file that waits for an answer. "
        f"`ssh {name} echo works` must print `works`.",
    )


def _python_hint(shell: ShellFacts, name: str) -> str:
    usable = [path for version, path in shell.pythons if version_of(version) >= OLDEST]
    if usable:
        return f"There is one that would do: jupyter remote set {name} python={usable[0]}"
    ways = []
    for program, way in (
        ("uv", "uv python install 3.12"),
        ("conda", "conda create -n py python=3.12"),
        ("mamba", "mamba create -n py python=3.12"),
        ("micromamba", "micromamba create -n py python=3.12"),
    ):
        if program in shell.programs:
            ways.append(f"`{way}` there")
    if shell.modules:
        ways.append("a module (`module avail python` there) whose path you name as `python:`")
    old = ", ".join(f"{version} ({path})" for version, path in shell.pythons)
    found = f"It has {old}. " if old else ""
    if not ways:
        ways = [
            "ask for Python 3.8 or newer",
            "put one into your home there (uv, Miniforge), which needs no root",
        ]
    return f"{found}What helps: {', or '.join(ways)}; then `jupyter remote setup` again."
