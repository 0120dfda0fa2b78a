"""The folder here that a pull writes to: what it may touch, what was put there before, what it keeps aside.

One rule: nothing outside the folder is ever written, and nothing in it that the user made or changed is lost.
What to bring is decided in `pull.py`; nothing here knows a connection. Our own files are in
`.jupyter-remote/` of the folder: `partial/` (what is on its way), `pulled.json` (what came), `kept/`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..agent.artifacts import Found, is_private
from ..agent.entry import LINK, STATE_FOLDER, Entry, new_digest
from ..errors import DiskFull
from .partial import BLOCK, Partial

_WINDOWS_NAMES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}

# What the workspace held when it was synced last: then a difference is the host's doing, not the user's.
Ancestor = Callable[[str], Entry | None]


class Refused(Exception):
    """This path is not written here; the text says why."""


class Target:
    """A folder that files are pulled into.

    Args:
        root: the folder; made when it isn't there.
        source: says where from: host and mirror.
        ancestor: the entry of a path as it was synced last, or None.
    """

    def __init__(self, root: Path, source: str, ancestor: Ancestor = lambda path: None) -> None:
        self.root = str(Path(root).expanduser().resolve())
        self._state = os.path.join(self.root, STATE_FOLDER)
        self._source = source
        self._ancestor = ancestor
        self._known = self._load()
        self._news: dict[str, list[Any]] = {}
        self._kept_folder = ""

    # Looking.

    def is_current(self, found: Found) -> bool:
        """Whether nothing has to be brought: the host's side is as it was when it was pulled last."""
        full = self._full(found.path)
        try:
            status = os.lstat(full)
            if found.kind == LINK:
                return stat.S_ISLNK(status.st_mode) and os.readlink(full) == found.text
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode):
            return found.kind == "dir" and stat.S_ISDIR(status.st_mode)
        return self._known.get(found.path, [])[:3] == [self._source, found.size, found.mtime_ns]

    def check(self, found: Found) -> os.stat_result | None:
        """What is in the place of a path, None for nothing.

        Raises:
            Refused: it may not be written.
        """
        path, full = found.path, self._full(found.path)
        if sys.platform == "win32":
            _check_windows(path)
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            status = _look(self._full(parent))
            if status is None:
                return None
            if not stat.S_ISDIR(status.st_mode):
                kind = "a link" if stat.S_ISLNK(status.st_mode) else "a file"
                raise Refused(f"here {parent!r} is {kind}, and nothing is written through it")
        status = _look(full)
        if status is not None and stat.S_ISDIR(status.st_mode) and found.kind != "dir":
            raise Refused("here it is a folder")
        if status is not None and stat.S_ISLNK(status.st_mode) and not self._is_unedited(path, status):
            raise Refused("here it is a link")
        if found.kind == LINK:
            self._check_link(found)
        return status

    def is_edited(self, path: str, status: os.stat_result | None) -> bool:
        """Whether something is there that the user made or changed since it was pulled or synced."""
        return status is not None and not stat.S_ISDIR(status.st_mode) and not self._is_unedited(path, status)

    def digest(self, path: str) -> str:
        """The digest of a file that is here; "" when it can't be read."""
        digest = new_digest()
        try:
            with open(self._full(path), "rb", buffering=0) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except OSError:
            return ""
        return str(digest.hexdigest())

    def check_room(self, path: str, size: int) -> None:
        """Raises DiskFull when so many bytes more don't fit."""
        free = shutil.disk_usage(self.root).free
        if size > free:
            raise DiskFull(
                f"{path!r} doesn't fit here: it needs {size:,} bytes, {free:,} are free in {self.root}",
                hint="Free some space here, or pull into another folder with --output.",
            )

    def partial(self, found: Found) -> Partial:
        """Where the content of a file is gathered.

        Raises:
            OSError: the folder can't be written.
        """
        os.makedirs(self.root, exist_ok=True)
        folder = os.path.join(self._state, "partial")
        os.makedirs(folder, 0o700, exist_ok=True)
        return Partial(folder, self._source, found)

    # Writing.

    def put_file(self, found: Found, ready: str) -> str | None:
        """Puts a complete file in its place, with its time and mode; returns where the user's own went.

        Raises:
            Refused: it may not be written.
            OSError: it can't be.
        """
        os.chmod(ready, found.mode)
        os.utime(ready, ns=(found.mtime_ns, found.mtime_ns))
        kept = self._make_way(found)
        _replace(ready, self._full(found.path))
        self.remember(found)
        return kept

    def put_link(self, found: Found) -> str | None:
        """Makes a link; as :meth:`put_file`."""
        self.check(found)
        os.makedirs(os.path.join(self._state, "partial"), 0o700, exist_ok=True)
        ready = os.path.join(self._state, "partial", f"link.{os.getpid()}.{time.monotonic_ns()}")
        os.symlink(found.text, ready)
        try:
            kept = self._make_way(found)
            _replace(ready, self._full(found.path))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(ready)
            raise
        self._news[found.path] = [self._source, found.text]
        return kept

    def put_folder(self, found: Found) -> None:
        """Makes an empty folder; as :meth:`put_file`."""
        if self.check(found) is not None:
            raise Refused("here it is a file")
        self._make_parents(found.path)
        os.mkdir(self._full(found.path), found.mode | 0o700)

    def remember(self, found: Found) -> None:
        """The file that is here is what the host has."""
        status = os.lstat(self._full(found.path))
        self._news[found.path] = [
            self._source,
            found.size,
            found.mtime_ns,
            status.st_size,
            status.st_mtime_ns,
        ]

    def save(self) -> None:
        """Writes down what came, beside what other pulls have written in the meantime."""
        Partial.sweep(os.path.join(self._state, "partial"))
        if not self._news:
            return
        self._known = {**self._load(), **self._news}
        self._news = {}
        os.makedirs(self._state, 0o700, exist_ok=True)
        ignore = os.path.join(self._state, ".gitignore")
        if not os.path.lexists(ignore):
            Path(ignore).write_text("*\n", encoding="ascii")
        new = os.path.join(self._state, f"pulled.json.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with open(new, "w", encoding="ascii") as file:
                json.dump(self._known, file, separators=(",", ":"))
            os.replace(new, os.path.join(self._state, "pulled.json"))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)

    # Small things.

    def _full(self, path: str) -> str:
        return os.path.join(self.root, path.replace("/", os.sep))

    def _load(self) -> dict[str, list[Any]]:
        try:
            with open(os.path.join(self._state, "pulled.json"), "rb") as file:
                known = json.loads(file.read())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _is_unedited(self, path: str, status: os.stat_result) -> bool:
        known = self._news.get(path) or self._known.get(path) or []
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(self._full(path))
            before = self._ancestor(path)
            return known[1:] == [target] or (before is not None and before.target == target)
        if known[3:] == [status.st_size, status.st_mtime_ns]:
            return True
        before = self._ancestor(path)
        return before is not None and before.size == status.st_size and before.digest == self.digest(path)

    def _make_way(self, found: Found) -> str | None:
        status = self.check(found)
        self._make_parents(found.path)
        if not self.is_edited(found.path, status):
            return None
        kept = f"{self._kept()}/{found.path}"
        os.makedirs(os.path.dirname(self._full(kept)), exist_ok=True)
        os.rename(self._full(found.path), self._full(kept))
        return kept

    def _make_parents(self, path: str) -> None:
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._full("/".join(parents[:depth])))

    def _kept(self) -> str:
        base = f"{STATE_FOLDER}/kept/{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        number = 1
        while not self._kept_folder:
            name = base if number == 1 else f"{base}-{number}"
            with contextlib.suppress(FileExistsError):
                os.makedirs(self._full(name), 0o700)
                self._kept_folder = name
            number += 1
        return self._kept_folder

    def _check_link(self, found: Found) -> None:
        """A link may climb first and descend then: written like that, it can't be led out by another link."""
        parts = found.text.split("/")
        ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
        folder = found.path.split("/")[:-1]
        end = "/".join([*folder[: len(folder) - ups], *(p for p in parts[ups:] if p not in ("", "."))])
        leads_out = os.path.isabs(found.text) or ups > len(folder) or ".." in parts[ups:]
        if leads_out or (os.sep != "/" and os.sep in found.text) or ":" in found.text[1:2]:
            raise Refused(f"it is a link that leads out, to {found.text!r}")
        resolved = os.path.realpath(self._full(end))
        if resolved != self.root and not resolved.startswith(self.root.rstrip(os.sep) + os.sep):
            raise Refused(f"it is a link that leads out, to {found.text!r}")
        if end and is_private(end):
            raise Refused(f"it is a link into a private folder, to {found.text!r}")


def _look(full: str) -> os.stat_result | None:
    try:
        return os.lstat(full)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise Refused("here a file is in the place of a folder above it") from None


def _replace(ready: str, place: str) -> None:
    try:
        os.replace(ready, place)
    except OSError as error:
        if error.errno != 18:  # EXDEV: another file system is mounted below the target
            raise
        beside = f"{os.path.dirname(place)}{os.sep}.jupyter-remote-{os.getpid()}-{time.monotonic_ns()}"
        try:
            shutil.copy2(ready, beside, follow_symlinks=False)
            os.replace(beside, place)
            os.unlink(ready)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _check_windows(path: str) -> None:
    for part in path.split("/"):
        bad = any(c in '<>:"|?*\\' or ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in part)
        if bad or part != part.rstrip(" .") or part.partition(".")[0].lower() in _WINDOWS_NAMES:
            raise Refused(f"Windows can't have the name {part!r}")
