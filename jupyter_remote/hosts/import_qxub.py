"""A `config.yaml` of qxub: `remotes`, `profiles`, `platforms` are hosts with PBS, `defaults` for its jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from ..durations import parse_duration
from ..errors import UsageError
from .import_qxub_queues import platform_file, queues
from .imported import Imported, filled, mapping, number, unknown

_PLACES = ("remotes", "profiles", "platforms")
_OWN = ("aliases", "shortcuts", "templates", "auto_selection", "queue_overrides", "monitor")
# Each in the two languages that qxub has for it, and in ours.
_RESOURCES = {
    "queue": "pbs.queue",
    "project": "pbs.project",
    "runtime": "pbs.walltime",
    "walltime": "pbs.walltime",
    "mem": "pbs.memory",
    "cpus": "pbs.cpus",
    "ncpus": "pbs.cpus",
    "gpus": "pbs.gpus",
    "ngpus": "pbs.gpus",
    "volumes": "pbs.storage",
    "storage": "pbs.storage",
}
# Where a platform is described: a file, or the name of one.
_PLATFORM = ("platform_file", "definition", "platform")
_COUNTS = ("pbs.cpus", "pbs.gpus")


def is_it(data: Mapping[str, Any]) -> bool:
    """Whether qxub reads it."""
    remotes = mapping(data.get("remotes")).values()
    if any("type" in mapping(entry) for entry in remotes):
        return False  # Guild's
    return any("url" in mapping(entry) for entry in remotes) or any(
        mapping(entry).keys() & {"remote", "definition", "platform"}
        for place in ("profiles", "platforms")
        for entry in mapping(data.get(place)).values()
    )


def read(data: Mapping[str, Any], folder: Path) -> Imported:
    """Its hosts, each with what the defaults ask PBS for."""
    made = Imported(lost=[f"`{key}`: only qxub reads it" for key in data if key in _OWN])
    made.lost += unknown("the file", data, (*_PLACES, *_OWN, "defaults"))
    general = _pbs(mapping(data.get("defaults")), "defaults", made)
    for name, entry in mapping(data.get("remotes")).items():
        _host(made, str(name), mapping(entry), mapping(entry), general)
        _queues(made, str(name), data, (mapping(entry),), folder)
    for place in ("profiles", "platforms"):
        for key, value in mapping(data.get(place)).items():
            name, entry = str(key), mapping(value)
            remote = mapping(entry.get("remote"))
            if not remote:
                made.lost.append(f"{name}: it names no other machine; `local` is built in")
                continue
            own = _pbs(mapping(entry.get("defaults")), name, made)
            _host(made, name, remote, entry, {**general, **own})
            _queues(made, name, data, (remote, entry), folder)
    return made


def _queues(
    made: Imported, name: str, data: Mapping[str, Any], told: Sequence[Mapping[str, Any]], folder: Path
) -> None:
    """Fills a host's table of queues from the file of its platform, where that is here."""
    host = made.hosts.get(name)
    if host is None:
        return
    described = mapping(data.get("platforms"))
    named = [mapping(described.get(str(one.get("platform")))) for one in told]
    words = [(key, str(one[key])) for one in (*told, *named) for key in _PLATFORM if one.get(key)]
    path = next(filter(None, (platform_file(word, folder) for _, word in words)), None)
    if path is not None:
        try:
            host["pbs.queues"], lost = queues(path)
            made.lost += [f"{name}: {one}" for one in lost]
        except ValueError as error:
            made.lost.append(f"{name}: {error}")
    elif words:
        key, word = words[0]
        made.lost.append(f"{name}: `{key}`: {word} is no file here, from which `pbs.queues` could be filled")
    if host.get("pbs.queue") == "auto" and "pbs.queues" not in host:
        del host["pbs.queue"]
        made.lost.append(
            f"{name}: `queue: auto`: fill the table `pbs.queues`, or name a queue with `pbs.queue`"
        )


def _host(
    made: Imported, name: str, remote: Mapping[str, Any], entry: Mapping[str, Any], pbs: Mapping[str, Any]
) -> None:
    address = str(remote.get("url") or remote.get("host") or "")
    found = re.fullmatch(r"(?:ssh://)?(?:([^@/]+)@)?(\[[^\]]+\]|[^:/@]+)(?::(\d+))?/?", address)
    if found is None:
        made.lost.append(f"{name}: {address or 'nothing'!r} is no address that ssh leads to")
        return
    user, host, port = found.groups()
    port = port or remote.get("port")
    folder = remote.get("working_dir") or remote.get("project_root_dir")
    made.hosts[name] = {
        **filled(
            hostname=host.strip("[]"),
            user=remote.get("user") or user,
            port=number(port),
            workspace=_workspace(str(folder), pbs) if folder else None,
            env_setup=_environment(remote),
            launcher="pbs",
        ),
        **pbs,
    }
    config = remote.get("config")
    if config and str(config) != "~/.ssh/config":
        made.hosts[name]["ssh.config_file"] = config
    for key, why in (
        ("qxub_command", "nothing has to be installed on the host"),
        ("sync_files", "a run always syncs the workspace, unless `--no-sync`"),
    ):
        if key in remote or key in entry:
            made.lost.append(f"{name}: `{key}`: {why}")
    known = "url host user port config platform platform_file qxub_command sync_files working_dir"
    envs = "project_root_dir qxub_env conda_env conda_init password"
    made.lost += unknown(name, remote, f"{known} {envs} name definition remote defaults".split())


def _workspace(folder: str, pbs: Mapping[str, Any]) -> str:
    """Their `{project}` is an account, ours is the name of the local folder."""
    account = str(pbs.get("pbs.project") or "$PROJECT")
    text = re.sub(
        r"\{user\}|\$\{USER\}", "$USER", re.sub(r"(?<!\$)\{project\}|\$\{PROJECT\}", account, folder)
    )
    return f"{text.rstrip('/')}/{{project}}"


def _environment(remote: Mapping[str, Any]) -> str | None:
    name = remote.get("conda_env") or remote.get("qxub_env")
    lines = [str(remote["conda_init"])] if remote.get("conda_init") else []
    if name:
        lines = lines or ['eval "$(conda shell.bash hook)"']
        lines.append(f"conda activate {quote(str(name))}")
    return "\n".join(lines) + "\n" if lines else None


def _pbs(defaults: Mapping[str, Any], where: str, made: Imported) -> dict[str, Any]:
    listed = defaults.get("resources")
    pairs = [str(text).partition("=")[::2] for text in listed] if isinstance(listed, list) else []
    asked: dict[str, Any] = {**dict(pairs), **{k: v for k, v in defaults.items() if k != "resources"}}
    values: dict[str, Any] = {}
    for key, value in asked.items():
        ours = _RESOURCES.get(key)
        if ours is None:
            if key not in ("platform", "name", "out", "err", "joblog"):
                made.lost.append(f"{where}: `{key}` has no counterpart here")
        elif ours == "pbs.walltime":
            values[ours] = _walltime(str(value))
        elif ours in _COUNTS:
            values[ours] = number(value)
        else:
            values[ours] = str(value)
    return values


def _walltime(text: str) -> str:
    if re.fullmatch(r"\d+:\d\d:\d\d", text):
        return text
    try:
        seconds = round(parse_duration(text))
    except UsageError:
        return text
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
