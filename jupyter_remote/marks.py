"""What a program can read of a run in a cell's outputs: the metadata of a display that tells of it.

The JupyterLab extension marks the cell by it, and offers to attach to a run that goes on. Nothing here is
shown, and no front needs to know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import default_host
from .notebook import cell_id

if TYPE_CHECKING:
    from .run import Run

# The one key that is ours, in the metadata of outputs, cells and notebooks.
KEY = "jupyter_remote"

# Makes the metadata of a display each time it is written.
About = Callable[[], dict[str, Any]]


def tell_pages(run: Run) -> None:
    """Tell the pages of this notebook how a run stands, so that they needn't wait for a display of it."""
    default_host.tell_pages({"run": {**mark(run)[KEY], "cell": cell_id()}})


def mark(run: Run | None) -> dict[str, Any]:
    """Return the metadata of a display that tells of `run` as it stands now; nothing where there is none."""
    return {} if run is None else {KEY: {"host": run.host, "run": run.id, "state": run.state}}
