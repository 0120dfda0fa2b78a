"""`type: share`: an archive in the folder that everybody here has mounted, one subfolder a team."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_remote.archives.folder import FolderStore
from jupyter_remote.archives.registry import Kind
from jupyter_remote.archives.store import Store
from jupyter_remote.config_models import Archive


def _open(settings: Archive) -> Store:
    return FolderStore(Path(os.environ["TEAM_SHARE"]) / str(settings.plugin.get("team", "all")))


KIND = Kind(summary="a folder of the team's share", needs="", open=_open)
