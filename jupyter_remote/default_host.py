"""The host of this notebook: where `%%remote` and `%autoremote` send cells that name none.

It stands in the notebook's metadata, as `{"jupyter_remote": {"host": NAME}}`. A kernel can read the file of
its notebook, once, and can't write it: the front end holds it. Our extension of JupyterLab opens a comm with
the target `jupyter_remote` and the data `{"host": NAME or null}`; from then on each side tells the other of a
change by the same message, and the extension writes the metadata. Without it a choice lasts as long as the
kernel. The same comm tells whether its page is hidden, `{"hidden": true}`, and the page which run a cell has
become, `{"run": {"host": …, "run": ID, "state": …, "cell": ID}}` (`marks.py`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from inspect import ismethod
from pathlib import Path
from typing import Any
from weakref import WeakMethod

TARGET = "jupyter_remote"
KEY = "jupyter_remote"
# A notebook with pictures of 50 MB takes half a second to read, and a cell waits for it.
_LARGEST = 50_000_000
# What `%%remote` takes for its hosts, and no option: more a notebook that somebody sends must not say.
_NAMES = re.compile(r"[A-Za-z0-9_@.][A-Za-z0-9_@.,:+-]{0,500}", re.ASCII)

_chosen: str | None = None
_read: str | None = None
_known = False  # whether it was chosen, or looked up
_pages: dict[str, Any] = {}
_hidden: dict[str, bool] = {}
_told: list[Callable[[], Callable[[], None] | None]] = []


def get() -> str | None:
    """The hosts of cells that name none, as `%%remote` takes them; None when there is no such choice."""
    global _chosen, _known, _read
    if not _known:
        _known = True
        _chosen = _read = _of_notebook()
    return _chosen


def set(name: str | None) -> None:
    """Choose them, for this kernel and for the notebook where a page can write that down.

    Args:
        name: a host, `@group`, `a,b` or `any`; None for none.

    Raises:
        UsageError: that can't be a name.
    """
    global _chosen, _known
    if name is not None and not _NAMES.fullmatch(name):
        from .errors import UsageError

        raise UsageError(f"{name!r} is no host")
    _chosen, _known = name, True
    tell_pages({"host": name})
    _tell()


def tell_pages(data: dict[str, Any]) -> None:
    """Say something to all pages that show this notebook with our extension; nothing where there is none."""
    for comm in list(_pages.values()):
        with suppress(Exception):
            comm.send(data)


def kept() -> bool:
    """Whether a page is there that writes the choice into the notebook's metadata."""
    return bool(_pages)


def in_file() -> str | None:
    """What the metadata of the notebook's file said when it was looked at first."""
    get()
    return _read


def how_to_keep(name: str) -> str:
    """What to do by hand so that the choice is there the next time."""
    return (
        f'For the next time add "{KEY}": {{"host": "{name}"}} to the notebook\'s metadata '
        "(JupyterLab: Property Inspector, Advanced Tools)."
    )


def page_hidden() -> bool:
    """Whether all pages say that they are hidden; False when none says anything."""
    return bool(_hidden) and all(_hidden.values())


def watch(told: Callable[[], None]) -> None:
    """Call `told` whenever the choice changes or a page comes, goes, or is hidden; a method only while its
    object is alive otherwise."""
    _told.append(WeakMethod(told) if ismethod(told) else lambda: told)


def install() -> None:
    """Listen for pages, in a kernel."""
    if "ipykernel.kernelapp" in sys.modules:
        with suppress(ImportError):
            from comm import get_comm_manager

            get_comm_manager().register_target(TARGET, _opened)


def uninstall() -> None:
    """Undo `install`."""
    if "ipykernel.kernelapp" in sys.modules:
        with suppress(Exception):
            from comm import get_comm_manager

            get_comm_manager().unregister_target(TARGET, _opened)


def _opened(comm: Any, message: dict[str, Any]) -> None:
    _pages[comm.comm_id] = comm
    comm.on_msg(lambda message: _heard(comm, message))
    comm.on_close(lambda message: _gone(comm))
    data = _data(message)
    if "hidden" in data:
        _hidden[comm.comm_id] = data["hidden"] is True
    if _known and _chosen is not None:
        # Chosen before the page came, for example in the first cell.
        comm.send({"host": _chosen})
        _tell()
    else:
        _take(data)


def _heard(comm: Any, message: dict[str, Any]) -> None:
    data = _data(message)
    if "hidden" in data:
        _hidden[comm.comm_id] = data["hidden"] is True
    _take(data)


def _gone(comm: Any) -> None:
    _pages.pop(comm.comm_id, None)
    _hidden.pop(comm.comm_id, None)
    _tell()


def _take(data: dict[str, Any]) -> None:
    global _chosen, _known
    name = data.get("host")
    if "host" in data and (name is None or (isinstance(name, str) and _NAMES.fullmatch(name))):
        _chosen, _known = name, True
    _tell()


def _tell() -> None:
    for one in list(_told):
        told = one()
        if told is None:
            _told.remove(one)
            continue
        with suppress(Exception):
            told()


def _data(message: dict[str, Any]) -> dict[str, Any]:
    data = (message.get("content") or {}).get("data")
    return data if isinstance(data, dict) else {}


def _of_notebook() -> str | None:
    """What the metadata of the file says, as it was saved last."""
    from .notebook import notebook_path

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    path = notebook_path(shell.user_ns if shell is not None else {})
    with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        if path and path.endswith(".ipynb") and Path(path).stat().st_size < _LARGEST:
            name = json.loads(Path(path).read_bytes())["metadata"].get(KEY, {}).get("host")
            if isinstance(name, str) and _NAMES.fullmatch(name):
                return name
    return None
