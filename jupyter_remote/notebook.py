"""Which notebook and cell is this? Path and id where they are known, and the name its sessions go by.

A session belongs to one host and one notebook, so the name must survive a restart of the local kernel and
differ between notebooks. Nothing else belongs here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePath
from secrets import token_hex
from typing import Any

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_STEM_LIMIT = 40
# nbformat's own.
_CELL_LIMIT = 64

# A process that is neither a notebook nor a kernel: the pid alone would come back after a reboot, or on
# another machine, and find somebody else's variables.
_TERMINAL = f"terminal-{os.getpid()}-{token_hex(2)}"


def notebook_path(namespace: Mapping[str, object]) -> str | None:
    """Return the notebook's path as the front end tells it, or None.

    Args:
        namespace: the user's namespace; VS Code leaves the path there.
    """
    # VS Code comes first: through a Jupyter server it names each session anew.
    told = namespace.get("__vsc_ipynb_file__")
    if isinstance(told, str) and told:
        return told
    return os.environ.get("JPY_SESSION_NAME") or None


def cell_id() -> str | None:
    """Return the id of the cell that is running, as the front end tells it, or None."""
    ipython: Any = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython() if ipython else None, "kernel", None)
    if kernel is None:
        return None
    told = (kernel.get_parent("shell") or {}).get("metadata", {}).get("cellId")
    return told[:_CELL_LIMIT] if isinstance(told, str) and told else None


def session_name(namespace: Mapping[str, object]) -> str:
    """Return the default session's name: letters, digits and `._-` only, at most 64 of them."""
    path = notebook_path(namespace)
    if path is not None:
        stem = _UNFIT.sub("-", PurePath(path).name.removesuffix(".ipynb")).strip(".-_")[:_STEM_LIMIT]
        digest = sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{stem or 'notebook'}-{digest}"
    connection = _connection_file()
    if connection is not None:
        # Kernel managers keep the connection file over a restart of the kernel.
        return f"kernel-{sha256(connection.encode()).hexdigest()[:12]}"
    return _TERMINAL


def _connection_file() -> str | None:
    application = sys.modules.get("ipykernel.kernelapp")
    if application is None or not application.IPKernelApp.initialized():
        return None
    return str(application.IPKernelApp.instance().abs_connection_file)
