"""The remotes of this process: one for each host, workspace and settings, so that its link is used again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config
from .remote import Remote

if TYPE_CHECKING:
    from .transports import Prompter

_pool: dict[tuple[str, Path, str], Remote] = {}
_pool_lock = threading.Lock()


def live(name: str) -> Remote | None:
    """A host of that name to which a link is open now, for the current workspace; none is opened."""
    root = Path.cwd().resolve()
    with _pool_lock:
        found = [remote for key, remote in _pool.items() if key[:2] == (name, root)]
    return next((remote for remote in reversed(found) if remote.link.live is not None), None)


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
    host = Config.load(root).host(name, overrides or None)
    key = (name, root, host.model_dump_json())
    with _pool_lock:
        if key not in _pool or _pool[key].link.closed:
            _pool[key] = Remote(host, root, ask)
        return _pool[key]
