"""Hosts: what kinds there are, and what the user's ssh configuration knows about them.

Settings of a host are in `jupyter_remote.config`; moving bytes to it is in `jupyter_remote.transports`.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["names"]


def names(workspace: Path | None = None) -> list[str]:
    """What `jupyter_remote.connect` takes: hosts with an entry, ``local``, aliases of the ssh configuration.

    Args:
        workspace: the project folder whose `.jupyter-remote.yaml` counts too; the current one when None.

    Raises:
        ConfigError: a file is not valid.
    """
    from ..config import Config

    config = Config.load(Path(workspace or Path.cwd()).resolve())
    return [*config.names(), *config.aliases()]
