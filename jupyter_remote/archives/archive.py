"""Runs in an archive: put there, listed, brought back, deleted. Of what a run consists: `gather.py`.

Names in the store: ``runs/<id>/<sha256>`` is a file of the run, or the manifest that lists them;
``index/<id>/…`` says that the run is there (`kept.py`), and is written last; ``deleted/<id>/…`` is where
the index object of a deleted run goes. Content is named by its digest, so nothing is sent twice, and
whatever a store does to it is noticed. Two runs share no objects: purging one needs no look at others, and
no lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..agent.entry import BadPath, check_path
from ..agent.rundir import RUN_ID
from ..errors import ArchiveError, UsageError
from .kept import DELETED, INDEX, Kept, kept, parse
from .store import MissingObject, Moved, Store

FORMAT = 1
_PIECE = 1 << 20
# A list of files is no larger: it is held in memory.
_LARGEST_MANIFEST = 256 << 20


@dataclass(frozen=True)
class File:
    """One file of a run.

    Args:
        path: relative, with `/`.
        size: bytes.
        digest: SHA-256 of the content, in hex.
        mode: permission bits.
    """

    path: str
    size: int
    digest: str
    mode: int


@dataclass
class Pushed:
    """What a push did.

    Args:
        kept: the run as it is in the archive now.
        sent, sent_bytes: files that were sent; all others were there.
    """

    kept: Kept
    sent: list[str] = field(default_factory=list)
    sent_bytes: int = 0


class Archive:
    """Runs in a store.

    Args:
        name: what the archive is called in hosts.yaml.
        store: what it is kept in.
    """

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.store = store

    @property
    def where(self) -> str:
        """For messages."""
        return f"archive {self.name} ({self.store.where})"

    def list(self, prefix: str = "", *, deleted: bool = False) -> list[Kept]:
        """The runs whose id begins so, the newest first; no object is read.

        Args:
            deleted: those that are marked as deleted instead.

        Raises:
            ArchiveError: the store can't be used.
        """
        found: dict[str, Kept] = {}
        for name in self.store.names(f"{DELETED if deleted else INDEX}/{prefix}"):
            one = parse(name)
            # Two of one run: a push was cut before it had removed what it replaces.
            if one is not None and (one.id not in found or one.pushed >= found[one.id].pushed):
                found[one.id] = one
        return sorted(found.values(), key=lambda one: one.id, reverse=True)

    def find(self, prefix: str, *, deleted: bool = False) -> Kept:
        """The one run whose id begins so.

        Args:
            deleted: one that is marked as deleted instead.

        Raises:
            UsageError: there is none, or there are several.
        """
        found = self.list(prefix, deleted=deleted)
        exact = [one for one in found if one.id == prefix] or found
        if len(exact) == 1:
            return exact[0]
        if exact:
            which = ", ".join(one.id for one in exact[:5])
            raise UsageError(f"several runs of {self.where} begin with {prefix}: {which}")
        hint = None
        if not deleted and self.list(prefix, deleted=True):
            hint = f"It was deleted there; `runs restore {prefix} --archive {self.name}` brings it back."
        place = "among the deleted runs of" if deleted else "in"
        raise UsageError(f"there is no run {prefix} {place} {self.where}", hint=hint)

    def has(self, run_id: str, digest: str) -> Kept | None:
        """The run, when it is there with a file of that content."""
        for one in self.list(run_id):
            if one.id == run_id and any(file.digest == digest for file in self.files(one)):
                return one
        return None

    def push(self, record: Mapping[str, Any], folder: Path, moved: Moved = lambda size: None) -> Pushed:
        """Puts a run there; what is there already is not sent.

        Args:
            record: of the run.
            folder: its files.
            moved: told how many bytes more have been sent.

        Raises:
            ArchiveError: the store can't be used, or a file has changed. The next push goes on.
        """
        run_id = str(record["id"])
        files = list(files_of(folder))
        there = set(self.store.names(f"runs/{run_id}/"))
        before = [name for place in (INDEX, DELETED) for name in self.store.names(f"{place}/{run_id}/")]
        told = {"format": FORMAT, "id": run_id, "files": [[f.path, f.size, f.digest, f.mode] for f in files]}
        manifest = json.dumps(told, sort_keys=True).encode("ascii")
        digest = hashlib.sha256(manifest).hexdigest()
        size = sum(file.size for file in files)
        done = Pushed(kept(record, digest, size, len(files), int(time.time())))
        wanted = {digest}
        for file in files:
            name = f"runs/{run_id}/{file.digest}"
            if file.digest not in wanted and (name not in there or self.store.size(name) != file.size):
                self.store.send(name, folder / file.path, moved)
                self._check_sent(name, file)
                done.sent.append(file.path)
                done.sent_bytes += file.size
            wanted.add(file.digest)
        name = f"runs/{run_id}/{digest}"
        if name not in there or self.store.size(name) != len(manifest):
            self.store.put(name, manifest)
        if any((one := parse(old)) and one.manifest == digest and old.startswith(INDEX) for old in before):
            return done
        self.store.put(done.kept.name(), b"")
        self.store.delete([old for old in before if old != done.kept.name()])
        self.store.delete([one for one in there if one.rpartition("/")[2] not in wanted])
        return done

    def _check_sent(self, name: str, file: File) -> None:
        if (size := self.store.size(name)) != file.size:
            raise ArchiveError(
                f"{self.where}: {file.path} arrived with {size} of {file.size} bytes",
                hint="Push the run again; when that does not help the store is broken.",
            )

    def files(self, run: Kept) -> Sequence[File]:
        """The files of a run.

        Raises:
            ArchiveError: the list is not there, or not what was written.
        """
        content = bytearray()
        for piece in self._verified(run, run.manifest, "its list of files"):
            content += piece
            if len(content) > _LARGEST_MANIFEST:
                raise self._corrupt(run, "its list of files", run.manifest)
        try:
            told = json.loads(content)
            if told["format"] != FORMAT:
                raise ArchiveError(
                    f"{self.where}: run {run.id} was pushed by another version (format {told['format']})",
                    hint="Update jupyter_remote here.",
                )
            files = [File(str(p), int(s), str(d), int(m) & 0o777) for p, s, d, m in told["files"]]
            for file in files:
                check_path(file.path)
            if told["id"] != run.id:
                raise ValueError
        except (ValueError, TypeError, KeyError, BadPath):
            raise self._corrupt(run, "its list of files", run.manifest) from None
        return files

    def pull(self, run: Kept, folder: Path, moved: Moved = lambda size: None) -> int:
        """Brings a run's files into a folder; those that are there already are not read again.

        Returns:
            How many files came.

        Raises:
            ArchiveError: an object is missing or not what was written; it is named. What came is whole.
            UsageError: a file of that name is there, and is another.
        """
        brought = 0
        for file in self.files(run):
            path = folder / file.path
            if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{path} leads elsewhere; pull into another folder with --output")
            if path.exists():
                if not path.is_file() or (path.stat().st_size, digest_of(path)) != (file.size, file.digest):
                    raise UsageError(f"{path} is there and differs; pull into another folder with --output")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name[:80]}.part")
            try:
                with part.open("wb") as stream:
                    for piece in self._verified(run, file.digest, file.path):
                        stream.write(piece)
                        moved(len(piece))
                part.chmod(file.mode or 0o600)
                part.replace(path)
            except OSError as error:
                raise ArchiveError(f"{path} can't be written here: {error.strerror}") from None
            finally:
                part.unlink(missing_ok=True)
            brought += 1
        return brought

    def delete(self, run: Kept) -> None:
        """Takes a run out of the list; :meth:`restore` brings it back."""
        self._move(run, INDEX, DELETED)

    def restore(self, run: Kept) -> None:
        """Brings a deleted run back into the list."""
        self._move(run, DELETED, INDEX)

    def purge(self, run: Kept) -> None:
        """Removes a deleted run for good."""
        prefix = f"runs/{run.id}/"
        self.store.delete(self.store.names(prefix))
        self.store.drop_unfinished(prefix)
        # Last: while it is there the purge can be done again.
        self.store.delete(list(self.store.names(f"{DELETED}/{run.id}/")))

    def _move(self, run: Kept, here: str, there: str) -> None:
        self.store.put(run.name(there), b"")
        self.store.delete(list(self.store.names(f"{here}/{run.id}/")))

    def _verified(self, run: Kept, digest: str, what: str) -> Iterator[bytes]:
        """An object's content; the last piece comes when all is what the name says."""
        hashed = hashlib.sha256()
        last = b""
        try:
            for piece in self.store.read(f"runs/{run.id}/{digest}"):
                if last:
                    yield last
                hashed.update(piece)
                last = piece
        except MissingObject:
            raise ArchiveError(
                f"{self.where}: of run {run.id}, {what} is missing (object runs/{run.id}/{digest})",
                hint=_AGAIN,
            ) from None
        if hashed.hexdigest() != digest:
            raise self._corrupt(run, what, digest)
        yield last

    def _corrupt(self, run: Kept, what: str, digest: str) -> ArchiveError:
        return ArchiveError(
            f"{self.where}: of run {run.id}, {what} is not what was archived (object runs/{run.id}/{digest})",
            hint=_AGAIN,
        )


_AGAIN = "Remove that object and push the run again, if its host still has it."


def files_of(folder: Path) -> Iterator[File]:
    """The files below a folder, in order; what begins with `.jupyter-remote` is ours and none of them."""
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".jupyter-remote")
        for name in sorted(names):
            path = Path(base) / name
            if path.is_file() and not path.is_symlink():
                facts = path.stat()
                relative = path.relative_to(folder).as_posix()
                yield File(relative, facts.st_size, digest_of(path), facts.st_mode & 0o777)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_run_id(run_id: str) -> str:
    """A whole id, or the beginning of one.

    Raises:
        UsageError: it is none: it becomes a name in the store.
    """
    if not RUN_ID.fullmatch(run_id) and not all(ch in "0123456789abcdef-" for ch in run_id):
        raise UsageError(f"{run_id!r} is not the id of a run, nor the beginning of one")
    return run_id
