"""An archive that is a folder: a mounted disk, a share. An object is a file, readable for its owner alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from ..errors import ArchiveError
from .store import MissingObject, Moved, Store

_PIECE = 1 << 20
# No name of an object begins so.
_STAGED = ".part-"


class FolderStore(Store):
    """A folder.

    Args:
        path: where it is; made by the first write.
    """

    def __init__(self, path: Path) -> None:
        self._root = path
        self.where = str(path)

    def names(self, prefix: str) -> Iterator[str]:
        with self._told(f"list {prefix}"):
            top = self._root / prefix.rpartition("/")[0]
            found = []
            for folder, _, files in os.walk(top, onerror=_raise):
                base = Path(folder).relative_to(self._root)
                found += [(base / name).as_posix() for name in files if not name.startswith(_STAGED)]
            found = sorted(name for name in found if name.startswith(prefix))
        yield from found

    def size(self, name: str) -> int | None:
        with self._told(f"look at {name}"):
            try:
                return (self._root / name).stat().st_size
            except FileNotFoundError:
                return None

    def read(self, name: str) -> Iterator[bytes]:
        with self._told(f"read {name}"):
            try:
                file = (self._root / name).open("rb")
            except FileNotFoundError:
                raise MissingObject(name) from None
            with file:
                while piece := file.read(_PIECE):
                    yield piece

    def put(self, name: str, content: bytes) -> None:
        self._write(name, iter((content,)), lambda moved: None)

    def send(self, name: str, path: Path, moved: Moved) -> None:
        with path.open("rb") as file:
            self._write(name, iter(lambda: file.read(_PIECE), b""), moved)

    def _write(self, name: str, pieces: Iterator[bytes], moved: Moved) -> None:
        with self._told(f"write {name}"):
            target = self._root / name
            for folder in reversed((target.parent, *target.parent.parents)):
                if not folder.is_dir():
                    folder.mkdir(0o700, exist_ok=True)
            staged = target.with_name(f"{_STAGED}{token_hex(8)}")
            try:
                fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
                with os.fdopen(fd, "wb") as file:
                    for piece in pieces:
                        file.write(piece)
                        moved(len(piece))
                    file.flush()
                    os.fsync(fd)
                staged.replace(target)
            finally:
                staged.unlink(missing_ok=True)

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            with self._told(f"remove {name}"):
                path = self._root / name
                path.unlink(missing_ok=True)
                for folder in path.parents:
                    if folder == self._root or any(folder.iterdir()):
                        break
                    folder.rmdir()

    def drop_unfinished(self, prefix: str) -> None:
        with self._told(f"clean up {prefix}"):
            top = self._root / prefix
            for path in list(top.rglob(f"{_STAGED}*")) if top.is_dir() else []:
                path.unlink(missing_ok=True)
            if top.is_dir() and not any(path.is_file() for path in top.rglob("*")):
                shutil.rmtree(top)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArchiveError(
                f"archive {self.where}: can't {what}: {error.strerror or error}",
                hint="Is the disk mounted? Check the folder's owner and its free space.",
            ) from None


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
