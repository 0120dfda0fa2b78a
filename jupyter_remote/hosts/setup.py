"""`setup`: from `ssh HOST works` to an entry of hosts.yaml with what the host is and has.

Reading the target, preparing and saving; how it looks is in `commands/setting_up.py`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..config_file import Document, complaints, dotted
from ..config_models import HostConfig, HostSettings
from ..config_save import save_host
from ..errors import ConfigError, UsageError
from ..remote import Remote
from .examination import PATIENCE_S, Examination, examine
from .facts import to_save

if TYPE_CHECKING:
    from ..transports import Prompter

_TARGET = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^@:\s/]+))(?::(?P<port>\d+))?/?"
)


@dataclass(frozen=True)
class Target:
    """What is to be set up.

    Attributes:
        name: what the host is called here.
        values: keys of its entry that this call says, None for one that is taken out.
        host: the settings that it has with these.
    """

    name: str
    values: dict[str, Any]
    host: HostConfig


@dataclass(frozen=True)
class Prepared:
    """A host that was looked at, and is ready to be saved unless it has a problem."""

    target: Target
    examination: Examination


def read_target(text: str, config: Config, name: str | None = None, ssh_key: str | None = None) -> Target:
    """What `[USER@]HOST[:PORT]` means: a host that is known, or a new one.

    Args:
        text: a name of `list`, an alias of the ssh configuration, or an address.
        config: what is configured.
        name: what the host shall be called; None for the name it has, or the first part of its address.
        ssh_key: the private key, a path here.

    Raises:
        UsageError: it is no target, or has no name that could be taken.
        ConfigError: a value is not valid.
    """
    found = _TARGET.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no host: valid are NAME, USER@HOST, USER@HOST:PORT and USER@[IPV6]:PORT"
        )
    user, port = found["user"], int(found["port"]) if found["port"] else None
    address = found["six"] or found["host"]
    values: dict[str, Any] = {}
    if name is None:
        name = _name_of(address, user, port, config)
    if not (name == address and config.is_known(name)) and not _leads_to(name, address, config):
        values["hostname"] = address
    values.update({key: value for key, value in (("user", user), ("port", port)) if value is not None})
    if ssh_key is not None:
        values["ssh_key"] = _shortened(ssh_key)
    return Target(name, values, with_values(config, name, values))


def with_values(config: Config, name: str, values: dict[str, Any]) -> HostConfig:
    """The settings of a host, as they will be when its entry has these values.

    Raises:
        ConfigError: a value is not valid.
    """
    entry = {key: value for key, value in values.items() if value is not None}
    if problems := complaints(HostSettings, entry):
        raise ConfigError("\n".join(f"{dotted(path)}: {text}" for path, text in problems), host=name)
    document = Document(Path("this call"), {"hosts": {name: entry}})
    return Config((*config.documents, document)).host(name)


def prepare(
    target: Target, workspace: Path, patience: float = PATIENCE_S, ask: Prompter | None = None
) -> Prepared:
    """Looks at the host; where only a Python outside its PATH would do, that one is taken.

    Args:
        target: the host.
        workspace: the project folder here, whose mirror gets a place there.
        patience: seconds that the agent may take to answer once there is a link.
        ask: who answers questions; None for the terminal or notebook.
    """
    found = examine(target.host, mirror_of(target.host, workspace), ask, patience)
    if found.python is not None:
        values = {**target.values, "python": found.python}
        host = target.host.model_copy(update={"python": found.python})
        second = examine(host, mirror_of(host, workspace), ask, patience)
        if second.problem is None:
            return Prepared(Target(target.name, values, host), second)
    return Prepared(target, found)


def save(prepared: Prepared, group: str | None) -> None:
    """Writes the host into hosts.yaml, with its facts, and into the group.

    Raises:
        ConfigError: the file is not valid, or can't be edited.
    """
    target = prepared.target
    save_host(target.name, target.values, to_save(prepared.examination.facts), group)


def mirror_of(host: HostConfig, workspace: Path) -> str:
    """The place of the workspace on the host."""
    return Remote(host, workspace).mirror


def _name_of(address: str, user: str | None, port: int | None, config: Config) -> str:
    if config.is_known(address):
        return address
    for name in config.names():
        host = config.host(name)
        same_user = user is None or host.user in (None, user)
        if host.hostname == address and same_user and (host.port or 22) == (port or 22):
            return name
    try:
        ipaddress.ip_address(address)
        name = address
    except ValueError:
        name = address.partition(".")[0]
    if ":" in name:
        raise UsageError(f"{address} can't be a name; say what the host shall be called with --name")
    # A name that is taken would change what it means.
    return address if config.is_known(name) else name


def _leads_to(name: str, address: str, config: Config) -> bool:
    return name in config.names() and config.host(name).hostname == address


def _shortened(path: str) -> str:
    """The path with `~`, so that the file can go to another machine; what is not there is an error."""
    full = Path(path).expanduser().absolute()
    if not full.is_file() and not full.with_name(full.name + ".pub").is_file():
        raise UsageError(f"--ssh-key: there is no file {full}")
    return f"~/{full.relative_to(Path.home())}" if full.is_relative_to(Path.home()) else str(full)
