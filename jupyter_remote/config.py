"""The configuration as the rest of the package sees it: layers become one `HostConfig` per name.

From weak to strong: the defaults of a key, `defaults:` of hosts.yaml, `defaults:` of the workspace's
`.jupyter-remote.yaml`, the host's entry in hosts.yaml, its entry in the workspace, this call. Parsing
one file is in `config_file`, the keys are in `config_models`, changing hosts.yaml is in `config_edit`,
what a workspace may not say is in `config_limits`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .config_file import Document, complaints, dotted, nearest, parse
from .config_limits import misled, refused
from .config_models import Archive, ConfigFile, HostConfig, HostSettings, deep_merge, one_name
from .errors import ConfigError, UnknownHost, UsageError
from .hosts import ssh_config
from .hosts.registry import KINDS

LOCAL = "local"
HOSTS_FILE = "hosts.yaml"
WORKSPACE_FILE = ".jupyter-remote.yaml"

# How many names an error lists before it only counts the rest.
_LISTED = 20

# Names the user's own ssh configuration gives a value for, when no file of ours does.
_FROM_SSH = ("hostname", "user", "port", "ssh_key")

Stamp = tuple[int, int, int]


def config_dir() -> Path:
    """The folder of `hosts.yaml`: `JUPYTER_REMOTE_CONFIG_DIR`, or `remote` in Jupyter's own folder."""
    if folder := os.environ.get("JUPYTER_REMOTE_CONFIG_DIR"):
        return Path(folder).expanduser()
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / "remote"


class Config:
    """All layers of one workspace; immutable, so it may be shared between threads.

    Args:
        documents: the files, weakest first.
    """

    def __init__(self, documents: tuple[Document, ...]) -> None:
        self.documents = documents
        self._hosts: dict[str, list[tuple[Document, Mapping[str, Any]]]] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.archives: dict[str, Archive] = {}
        self._resolved: dict[str, HostConfig] = {}
        for document in documents:
            for name, entry in document.data.get("hosts", {}).items():
                self._hosts.setdefault(name, []).append((document, entry))
            for name, members in document.data.get("groups", {}).items():
                self.groups[name] = tuple(str(member) for member in members)
            for name, entry in document.data.get("archives", {}).items():
                if name in self.archives:
                    # Else a project could lead runs that are pushed to a place of its own.
                    where = document.where(("archives", name))
                    raise ConfigError(f"{where}: archives.{name} is defined already, in {HOSTS_FILE}")
                self.archives[name] = Archive.model_validate(entry)
        self._check()

    @classmethod
    def load(cls, workspace: Path | None = None) -> Config:
        """The configuration of `workspace`; unchanged files cost a `stat` each.

        Args:
            workspace: the project folder whose `.jupyter-remote.yaml` is laid over hosts.yaml.

        Raises:
            ConfigError: a file is not valid; every problem of that file in one line.
        """
        paths = [config_dir() / HOSTS_FILE]
        if workspace is not None:
            paths.append(Path(workspace) / WORKSPACE_FILE)
        # A group may name an alias of the ssh configuration, so that belongs to what the answer depends on.
        return _load(
            tuple((path, _stamp(path)) for path in paths),
            ssh_config.config_path(None),
            ssh_config.stamp(None),
        )

    def names(self) -> list[str]:
        """The hosts that have an entry, in the order of the files, and the built-in `local`."""
        return [*self._hosts, *(() if LOCAL in self._hosts else (LOCAL,))]

    def aliases(self) -> list[str]:
        """The aliases of the ssh configuration that have no entry: they can be used as they are."""
        known = self.names()
        return [name for name in ssh_config.aliases(self._ssh_config_file()) if name not in known]

    def is_known(self, name: str) -> bool:
        """Whether `host(name)` would find it: an entry, `local`, or an alias of the ssh configuration."""
        return name in self._hosts or name == LOCAL or ssh_config.is_alias(name, self._ssh_config_file())

    def where(self, name: str) -> str:
        """Where the host is defined: `FILE:LINE`, `ssh config` or `built-in`."""
        if name in self._hosts:
            return self._hosts[name][0][0].where(("hosts", name))
        return "built-in" if name == LOCAL else "ssh config"

    def host(self, name: str, overrides: Mapping[str, Any] | None = None, *, new: bool = False) -> HostConfig:
        """The resolved settings of a host.

        Args:
            name: an entry of the files, an alias of the user's ssh configuration, or `local`.
            overrides: settings of this call, nested or with dotted keys (`{"slurm.partition": "gpu"}`).
            new: it may be a name that nothing knows yet; it has the defaults then.

        Raises:
            UnknownHost: there is no such host; the valid names, nearest first.
            ConfigError: an override is not valid, or the entry lacks what its type needs.
        """
        if overrides or new:
            return self._resolve(name, overrides, new=new)
        host = self._resolved.get(name)
        if host is None:
            host = self._resolve(name, None)
            # Whether a name is an alias in a file that only our settings name has to be looked up each time.
            if name in self._hosts or name == LOCAL or self._ssh_config_file() is None:
                self._resolved[name] = host
        return host

    def _resolve(self, name: str, overrides: Mapping[str, Any] | None, *, new: bool = False) -> HostConfig:
        if not new:
            self._require(name)
        data: dict[str, Any] = {}
        for _, layer in self._layers(name):
            data = deep_merge(data, layer)
        if overrides:
            asked = _nested(overrides)
            if problems := complaints(HostSettings, asked):
                raise ConfigError(
                    "\n".join(f"this call: {dotted(path)}: {text}" for path, text in problems), host=name
                )
            data = deep_merge(data, asked)
        try:
            host = HostConfig.model_validate({**data, "name": name})
        except ValidationError as error:  # Layers that are valid one by one merge to a valid whole.
            raise ConfigError(f"{self.where(name)}: {error}", host=name) from None
        if host.trust:
            theirs = all(one.path.name == WORKSPACE_FILE for one, _ in self._hosts.get(name, ()))
            if told := [text for one in self._of_workspace() for text in misled(one, name, theirs)]:
                raise ConfigError("\n".join(told), host=name, hint=_own())
        if lack := KINDS[host.type].lacks(host):
            raise ConfigError(
                f"{self.where(name)}: hosts.{name}: `type: {host.type}` needs {lack}", host=name
            )
        return host

    def sources(self, name: str) -> dict[str, str]:
        """Where each value of the host comes from, by dotted key.

        A value is `FILE:LINE` (several, with commas, for lists that add up), `ssh config`, `built-in`
        or `default`.

        Raises:
            UnknownHost: there is no such host.
            ConfigError: the entry lacks what its type needs.
        """
        host = self.host(name)
        found = dict.fromkeys(_leaves(host.model_dump(exclude={"name"})), "default")
        if host.type == "ssh" and ssh_config.is_alias(host.destination, self._ssh_config_file()):
            found.update(dict.fromkeys(_FROM_SSH, "ssh config"))
        for where, layer in self._layers(name):
            for key in _leaves(layer):
                path = tuple(key.split("."))
                origin = where[0].where((*where[1], *path)) if isinstance(where, tuple) else where
                if len(path) > 1:
                    key = ".".join((path[0], one_name(path[0], path[1]), *path[2:]))
                adds = (
                    path[0] == "sync"
                    and path[-1] in ("include", "exclude", "pull")
                    and ":" in found.get(key, "")
                )
                found[key] = f"{found[key]}, {origin}" if adds else origin
        return found

    def expand_hosts(self, text: str) -> list[str]:
        """The hosts of `a,b,@gpus`, each once and in that order.

        Raises:
            UsageError: the text names nothing, or `any`, which `anyhost.py` answers.
            UnknownHost: a host or a group is not known.
        """
        names: list[str] = []
        for word in filter(None, (part.strip() for part in text.split(","))):
            if word.startswith("@"):
                if word[1:] not in self.groups:
                    raise UnknownHost(_unknown("group", word[1:], list(self.groups)))
                names += self.groups[word[1:]]
            elif word.partition(":")[0] == "any" and not self.is_known(word):
                raise UsageError(
                    "`any` (of some: `any:a,b`, `any:@group`) is a choice of one host to run on, and stands "
                    "alone; here hosts are named"
                )
            else:
                self._require(word)
                names.append(word)
        if not names:
            raise UsageError(f"{text!r} names no host; valid are a host, a list `a,b,c` and a group `@name`")
        return list(dict.fromkeys(names))

    def _require(self, name: str) -> None:
        if not self.is_known(name):
            raise UnknownHost(_unknown("host", name, [*self.names(), *self.aliases()]))

    def _ssh_config_file(self) -> str | None:
        file: str | None = None
        for document in self.documents:
            file = document.data.get("defaults", {}).get("ssh", {}).get("config_file", file)
        return file

    def _layers(self, name: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        """What makes the host, weakest first: (where it stands, its keys)."""
        if name == LOCAL:
            yield "built-in", {"type": "local"}
        for document in self.documents:
            defaults = document.data.get("defaults", {})
            # `local` is a kind of its own: a default `type: ssh` or `user` is not meant for it.
            yield (
                (document, ("defaults",)),
                {k: v for k, v in defaults.items() if (name, k) != (LOCAL, "type")},
            )
        for document, entry in self._hosts.get(name, ()):
            yield (document, ("hosts", name)), entry

    def _of_workspace(self) -> list[Document]:
        return [document for document in self.documents if document.path.name == WORKSPACE_FILE]

    def _check(self) -> None:
        if problems := [text for document in self._of_workspace() for text in refused(document)]:
            raise ConfigError("\n".join(problems), hint=_own())
        for document in self.documents:
            for group, members in document.data.get("groups", {}).items():
                unknown = [(number, str(m)) for number, m in enumerate(members) if not self.is_known(str(m))]
                for number, member in unknown:
                    where = document.where(("groups", group, number))
                    why = _unknown("host", member, self.names())
                    problems.append(f"{where}: groups.{group}[{number}]: {why}")
        if problems:
            raise ConfigError("\n".join(problems))


def _own() -> str:
    return f"If you want that, put it into your own {config_dir() / HOSTS_FILE}."


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=32)
def _load(files: tuple[tuple[Path, Stamp | None], ...], ssh_file: object, ssh_stamp: object) -> Config:
    return Config(tuple(_read(path, stamp) for path, stamp in files if stamp is not None))


@lru_cache(maxsize=32)
def _read(path: Path, stamp: Stamp) -> Document:
    return read(path)


def read(path: Path) -> Document:
    """The document in a file.

    Raises:
        ConfigError: it can't be read, or is not valid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start})") from None
    return parse(text, path)


def _nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in overrides.items():
        layer: Any = _nested(value) if isinstance(value, Mapping) and key != "env" else value
        for part in reversed(key.split(".", 1) if key.startswith("env.") else key.split(".")):
            layer = {part: layer}
        nested = deep_merge(nested, layer)
    return nested


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        elif not isinstance(value, Mapping):
            yield f"{prefix}{key}"


def _unknown(kind: str, name: str, valid: list[str]) -> str:
    close = nearest(name, valid)
    rest = sorted(word for word in valid if word not in close)
    words = [*close, *rest]
    listed = ", ".join(words[:_LISTED]) + (
        f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    )
    hint = f"; did you mean `{close[0]}`?" if close else ";"
    return f"there is no {kind} `{name}`{hint} Valid: {listed or 'none is defined'}"


__all__ = ["Config", "ConfigFile", "HostConfig", "config_dir", "read"]
