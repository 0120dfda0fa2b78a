"""The local history of all runs on all hosts: noted as they start and end, asked by `history` and `runs`.

Noting never delays a run and never fails one: rows wait in memory and a thread writes them, some milliseconds
later and many at once; where the file can't be written, one line per process says so. Here belongs when
something is written; what, in `history_rows.py`; where, in `history_store.py`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history_rows import Row
    from .history_store import Store

# A quick cell's start and end go in one transaction, after the cell.
GATHER_S = 0.1
IDLE_S = 5.0
# Cells that follow on each other are written over one connection.
HOLD_S = 1.0
# What a process that ends may wait for a locked file.
LAST_WORDS_S = 3.0

_changed = threading.Condition()
_waiting: list[Row] = []
_forgotten: list[str] = []
_writing = False
_hurry = 0
_thread: threading.Thread | None = None
_warned = False
_store: Store | None = None
# Of a parent process, which goes on using them: never to be closed here.
_inherited: list[Store] = []


def history_file() -> Path:
    """Where the history is: ``remote/history.db`` in the Jupyter data folder."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "remote" / "history.db"


def started(record: Mapping[str, Any], source: str | None) -> None:
    """Notes a run that a host has accepted.

    Args:
        record: as the host has it.
        source: the code; empty for a program that is on the host, None when it isn't known here.
    """
    from .history_rows import row_of

    note([row_of(record, source=source)])


def ended(run_id: str, end: Mapping[str, Any], when: float) -> None:
    """Notes the end of a run.

    Args:
        run_id: which.
        end: the fields of the event ``end``.
        when: seconds since the epoch, by the host's clock; 0 when nobody knows.
    """
    from .history_rows import row_of

    note([row_of({"ended": when or None, **end, "id": run_id})])


def note(rows: Iterable[Row]) -> None:
    """Adds what is known of some runs, soon and in the background."""
    with _changed:
        # Whoever gathers takes these too, and a thread that is woken for nothing takes the lock from others.
        asleep = not _waiting
        _waiting.extend(rows)
        if asleep:
            _awake()


def forget(ids: Iterable[str]) -> None:
    """Removes runs, soon and in the background."""
    with _changed:
        _forgotten.extend(ids)
        _awake()


def flush(timeout: float = 30.0) -> None:
    """Waits until what was noted in this process is written (or was given up), at most `timeout` seconds."""
    global _hurry
    with _changed:
        _hurry += 1
        _changed.notify_all()
        _changed.wait_for(lambda: not (_waiting or _forgotten or _writing), timeout)
        _hurry -= 1


def store() -> Store:
    """The history, with all that this process has noted.

    Raises:
        HistoryError: by its methods, when the file can't be used.
    """
    from .history_store import Store

    flush()
    return Store(history_file())


def still_running(namespace: Mapping[str, object]) -> str | None:
    """One line about the runs of this notebook that were not seen to end; None when there are none.

    Only the local history is asked, and outside of a notebook not even that.

    Args:
        namespace: the user's, see `notebook.py`.
    """
    if "ipykernel.kernelapp" not in sys.modules and not os.environ.get("JPY_SESSION_NAME"):
        return None
    path = history_file()
    if not path.exists():
        return None
    from .errors import HistoryError
    from .history_store import Store
    from .notebook import notebook_path, session_name

    try:
        rows = Store(path).unfinished(notebook_path(namespace), session_name(namespace))
    except HistoryError:
        return None  # said when something is to be written
    if not rows:
        return None
    named = ", ".join(f"{row['id']} on {row['host']}" for row in rows[:3])
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    one = rows[0]["id"]
    return (
        f"jupyter_remote: when last seen, this notebook had {len(rows)} unfinished "
        f"run{'s' if len(rows) > 1 else ''}: {named}{more}. "
        f"`%remote attach {one}` shows it, `%remote runs stop {one}` ends it."
    )


def _awake() -> None:
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_write_all, name="jupyter-remote history", daemon=True)
        _thread.start()
    _changed.notify_all()


def _write_all() -> None:
    global _writing, _thread
    while True:
        with _changed:
            if not _changed.wait_for(lambda: _waiting or _forgotten, HOLD_S):
                _close()
                if not _changed.wait_for(lambda: _waiting or _forgotten, IDLE_S):
                    _thread = None
                    return
            _changed.wait_for(lambda: _hurry, GATHER_S)
            rows, ids = _waiting.copy(), _forgotten.copy()
            _waiting.clear()
            _forgotten.clear()
            _writing = True
        try:
            _write(rows, ids)
        finally:
            with _changed:
                _writing = False
                _changed.notify_all()


def _write(rows: list[Row], ids: list[str]) -> None:
    global _warned, _store
    from .history_store import Store

    try:
        path = history_file()
        if _store is None or _store.path != path:
            _close()
            _store = Store(path, hold=True)
        if rows:
            _store.write(rows)
        if ids:
            _store.forget(ids)
    except Exception as error:  # whatever it is, no run may fail of it
        if not _warned:
            _warned = True
            text = str(error).replace("\n", " ")
            print(f"jupyter_remote: runs are not noted in the local history: {text}", file=sys.stderr)


def _close() -> None:
    """Ends the connection of the thread that writes; nobody uses it now."""
    global _store
    if _store is not None:
        _store.close()
        _store = None


def _last_words() -> None:
    flush(LAST_WORDS_S)
    with _changed:
        if not _writing:
            _close()  # or what was written would stay in the log beside the file


def _after_fork() -> None:
    # The thread stays with the parent, which also writes what was waiting.
    global _changed, _writing, _hurry, _thread, _store
    if _store is not None:
        _inherited.append(_store)
        _store = None
    _changed = threading.Condition()
    _waiting.clear()
    _forgotten.clear()
    _writing, _hurry, _thread = False, 0, None


atexit.register(_last_words)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
