"""The state of a workspace, cheap to ask for again and again.

A `Scanner` remembers the list of files, and what the list depends on: the folders and the rule files. As
long as these have not changed, a file costs one `lstat`, and none where a watcher tells what changed
(`watch.py`). Which files belong to a workspace is said in `rules.py`, what is known of them in `known.py`,
what one of them holds in `content.py`; what has to be sent is not known here.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from weakref import WeakValueDictionary

from ..agent.collecting import uncollected
from ..agent.entry import FILE, LINK, Entry, Manifest
from ..errors import SyncError
from . import worktree
from .content import Found, Unsendable, Vanished, check_link, folder_entry, read
from .folder import folder_mark, list_folder, source_mark
from .known import Known
from .lookout import Look, Lookout
from .rules import Listing, Skipped, list_files
from .watch import Changes

MAX_FILE_SIZE = 200_000_000
_NAMED_PROBLEMS = 10
_WORTH_A_THREAD = 1 << 20


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


_scanners: WeakValueDictionary[tuple[object, ...], Scanner] = WeakValueDictionary()
_choosing = Lock()


def scanner_of(
    root: Path, include: Sequence[str], exclude: Sequence[str], max_file_size: int, index: Path | None
) -> Scanner:
    """The scanner of a workspace, one for all hosts with the same rules.

    Args:
        root, include, exclude, index: as of :class:`Scanner`.
        max_file_size: in bytes, as there.
    """
    key = str(root), tuple(include), tuple(exclude), max_file_size, index
    with _choosing:
        scanner = _scanners.get(key)
        if scanner is None:
            scanner = _scanners[key] = Scanner(root, include, exclude, max_file_size, index)
        return scanner


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
        self._lock = Lock()
        self._listing: Listing | None = None
        self._known = Known(self._root, max_file_size, index)
        self._lookout = Lookout(self._root)
        # Folders that the last look found with other names in them.
        self._surprises: set[str] = set()
        self._last: Scan | None = None
        self._outdated = True
        # The lookout's note that the last scan has.
        self._noted: str | None = None
        self._began = -math.inf
        self._thorough = False

    def scan(self, *, strict: bool = True, thorough: bool = False, since: float = math.inf) -> Scan:
        """Looks at the workspace.

        Args:
            strict: raise when something can't be sent; otherwise `problems` names it.
            thorough: look at every file, also where a watcher says that nothing changed.
            since: what another thread has seen in a look that began later, by `time.monotonic`, will do.

        Raises:
            SyncError: an unreadable file or folder, a link that leads out, a failing git: by name.
        """
        with self._lock:
            if self._last is None or self._began < since or (thorough and not self._thorough):
                began = time.monotonic()
                with uncollected():
                    scan = self._scan(thorough)
                self._began, self._thorough = began, thorough
            else:
                scan = self._last
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

    def _scan(self, thorough: bool) -> Scan:
        listing = self._listing
        files, folders = (0, ()) if listing is None else (len(listing.files), listing.watched.keys())
        look = self._lookout.begin(files, folders, thorough=thorough)
        try:
            return self._look(listing, look)
        except BaseException:
            # What was named has not been looked at, or not been read.
            self._lookout.lose()
            raise

    def _look(self, listing: Listing | None, look: Look) -> Scan:
        expected = None
        if listing is not None and look.everything and look.changes is not None:
            changes = look.changes
            expected = {*self._touched(listing, changes), *changes.paths, *changes.folders}
        self._surprises = set()
        if listing is None or not self._still_right(listing, look.narrow):
            listing = self._list()
        stale = self._known.stale(None if look.narrow is None else self._touched(listing, look.narrow))
        if expected is not None:
            found = stale.keys() - self._known.unsettled | self._surprises
            self._lookout.confirm(found - expected)
        self._outdated = self._outdated or self._noted != self._lookout.note
        if stale or self._outdated or self._last is None:
            base = None if self._outdated else self._last
            self._outdated = True
            scan = self._read(listing, stale, base)
            # What was looked at only because it was too fresh may well be the same.
            self._last = self._last if scan == self._last else scan
            self._outdated, self._noted = False, self._lookout.note
            self._known.keep(stale.values())
        return self._last

    def _list(self) -> Listing:
        self._listing, self._outdated = None, True
        with ThreadPoolExecutor(1) as pool:
            # While git makes its list.
            recalled = pool.submit(self._known.recall) if self._last is None else None
            listing = list_files(self._root, self._include, self._exclude)
        if recalled is not None:
            recalled.result()
        self._known.only(listing.files)
        self._lookout.follow(listing.watched)
        self._listing = listing
        return listing

    def _touched(self, listing: Listing, changes: Changes) -> Iterator[str]:
        """The paths to be looked at, files or not."""
        yield from changes.paths
        yield from self._known.linked
        for path in changes.folders & listing.watched.keys():
            for name in listing.watched[path].names:
                yield f"{path}/{name}" if path else name

    def _still_right(self, listing: Listing, changes: Changes | None) -> bool:
        """Whether listing again would give the same list."""
        if listing.git_folder != worktree.enclosing(self._root):
            return False
        if any(mark is None or source_mark(path) != mark for path, mark in listing.sources.items()):
            return False
        folders: Iterable[str] = listing.watched
        if changes is not None:
            folders = {"", *((changes.paths | changes.folders) & listing.watched.keys())}
        for path in [*folders]:
            folder = listing.watched[path]
            full = os.path.join(self._root, path)
            try:
                if folder.mark is not None and folder_mark(os.lstat(full)) == folder.mark:
                    continue
                # Editors that save by renaming touch the folder and leave its names as they were.
                now = list_folder(full)
            except OSError:
                self._surprises.add(path)
                return False
            if now.names != folder.names:
                self._surprises.add(path)
                return False
            if now.mode != folder.mode:
                self._outdated = True
            listing.watched[path] = now
        return True

    def _read(self, listing: Listing, stale: dict[str, int], base: Scan | None) -> Scan:
        problems: list[str] = []
        for path, outcome in self._read_all(stale):
            if isinstance(outcome, Vanished):
                self._known.put_vanished(path)
                continue
            self._known.put(path, outcome if isinstance(outcome, Found) else None)
            if isinstance(outcome, Unsendable):
                problems.append(str(outcome))
        if base is not None and not (problems or base.problems):
            changed = self._only_files(base.manifest, stale)
            if changed is not None:
                return replace(base, manifest={**base.manifest, **changed})
        manifest: Manifest = {}
        skipped = list(listing.skipped)
        folders = listing.folders & listing.watched.keys()
        # Two sorted rows, which is next to no work.
        for path in sorted((*listing.files, *sorted(folders))):
            what = self._known.get(path)
            if isinstance(what, Entry):
                try:
                    manifest[path] = check_link(self._root, path, what.target) if what.kind == LINK else what
                except Unsendable as problem:
                    problems.append(str(problem))
            elif what is not None:
                skipped.append(what)
            elif path in folders:
                manifest[path] = folder_entry(listing.watched[path].mode)
        notes = (*listing.notes, *([self._lookout.note] if self._lookout.note else []))
        return Scan(manifest, tuple(skipped), tuple(problems), notes)

    def _only_files(self, before: Manifest, stale: Iterable[str]) -> Manifest | None:
        """The new entries when files that are still files are all that changed, which no other path feels."""
        changed: Manifest = {}
        for path in stale:
            was, what = before.get(path), self._known.get(path)
            if was is None or was.kind != FILE or not isinstance(what, Entry) or what.kind != FILE:
                return None
            changed[path] = what
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
