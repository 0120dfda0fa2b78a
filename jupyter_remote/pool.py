"""The remotes of this process: one for each host, workspace and settings; workspaces share links."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config
from .hostlink import HostLink
from .remote import Remote

if TYPE_CHECKING:
    from .transports import Prompter

_pool: dict[tuple[str, Path, str], Remote] = {}
# The one that was asked for last.
_latest: dict[tuple[str, Path], Remote] = {}
# By the host's settings.
_links: dict[str, HostLink] = {}
_pool_lock = threading.Lock()


def live(name: str) -> Remote | None:
    """A host of that name to which a link is open now, for the current workspace; none is opened."""
    root = Path.cwd().resolve()
    with _pool_lock:
        found = [remote for key, remote in _pool.items() if key[:2] == (name, root)]
    return next((remote for remote in reversed(found) if remote.link.live is not None), None)


def links() -> list[HostLink]:
    """The links of all hosts, open or not."""
    with _pool_lock:
        return list(_links.values())


def any_live() -> bool:
    """Whether a link to any host is open."""
    with _pool_lock:
        return any(remote.link.live is not None for remote in _pool.values())


def connect(
    name: str, *, workspace: Path | None = None, ask: Prompter | None = None, **overrides: Any
) -> Remote:
    """The host of that name, for a workspace; the link opens with the first request.

    Args:
        name: an entry of hosts.yaml, an alias of the ssh configuration, or ``local``.
        workspace: the local project folder; the current one when None.
        ask: who answers questions (passwords, unknown host keys); the terminal or notebook when None.
        overrides: settings of the host for this call, e.g. ``python="~/envs/torch"``.

    Returns:
        The same object for the same arguments, so that its link is used again.

    Raises:
        UnknownHost: there is no such host.
        ConfigError: the configuration is not valid.
    """
    root = Path(workspace or Path.cwd()).resolve()
    return _remote(Config.load(root), name, root, ask, overrides)


def connect_all(names: Iterable[str]) -> list[Remote]:
    """The hosts of those names for the current workspace, as :func:`connect`; the files are looked at once.

    Raises:
        UnknownHost: there is no such host.
        ConfigError: the configuration is not valid.
    """
    root = Path.cwd().resolve()
    config = Config.load(root)
    return [_remote(config, name, root) for name in names]


def _remote(
    config: Config,
    name: str,
    root: Path,
    ask: Prompter | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Remote:
    host = config.host(name, overrides or None)
    with _pool_lock:
        # The settings of an unchanged configuration are the same object, and needn't be spelled out.
        latest = _latest.get((name, root))
        if latest is None or latest.host is not host or latest.link.closed:
            key = (name, root, host.model_dump_json())
            if key not in _pool or _pool[key].link.closed:
                link = _links.get(key[2])
                if link is None or link.closed:
                    link = _links[key[2]] = HostLink(host, ask)
                _pool[key] = Remote(host, root, ask, link)
            latest = _latest[name, root] = _pool[key]
        return latest
