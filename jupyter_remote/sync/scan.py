"""The state of a workspace, cheap to ask for again and again.

A `Scanner` remembers the list of files, and what the list depends on: the folders and the rule files. As
long as these have not changed, a file costs one `lstat`. Which files belong to a workspace is said in
`rules.py`, what one of them holds in `content.py`; what has to be sent is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from ..agent.entry import FILE, LINK, Entry, Manifest
from ..errors import SyncError
from . import remembered, worktree
from .content import Found, Unsendable, Vanished, check_link, file_entry, folder_entry, read
from .folder import Mark, folder_mark, list_folder, source_mark
from .rules import Listing, Skipped, list_files

MAX_FILE_SIZE = 200_000_000
_NAMED_PROBLEMS = 10
_WORTH_A_THREAD = 1 << 20
# What opening a file, and a row of the index on disk, cost: in bytes that could be read in that time.
_FILE_COST = 16 << 10
_ROW_COST = 1 << 10
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Scan:
    """A workspace at one moment. The same object comes again as long as nothing changes.

    Args:
        manifest: everything to be synced.
        skipped: everything else, with the rule that left it out.
        problems: what belongs to the workspace and can't be sent, one sentence each.
        notes: sentences for the user about what could not be taken into account.
    """

    manifest: Manifest
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Scanner:
    """Keeps watch over one workspace. Safe to share between threads.

    Args:
        root: the workspace.
        include, exclude: patterns of the configuration, in the language of gitignore.
        max_file_size: bytes; larger files are left out and named.
        index: the file that keeps the digests for the next process; None for no such file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        max_file_size: int = MAX_FILE_SIZE,
        index: Path | None = None,
    ) -> None:
        self._root = str(Path(root).resolve())
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self._max_file_size = max_file_size
        self._index = index
        # What was read and is in no index yet, in bytes.
        self._unsaved = 0
        self._lock = Lock()
        self._listing: Listing | None = None
        # By absolute path, because that is what the hot loop needs. None: to be read in any case.
        self._marks: dict[str, Mark | None] = {}
        self._found: dict[str, Found] = {}
        self._last: Scan | None = None
        self._outdated = True

    def scan(self, *, strict: bool = True) -> Scan:
        """Looks at the workspace.

        Args:
            strict: raise when something can't be sent; otherwise `problems` names it.

        Raises:
            SyncError: an unreadable file or folder, a link that leads out, a failing git: by name.
        """
        with self._lock:
            scan = self._scan()
        if strict and scan.problems:
            named = [*scan.problems[:_NAMED_PROBLEMS]]
            if len(scan.problems) > len(named):
                named.append(f"and {len(scan.problems) - len(named)} more")
            raise SyncError(
                f"the workspace {self._root} can't be synced: " + "; ".join(named),
                hint="Put it right, or add the path to `exclude:`.",
            )
        return scan

    def open(self, path: str) -> BinaryIO:
        """Opens a file of the workspace for reading, unbuffered: what `pack` asks for."""
        return open(os.path.join(self._root, path), "rb", buffering=0)

    def _scan(self) -> Scan:
        listing = self._listing
        if listing is None or not self._still_right(listing):
            self._listing, self._outdated = None, True
            listing = list_files(self._root, self._include, self._exclude)
            if self._last is None and self._index is not None:
                self._recall(self._index)
            self._marks = {self._full(path): None for path in listing.files}
            self._found = {path: self._found[path] for path in listing.files if path in self._found}
            self._marks.update((self._full(path), found.mark) for path, found in self._found.items())
            self._listing = listing
        stale = self._stale()
        if stale or self._outdated or self._last is None:
            base = None if self._outdated else self._last
            self._outdated = True
            scan = self._read(listing, stale, base)
            # What was looked at only because it was too fresh may well be the same.
            self._last = self._last if scan == self._last else scan
            self._outdated = False
            # Written when reading it all again would take longer than writing, so that a small edit in a
            # large workspace doesn't cost a large file.
            self._unsaved += sum(_FILE_COST + size for size in stale.values() if size <= self._max_file_size)
            if self._index is not None and self._unsaved > max(_READ_AT_ONCE, _ROW_COST * len(self._found)):
                self._keep(self._index)
        return self._last

    def _recall(self, index: Path) -> None:
        """What a process before this one has read; each file is compared with its mark, as ever."""
        self._found = {
            path: Found(mark, file_entry(mark[4], mark[2], digest))
            for path, mark, digest in remembered.load(index, self._root)
            if mark[2] <= self._max_file_size
        }

    def _keep(self, index: Path) -> None:
        rows = [
            (path, mark, what.digest)
            for path, (mark, what) in self._found.items()
            if mark and isinstance(what, Entry) and what.kind == FILE
        ]
        remembered.save(index, self._root, rows)
        self._unsaved = 0

    def _stale(self) -> dict[str, int]:
        """The files that are not as they were, with their sizes; the loop that every cell pays for."""
        lstat = os.lstat
        stale = {}
        for full, mark in self._marks.items():
            try:
                status = lstat(full)
            except OSError:
                if mark != ():
                    stale[full] = 0
                continue
            if mark != (
                status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode
            ):  # fmt: skip
                stale[full] = status.st_size
        start = len(self._root) + 1
        return {full[start:]: size for full, size in stale.items()}

    def _still_right(self, listing: Listing) -> bool:
        """Whether listing again would give the same list."""
        if listing.git_folder != worktree.enclosing(self._root):
            return False
        if any(mark is None or source_mark(path) != mark for path, mark in listing.sources.items()):
            return False
        for path, folder in listing.watched.items():
            full = os.path.join(self._root, path)
            try:
                if folder.mark is not None and folder_mark(os.lstat(full)) == folder.mark:
                    continue
                # Editors that save by renaming touch the folder and leave its names as they were.
                now = list_folder(full)
            except OSError:
                return False
            if now.names != folder.names:
                return False
            if now.mode != folder.mode:
                self._outdated = True
            listing.watched[path] = now
        return True

    def _read(self, listing: Listing, stale: dict[str, int], base: Scan | None) -> Scan:
        problems: list[str] = []
        for path, outcome in self._read_all(stale):
            self._found.pop(path, None)
            self._marks[self._full(path)] = None
            if isinstance(outcome, Found):
                self._found[path] = outcome
                self._marks[self._full(path)] = outcome.mark
            elif isinstance(outcome, Vanished):
                self._marks[self._full(path)] = ()
            else:
                problems.append(str(outcome))
        if base is not None and not (problems or base.problems):
            changed = self._only_files(base.manifest, stale)
            if changed is not None:
                return replace(base, manifest={**base.manifest, **changed})
        entries: dict[str, Entry] = {}
        skipped = list(listing.skipped)
        for folder in listing.folders & listing.watched.keys():
            entries[folder] = folder_entry(listing.watched[folder].mode)
        for path in listing.files:
            what = self._found[path].what if path in self._found else None
            if isinstance(what, Entry):
                try:
                    entries[path] = check_link(self._root, path, what.target) if what.kind == LINK else what
                except Unsendable as problem:
                    problems.append(str(problem))
            elif what is not None:
                skipped.append(what)
        manifest = {path: entries[path] for path in sorted(entries)}
        return Scan(manifest, tuple(skipped), tuple(problems), tuple(listing.notes))

    def _only_files(self, before: Manifest, stale: Iterable[str]) -> Manifest | None:
        """The new entries when files that are still files are all that changed, which no other path feels."""
        changed: Manifest = {}
        for path in stale:
            was, found = before.get(path), self._found.get(path)
            if was is None or was.kind != FILE or found is None:
                return None
            if not isinstance(found.what, Entry) or found.what.kind != FILE:
                return None
            changed[path] = found.what
        return changed

    def _read_all(self, sizes: dict[str, int]) -> Iterator[tuple[str, Found | Vanished | Unsendable]]:
        large = [path for path, size in sizes.items() if size >= _WORTH_A_THREAD]
        if len(large) < 2:
            large = []
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            # Hashing lets other threads run; for a small file the hand-over costs more than it saves.
            outcomes = pool.map(self._read_one, large)
            for path in sizes.keys() - set(large):
                yield path, self._read_one(path)
            yield from zip(large, outcomes, strict=True)

    def _read_one(self, path: str) -> Found | Vanished | Unsendable:
        try:
            return read(self._root, path, self._max_file_size)
        except (Vanished, Unsendable) as outcome:
            return outcome

    def _full(self, path: str) -> str:
        return f"{self._root}{os.sep}{path}"
