"""The folder here that a pull writes to: what it may touch, and what it keeps aside.

One rule: nothing outside the folder is ever written, and nothing in it that the user made or changed is lost.
What to bring is decided in `pull.py`; what came before is remembered in `pulled.py`; nothing here knows a
connection. Our own files are in `.jupyter-remote/` of the folder: `partial/` (what is on its way), `kept/`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from ..agent.artifacts import Found, is_private
from ..agent.entry import DIR, LINK, STATE_FOLDER, new_digest
from ..errors import DiskFull
from .names import impossible_name
from .partial import BLOCK, Partial
from .pulled import Pulled, Row, row_of


class Refused(Exception):
    """This path is not written here; the text says why."""


class Target:
    """A folder that files are pulled into.

    Args:
        root: the folder; made when it isn't there.
        source: says where from, see `pulled.source_of`.
    """

    def __init__(self, root: Path, source: str) -> None:
        self.root = str(Path(root).expanduser().resolve())
        self._state = os.path.join(self.root, STATE_FOLDER)
        self._source = source
        self._pulled = Pulled(self._state)
        self._pulled.rows()
        # path -> (size, time, digest or target) of what is here and was once put on the host, as it says.
        self._sent: dict[str, tuple[int, int, str]] = {}
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
        return self._pulled.get(found.path)[:3] == [self._source, found.size, found.mtime_ns]

    def check(self, found: Found) -> os.stat_result | None:
        """What is in the place of a path, None for nothing.

        Raises:
            Refused: it may not be written.
        """
        path, full = found.path, self._full(found.path)
        impossible = impossible_name(path, sys.platform)
        if impossible:
            raise Refused(impossible)
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

    def unexplained(self, founds: Iterable[Found]) -> list[list[str]]:
        """What is here, of what is to be brought, without a pull having brought it: path, digest, target.

        It may be what a sync has sent, which the host knows, see :meth:`explain`.
        """
        told = []
        for found in founds:
            full = self._full(found.path)
            try:
                status = os.lstat(full)
                if self._is_as_pulled(found.path, status):
                    continue
                if stat.S_ISLNK(status.st_mode):
                    told.append([found.path, "", os.readlink(full)])
                elif stat.S_ISREG(status.st_mode) and (digest := self.digest(found.path)):
                    told.append([found.path, digest, ""])
                else:
                    continue
            except OSError:
                continue
            # Compared again when it is replaced: what is edited from now on is not explained.
            self._sent[found.path] = (status.st_size, status.st_mtime_ns, told[-1][2])
        return told

    def explain(self, told: list[list[str]], answers: str) -> None:
        """The host's answer: 1 for what was put there by a sync, so that nobody has edited it here since."""
        for (path, *_), answer in zip(told, answers, strict=True):
            if answer != "1":
                del self._sent[path]

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

    def put_file(self, found: Found, ready: str, digest: str) -> str | None:
        """Puts a complete file in its place, with its time and mode; returns where the user's own went.

        Args:
            found: as the host lists it.
            ready: the file.
            digest: of its content.

        Raises:
            Refused: it may not be written.
            OSError: it can't be.
        """
        os.chmod(ready, found.mode)
        os.utime(ready, ns=(found.mtime_ns, found.mtime_ns))
        with self._pulled.locked():
            kept = self._make_way(found, digest)
            _replace(ready, self._full(found.path))
            self._remember(found, digest)
        return kept

    def put_link(self, found: Found) -> str | None:
        """Makes a link; as :meth:`put_file`."""
        self.check(found)
        os.makedirs(os.path.join(self._state, "partial"), 0o700, exist_ok=True)
        ready = os.path.join(self._state, "partial", f"link.{os.getpid()}.{time.monotonic_ns()}")
        os.symlink(found.text, ready)
        try:
            with self._pulled.locked():
                kept = self._make_way(found)
                _replace(ready, self._full(found.path))
                self._remember(found)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(ready)
            raise
        return kept

    def put_folder(self, found: Found) -> None:
        """Makes an empty folder; as :meth:`put_file`."""
        with self._pulled.locked():
            status = self.check(found)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                raise Refused("here it is a file")
            self._make_parents(found.path)
            if status is None:
                os.mkdir(self._full(found.path), found.mode | 0o700)
                self._remember(found)

    def remember(self, found: Found, digest: str = "") -> None:
        """What is here is what the host has."""
        with self._pulled.locked():
            self._remember(found, digest)

    def _remember(self, found: Found, digest: str = "") -> None:
        status = os.lstat(self._full(found.path))
        self._pulled.add(found.path, row_of(self._source, found, digest, status))

    def save(self) -> None:
        """Writes down what came, for the next pull and the next sync."""
        Partial.sweep(os.path.join(self._state, "partial"))
        self._pulled.save()

    # Small things.

    def _full(self, path: str) -> str:
        return os.path.join(self.root, path.replace("/", os.sep))

    def _is_unedited(self, path: str, status: os.stat_result) -> bool:
        if self._is_as_pulled(path, status):
            return True
        sent = self._sent.get(path)
        if sent is None or sent[:2] != (status.st_size, status.st_mtime_ns):
            return False
        return not stat.S_ISLNK(status.st_mode) or os.readlink(self._full(path)) == sent[2]

    def _is_as_pulled(self, path: str, status: os.stat_result) -> bool:
        if stat.S_ISLNK(status.st_mode):
            part, now = slice(1, None), Row([os.readlink(self._full(path))])
        else:
            part, now = slice(3, 5), [status.st_size, status.st_mtime_ns]
        # Perhaps another pull has just put it there: then it is in no row that was read before.
        return self._pulled.get(path)[part] == now or self._pulled.rows().get(path, [])[part] == now

    def _make_way(self, found: Found, digest: str = "") -> str | None:
        status = self.check(found)
        self._make_parents(found.path)
        if status is None or not self.is_edited(found.path, status):
            return None
        if digest and status.st_size == found.size and self.digest(found.path) == digest:
            return None  # another pull has put there what comes
        kept = f"{self._kept()}/{found.path}"
        os.makedirs(os.path.dirname(self._full(kept)), exist_ok=True)
        os.rename(self._full(found.path), self._full(kept))
        return kept

    def _make_parents(self, path: str) -> None:
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            folder = "/".join(parents[:depth])
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._full(folder))
                self._remember(Found(folder, DIR))

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
