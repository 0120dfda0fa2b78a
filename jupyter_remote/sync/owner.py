"""Who put a file on a mirror: an id of one folder on one machine."""

from __future__ import annotations

import secrets as random_source
from hashlib import blake2b
from pathlib import Path


def workspace_owner(workspace: Path) -> str:
    """An id of this folder on this machine: what it put on a mirror is told from what others put there."""
    from jupyter_core.paths import jupyter_data_dir

    path = Path(jupyter_data_dir()) / "remote" / "machine-id"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="ascii") as file:
                file.write(random_source.token_hex(16))
        except FileExistsError:
            pass
        machine = path.read_text("ascii")
    except OSError:
        import platform

        machine = f"{platform.node()}:{Path.home()}"
    return blake2b(f"{machine}:{workspace}".encode(), digest_size=8).hexdigest()
