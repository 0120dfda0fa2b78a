"""What has to be done so that a mirror holds the workspace: a pure function of both sides.

Nothing is read, sent or asked here. What is there is what *we* put there and what became of it; files that
the host made by itself are nobody's business but its own.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..agent.entry import DIR, Entry, Manifest
from ..agent.mirror_index import CHANGED, MISSING, SAME
from ..agent.pack import CHMOD, DELETE, PUT, Change
from ..errors import SyncError

Inventory = dict[str, tuple[Entry, str, str]]


class Brought(NamedTuple):
    """A path that a pull brought here.

    Args:
        is_edited: a file that holds something else now.
        state: what became of the host's side since: `same`, `changed` or `missing`.
    """

    is_edited: bool
    state: str


NOTHING_BROUGHT: Mapping[str, Brought] = {}


@dataclass(frozen=True)
class Plan:
    """The steps, and what a user would want to know about them.

    Args:
        changes: the change set, for `pack`.
        deletes: paths that it deletes.
        conflicts: paths that it replaces although the host's side, or another workspace, changed them;
            their content is kept aside there.
        host_changed: paths that only the host changed, or that we would delete had the host not changed
            them: left alone.
        unchanged: how many paths need nothing.
        bytes: of content to be sent, uncompressed.
        pulled: files and links that a pull brought and nobody changed since: the host's own, left alone.
        yielding: files that a pull brought and that were changed here only: the host's give way to them.
    """

    changes: list[Change]
    deletes: list[str]
    conflicts: list[str]
    host_changed: list[str]
    unchanged: int
    bytes: int
    pulled: list[str] = field(default_factory=list)
    yielding: list[str] = field(default_factory=list)


def plan(
    local: Manifest,
    remote: Inventory,
    owner: str,
    held: Collection[str] = (),
    brought: Mapping[str, Brought] = NOTHING_BROUGHT,
) -> Plan:
    """Compares a workspace with its mirror.

    Args:
        local: the workspace.
        remote: path -> (what was put there, by whom, `same` | `changed` | `missing`).
        owner: id of this workspace.
        held: paths that are here and are not synced (folders end in a slash): not deleted there either.
        brought: what a pull brought here from this mirror.
    """
    changes: list[Change] = []
    deletes: list[str] = []
    conflicts: set[str] = set()
    host_changed: list[str] = []
    unchanged = 0
    pulled: list[str] = []
    yielding: list[str] = []
    there = remote.get
    nothing: tuple[Entry | None, str, str] = (None, owner, MISSING)
    for path, entry in local.items():
        known, put_by, state = there(path, nothing)
        # Mostly it is the very same object: a large workspace is gone through for each file that changes.
        if known is entry or known == entry:
            if state == SAME:
                unchanged += 1
                continue
            if state == CHANGED:
                host_changed.append(path)
                continue
        if _is_theirs(brought.get(path)) and not (put_by == owner and state == SAME):
            if brought[path].state == CHANGED:
                host_changed.append(path)
            elif entry.kind != DIR:
                pulled.append(path)
        elif known is not None and state == SAME and put_by == owner and _differ_by_mode(known, entry):
            changes.append(Change(CHMOD, path, entry))
        else:
            changes.append(Change(PUT, path, entry))
            if brought.get(path) == (True, SAME) and put_by == owner:
                yielding.append(path)
                continue
            # A folder is never in the way of a folder: it takes the new mode and keeps its content.
            in_the_way = known is not None and (known.kind != DIR or entry.kind != DIR)
            if in_the_way and (state == CHANGED or (state == SAME and put_by != owner)):
                conflicts.add(path)
    for path in [path for path in remote if path not in local]:
        _, put_by, state = remote[path]
        if put_by != owner or _is_held(path, held):
            continue
        if state == CHANGED:
            host_changed.append(path)
            conflicts.update(_in_the_way(path, local))
            continue
        changes.append(Change(DELETE, path))
        if state == SAME:
            deletes.append(path)
    size = sum(change.entry.size for change in changes if change.op == PUT and change.entry is not None)
    return Plan(
        changes, sorted(deletes), sorted(conflicts), sorted(host_changed), unchanged, size, pulled, yielding
    )


def same_names(paths: Iterable[str], *, folds_case: bool) -> list[list[str]]:
    """Groups of paths that would be one and the same file on the host.

    Args:
        paths: of a manifest.
        folds_case: the host's file system takes `A` and `a`, and the two ways to write `é`, for one name.
    """
    if not folds_case:
        return []
    groups = defaultdict(list)
    for path in paths:
        groups[unicodedata.normalize("NFC", path).casefold()].append(path)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def check_names(local: Manifest, host: str, *, folds_case: bool) -> None:
    """Refuses a workspace that the host's file system can't hold.

    Args:
        folds_case: two names that differ in case only are one there.

    Raises:
        SyncError: two paths would be one file there; they are named.
    """
    groups = same_names(local, folds_case=folds_case)
    if groups:
        named = "; ".join(" and ".join(map(repr, group)) for group in groups[:10])
        raise SyncError(
            f"{host} takes these for the same name: {named}",
            host=host,
            hint="Rename one of each, or add it to `exclude:`.",
        )


def _is_theirs(brought: Brought | None) -> bool:
    """Whether it came from there as it is here, so that there is nothing to say about it."""
    return brought is not None and not brought.is_edited and brought.state != MISSING


def _differ_by_mode(known: Entry, entry: Entry) -> bool:
    return known._replace(mode=entry.mode) == entry


def _parents(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _is_held(path: str, held: Collection[str]) -> bool:
    return bool(held) and (path in held or any(parent + "/" in held for parent in (path, *_parents(path))))


def _in_the_way(path: str, local: Manifest) -> Iterable[str]:
    """Where a file or link is to be put in place of a folder above this path."""
    return [parent for parent in _parents(path) if parent in local and local[parent].kind != DIR]
