"""For a run's record: what its workspace was, as git knows it, and with which settings its host was used.

Git is asked beside the run, never before it, and only when something has changed since it was last asked; the
answer follows the run to the host. What git says is asked in `sync/worktree.py`; the manifest of what was
synced is the host's to know.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import history
from .agent import messages as m
from .errors import RemoteError
from .history_rows import row_of
from .sync.moment import called

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection

# A frame holds 1 MiB, so this is also what travels in one.
MAX_DIFF = 1 << 20
# What a process that ends may wait for git.
LAST_WORDS_S = 3.0

_Key = tuple[Any, ...]
_asking: set[threading.Thread] = set()


class Provenance:
    """The git state of one workspace for one host, remembered as long as nothing changes.

    Args:
        workspace: the folder, in a work tree or not.
        host: the resolved settings.
    """

    def __init__(self, workspace: Path, host: HostConfig) -> None:
        self.settings = settings_of(host)
        self._workspace = workspace
        self._git_folder: Path | None = None
        self._looked = False
        self._known: tuple[_Key, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def known(self, generation: int) -> dict[str, Any] | None:
        """What belongs into a run's record, as long as git need not be asked for it.

        Args:
            generation: of the mirror; a workspace in which it changed is another one.
        """
        key = self._key(generation)
        if key is None:
            return {}
        return self._known[1] if self._known is not None and self._known[0] == key else None

    def follow(self, connection: Connection, run_id: str, generation: int) -> None:
        """Lets a run's record know the commit and the diff, soon and in the background."""
        key = self._key(generation)
        if key is None:
            return
        thread = threading.Thread(
            target=self._ask,
            args=(connection, run_id, key, called.get()),
            name="jupyter-remote git",
            daemon=True,
        )
        _asking.add(thread)
        thread.start()

    def _key(self, generation: int) -> _Key | None:
        """Equal as long as git would say the same; None outside a work tree."""
        if not self._looked:
            self._looked = True
            self._git_folder = _git_folder(self._workspace)
        if self._git_folder is None:
            return None
        marks: list[Any] = [generation]
        # Every commit, checkout and reset writes one of these.
        for name in ("HEAD", "index", "logs/HEAD", "packed-refs"):
            try:
                facts = (self._git_folder / name).stat()
                marks.append((facts.st_mtime_ns, facts.st_size, facts.st_ino))
            except OSError:
                marks.append(None)
        return tuple(marks)

    def _ask(self, connection: Connection, run_id: str, key: _Key, since: float) -> None:
        from .sync.worktree import GitMissing

        try:
            with self._lock:
                facts, diff = self._known[1] if self._known and self._known[0] == key else None, b""
                if facts is None:
                    state, diff = _git_of(self._workspace).state(since)
                    facts = {"git": state}
                history.note([row_of({"id": run_id, **facts})])
                # Kept there once, so the next run of the same workspace only names it.
                kept = connection.ask(m.Amend(run_id, facts), diff)
                if "diff" in kept:
                    facts["diff"] = str(kept["diff"])
                self._known = (key, facts)
        except (RemoteError, GitMissing):
            pass  # the link is gone, and this side knows it; or the sync has said what git said
        finally:
            _asking.discard(threading.current_thread())


class _Git:
    """What git says of a workspace: asked once for all hosts of a call."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = str(workspace)
        self._lock = threading.Lock()
        self._began = -math.inf
        self._said: tuple[dict[str, Any], bytes] = {}, b""

    def state(self, since: float) -> tuple[dict[str, Any], bytes]:
        """The commit and the diff; asked anew unless that has begun after `since`, see `sync/moment.py`.

        Raises:
            GitMissing: git is not installed.
        """
        from .sync.worktree import commit_state

        with self._lock:
            if self._began < since:
                began = time.monotonic()
                self._said = commit_state(self._workspace, MAX_DIFF)
                self._began = began
            return self._said


_gits: dict[Path, _Git] = {}


def _git_of(workspace: Path) -> _Git:
    return _gits.setdefault(workspace, _Git(workspace))


def settings_of(host: HostConfig) -> dict[str, Any]:
    """The resolved settings as a record may keep them: of what may hold a secret, only that it was there."""
    settings = host.model_dump(mode="json", exclude_none=True, exclude={"env", "env_setup", "facts", "name"})
    for section in ("container", "slurm", "pbs", "ray"):
        if host.launcher != section:
            del settings[section]
    if host.type != "ec2":
        del settings["ec2"]
    settings["env_names"] = sorted(host.env)
    if host.env_setup:
        settings["env_setup_digest"] = blake2b(host.env_setup.encode(), digest_size=8).hexdigest()
    return settings


def _git_folder(workspace: Path) -> Path | None:
    from .sync.worktree import enclosing

    top = enclosing(str(workspace))
    if top is None:
        return None
    path = Path(top, ".git")
    try:
        # A linked work tree or a submodule says where its own folder is.
        return Path(top, path.read_text(encoding="utf-8").removeprefix("gitdir:").strip())
    except OSError:
        return path


def _finish() -> None:
    deadline = time.monotonic() + LAST_WORDS_S
    for thread in list(_asking):
        thread.join(max(0.0, deadline - time.monotonic()))


atexit.register(_finish)
