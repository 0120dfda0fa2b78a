"""Which files of a workspace are synced, and for every other one, the rule that left it out.

In a git work tree the list is git's own; elsewhere the same rules are applied here. Then the `exclude` and
`include` of the configuration, `include` being the stronger, and the built-in excludes last. What the files
hold is not looked at: that is `scan.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import SyncError
from . import worktree
from .context import Context, enter, with_rules
from .folder import Folder, Mark, list_folder
from .gitignore import Rule, Rules, parse_patterns

BUILT_IN = (
    ".git",
    ".venv",
    "__pycache__/",
    ".ipynb_checkpoints/",
    "node_modules",
    "*.ipynb",
    ".jupyter-remote",
)


@dataclass(frozen=True)
class Skipped:
    """Something that stays here.

    Args:
        path: relative to the workspace; a folder, which takes all its content with it, ends in a slash.
        rule: the pattern, or the reason.
        source: the file and line it stands in, `exclude`, or `built-in`.
    """

    path: str
    rule: str
    source: str


@dataclass
class Listing:
    """The files to sync, and what has to stay as it is for the list to stay right.

    Args:
        files: paths, relative to the workspace: files, links, and what is neither.
        folders: the folders to sync, empty ones too.
        skipped: what is not in the list, and why.
        watched: every folder that the answer was found in, "" for the workspace itself.
        sources: absolute path of every file that the answer depends on, with its mark.
        git_folder: the nearest folder with a `.git`.
        notes: sentences for the user about what could not be taken into account.
    """

    files: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    skipped: list[Skipped] = field(default_factory=list)
    watched: dict[str, Folder] = field(default_factory=dict)
    sources: dict[str, Mark | None] = field(default_factory=dict)
    git_folder: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Task:
    """A folder still to be walked, and what was already decided about everything in it."""

    path: str
    context: Context
    ignored: Rule | None = None
    excluded: Rule | None = None
    included: bool = False


def list_files(root: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Listing:
    """The files of a workspace.

    Args:
        root: absolute path of the workspace.
        include, exclude: patterns of the configuration, in the language of gitignore.

    Raises:
        SyncError: a folder can't be read, or git failed.
    """
    return _Walk(root, include, exclude).run()


class _Walk:
    def __init__(self, root: str, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._root = root
        self._built_in = parse_patterns(BUILT_IN, "built-in")
        self._include = parse_patterns(include, "include")
        self._exclude = parse_patterns(exclude, "exclude")
        self._listing = Listing()
        self._tasks: list[_Task] = []
        self._contexts: list[Context] = []

    def run(self) -> Listing:
        listing = self._listing
        listing.git_folder = worktree.enclosing(self._root)
        context = self._enter("") if listing.git_folder is not None else None
        self._tasks.append(_Task("", context or Context("", None)))
        self._walk_all()
        # Git lists tracked files in ignored folders too, where the walk did not go.
        for context in self._contexts:
            seen = {*listing.files, *(skipped.path for skipped in listing.skipped)}
            for path in sorted((context.listed or set()) - seen):
                self._add_listed(path, context)
        self._walk_all()
        listing.folders.update(_parents(listing.files))
        listing.files.sort()
        return listing

    def _walk_all(self) -> None:
        while self._tasks:
            self._walk(self._tasks.pop())

    def _walk(self, task: _Task) -> None:
        folder = self._watch(task.path)
        if folder is None:
            return
        context = task.context
        if ".git" in folder.names and task.path and context.base != task.path:
            context = self._enter(task.path) or context
        if folder.names.get(".gitignore") is False:
            context = with_rules(self._root, context, task.path, self._listing.sources)
        prefix = f"{task.path}/" if task.path else ""
        for name in sorted(folder.names):
            if folder.names[name]:
                self._decide_folder(prefix + name, task, context)
            else:
                self._decide_file(prefix + name, task, context)

    def _decide_folder(self, path: str, task: _Task, context: Context) -> None:
        raw = os.fsencode(path)
        built_in = self._built_in.deciding(raw, True)
        if built_in is not None:
            self._skip(path + "/", built_in)
            return
        included = task.included or _chosen(self._include, raw, True) is not None
        excluded = task.excluded or _chosen(self._exclude, raw, True)
        ignored = task.ignored or context.ignoring(raw, True)
        reason = None if included else excluded or ignored
        if reason is None:
            self._listing.folders.add(path)
        elif not any(not rule.negated and rule.could_match_below(raw) for rule in self._include):
            self._skip(path + "/", reason)
            return
        self._tasks.append(_Task(path, context, ignored, excluded, included))

    def _decide_file(self, path: str, task: _Task, context: Context) -> None:
        raw = os.fsencode(path)
        reason = self._built_in.deciding(raw, False)
        if reason is None:
            if task.included or (self._include and _chosen(self._include, raw, False) is not None):
                self._listing.files.append(path)
                return
            reason = task.excluded or (_chosen(self._exclude, raw, False) if self._exclude else None)
        if reason is None:
            if context.listed is not None and path in context.listed:
                self._listing.files.append(path)
                return
            reason = task.ignored or context.ignoring(raw, False)
        if reason is not None:
            self._skip(path, reason)
        elif context.listed is None:
            self._listing.files.append(path)
        else:
            self._listing.skipped.append(Skipped(path, "not in the list of `git ls-files`", "git"))

    def _add_listed(self, path: str, context: Context) -> None:
        """A path of git's list that the walk did not meet: in an ignored folder, behind a link, or gone."""
        if self._left_out(path):
            return
        parents = sorted(_parents([path]))
        for parent in parents:
            if self._watch(parent) is None:
                return
        parent, _, name = path.rstrip("/").rpartition("/")
        is_folder = self._listing.watched[parent].names.get(name)
        if is_folder is False:
            self._listing.files.append(path)
        elif is_folder and path not in self._listing.watched and not path.endswith("/"):
            submodule = self._watch(path)
            if submodule is not None and ".git" in submodule.names:
                self._listing.folders.add(path)
                self._tasks.append(_Task(path, context))

    def _left_out(self, path: str) -> bool:
        folders = [os.fsencode(parent) for parent in _parents([path])]
        raw = os.fsencode(path)
        if any(self._built_in.deciding(f, True) for f in folders) or self._built_in.deciding(raw, False):
            return True
        return bool(
            any(_chosen(self._exclude, f, True) for f in folders) or _chosen(self._exclude, raw, False)
        ) and not (
            any(_chosen(self._include, f, True) for f in folders) or _chosen(self._include, raw, False)
        )

    def _skip(self, path: str, rule: Rule) -> None:
        self._listing.skipped.append(Skipped(path, rule.text, rule.source))

    def _enter(self, base: str) -> Context | None:
        try:
            context = enter(self._root, base, self._listing.sources)
        except worktree.GitMissing:
            self._listing.notes.append(
                "git is not installed: files that it tracks although they are ignored are left out"
            )
            return None
        if context is not None:
            self._contexts.append(context)
        return context

    def _watch(self, path: str) -> Folder | None:
        """The folder's content, which belongs to what the answer depends on from now on."""
        known = self._listing.watched.get(path)
        if known is not None:
            return known
        try:
            folder = list_folder(os.path.join(self._root, path), is_root=not path)
        except (FileNotFoundError, NotADirectoryError):
            if path:
                return None
            raise SyncError(
                f"the workspace {self._root} is not a folder",
                hint="Check the path, or the folder you are in.",
            ) from None
        except OSError as error:
            raise SyncError(
                f"the folder {path or self._root!r} can't be read: {error.strerror}",
                hint="Change its permissions, or add it to `exclude:`.",
            ) from error
        self._listing.watched[path] = folder
        return folder


def _chosen(rules: Rules, path: bytes, is_folder: bool) -> Rule | None:
    rule = rules.deciding(path, is_folder)
    return None if rule is None or rule.negated else rule


def _parents(paths: Iterable[str]) -> set[str]:
    parents: set[str] = set()
    for path in paths:
        while (path := path.rstrip("/").rpartition("/")[0]) and path not in parents:
            parents.add(path)
    return parents
