"""`list`, `show`, `set`, `remove` and `version`: what is configured and installed here. No host is asked."""

from __future__ import annotations

import platform
from typing import Any

import jupyter_remote

from ..agent.version import PROTOCOL, VERSION
from ..call import Show, configuration
from ..config import HOSTS_FILE, HostConfig, config_dir
from ..config_edit import remove_host, set_host
from ..errors import ConfigError
from ..hosts import ssh_config
from ..parsing import Values
from ..tables import print_json, print_table


def list_all(values: Values, show: Show) -> None:
    """`list`."""
    config = configuration()
    hosts: list[dict[str, Any]] = []
    for name in [*config.names(), *config.aliases()]:
        entry: dict[str, Any] = {"name": name, "defined_in": config.where(name)}
        try:
            host = config.host(name)
        except ConfigError as error:
            # One bad entry must not hide the others.
            entry["error"] = str(error)
        else:
            entry |= {"type": host.type, "address": _address(host), "launcher": host.launcher}
        hosts.append(entry)
    archives = {name: archive.model_dump(exclude_none=True) for name, archive in config.archives.items()}
    if values["json"]:
        print_json(
            {"hosts": hosts, "groups": config.groups, "archives": archives, "config": str(config_dir())}
        )
        return
    columns = ("HOST", "TYPE", "ADDRESS", "DEFINED IN")
    print_table(
        columns,
        (
            (entry["name"], entry.get("type"), entry.get("address", entry.get("error")), entry["defined_in"])
            for entry in hosts
        ),
    )
    if config.groups:
        print()
        print_table(
            ("GROUP", "HOSTS"), ((f"@{name}", ", ".join(members)) for name, members in config.groups.items())
        )
    if archives:
        print()
        print_table(
            ("ARCHIVE", "TYPE", "PLACE"),
            ((name, kept["type"], kept.get("bucket") or kept.get("path")) for name, kept in archives.items()),
        )


def show(values: Values, show: Show) -> None:
    """`show HOST`."""
    config = configuration()
    name = values["host"]
    host = config.host(name)
    settings = dict(_leaves(host.model_dump(mode="json", exclude={"name"})))
    sources = config.sources(name)
    if host.type == "ssh":
        for key, (value, source) in _ssh_settings(host).items():
            if settings.get(key) is None:
                settings[key] = value
                sources[key] = source
    if values["json"]:
        keys = {
            key: {"value": value, "source": sources.get(key, "default")} for key, value in settings.items()
        }
        print_json({"host": name, "defined_in": config.where(name), "settings": keys})
        return
    print_table(
        ("SETTING", "VALUE", "FROM"),
        (
            (key, _text(value), sources.get(key, "default"))
            for key, value in settings.items()
            if value not in (None, [])
        ),
    )


def change(values: Values, show: Show) -> None:
    """`set HOST KEY=VALUE…`."""
    name = values["host"]
    set_host(name, dict(values["settings"]))
    keys = ", ".join(key for key, _ in values["settings"])
    print(f"{name}: {keys} set in {configuration().where(name)}")


def remove(values: Values, show: Show) -> None:
    """`remove HOST`."""
    name = values["host"]
    groups = remove_host(name)
    left = f", and from {', '.join(f'@{group}' for group in groups)}" if groups else ""
    print(f"{name}: removed from {config_dir() / HOSTS_FILE}{left}")


def version(values: Values, show: Show) -> None:
    """`version`."""
    facts = {"jupyter_remote": jupyter_remote.__version__, "protocol": PROTOCOL, "agent": VERSION}
    facts["python"] = platform.python_version()
    if values["json"]:
        print_json(facts)
    else:
        print_table(("PART", "VERSION"), facts.items())


def _address(host: HostConfig) -> str:
    if host.type == "command":
        return " ".join(host.command)
    if host.type != "ssh":
        return ""
    user = f"{host.user}@" if host.user else ""
    port = f":{host.port}" if host.port else ""
    return f"{user}{host.destination}{port}"


def _ssh_settings(host: HostConfig) -> dict[str, tuple[Any, str]]:
    """What the ssh configuration makes of the host, as the transport will have it."""
    ssh = ssh_config.resolve(host.destination, host=host)
    values = {
        "hostname": ssh.hostname,
        "user": ssh.user,
        "port": ssh.port,
        "ssh_key": [str(path) for path in ssh.identity_files],
        "ssh.proxy_jump": list(ssh.proxy_jump),
        "ssh.proxy_command": ssh.proxy_command,
        "ssh.strict_host_key_checking": ssh.strict_host_key_checking,
        "ssh.keepalive": ssh.keepalive,
        "transport.reason": ssh.needs_openssh and f"openssh: {ssh.needs_openssh}",
    }
    return {key: (value, ssh.source) for key, value in values.items()}


def _leaves(data: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            pairs += _leaves(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
