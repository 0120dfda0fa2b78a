"""Which files of a workspace are synced, and for every other one, the rule that left it out.

In a git work tree the list is git's own; elsewhere the same rules are applied here. Then the `exclude` and
`include` of the configuration, `include` being the stronger, and the built-in excludes last. What the files
hold is not looked at: that is `scan.py`.
"""

# ruff: noqa: PTH (a Path costs more than the look at the file it names)
from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import SyncError
from . import worktree
from .folder import Folder, Mark, list_folder, source_mark
from .gitignore import Rule, deciding, parse, parse_patterns
from .worktree import WorkTree

BUILT_IN = (
    ".git",
    ".venv",
    "__pycache__/",
    ".ipynb_checkpoints/",
    "node_modules",
    "*.ipynb",
    "/.jupyter-remote",
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
class _RuleFile:
    """Rules and where they apply: to `prefix` + the path without its first `strip` bytes."""

    rules: list[Rule]
    strip: int = 0
    prefix: bytes = b""

    def decides(self, path: bytes, is_folder: bool) -> Rule | None:
        return deciding(self.rules, self.prefix + path[self.strip :], is_folder)


@dataclass(frozen=True)
class _Context:
    """One work tree (or none) that a part of the workspace is in.

    Args:
        base: its folder, relative to the workspace.
        listed: git's own list of paths, relative to the workspace; None outside a work tree.
        rule_files: the stronger one last.
    """

    base: str
    listed: set[str] | None
    rule_files: tuple[_RuleFile, ...] = ()
    folds_case: bool = False

    def ignoring(self, path: bytes, is_folder: bool) -> Rule | None:
        for rules in reversed(self.rule_files):
            rule = rules.decides(path, is_folder)
            if rule is not None:
                return None if rule.negated else rule
        return None


@dataclass(frozen=True)
class _Task:
    """A folder still to be walked, and what was already decided about everything in it."""

    path: str
    context: _Context
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
        self._contexts: list[_Context] = []

    def run(self) -> Listing:
        listing = self._listing
        listing.git_folder = worktree.enclosing(self._root)
        context = self._enter("") if listing.git_folder is not None else None
        self._tasks.append(_Task("", context or _Context("", None)))
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
            context = self._with_rules(context, task.path)
        for name, is_folder in sorted(folder.names.items()):
            path = f"{task.path}/{name}" if task.path else name
            if is_folder:
                self._decide_folder(path, task, context)
            else:
                self._decide_file(path, task, context)

    def _decide_folder(self, path: str, task: _Task, context: _Context) -> None:
        raw = os.fsencode(path)
        built_in = deciding(self._built_in, raw, True)
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

    def _decide_file(self, path: str, task: _Task, context: _Context) -> None:
        raw = os.fsencode(path)
        reason = deciding(self._built_in, raw, False)
        if reason is None:
            if task.included or _chosen(self._include, raw, False) is not None:
                self._listing.files.append(path)
                return
            reason = task.excluded or _chosen(self._exclude, raw, False)
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

    def _add_listed(self, path: str, context: _Context) -> None:
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
        if any(deciding(self._built_in, f, True) for f in folders) or deciding(self._built_in, raw, False):
            return True
        return bool(
            any(_chosen(self._exclude, f, True) for f in folders) or _chosen(self._exclude, raw, False)
        ) and not (
            any(_chosen(self._include, f, True) for f in folders) or _chosen(self._include, raw, False)
        )

    def _skip(self, path: str, rule: Rule) -> None:
        self._listing.skipped.append(Skipped(path, rule.text, rule.source))

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

    # Rule files.

    def _enter(self, base: str) -> _Context | None:
        """The context of the work tree that a folder is in; None when there is none."""
        folder = os.path.join(self._root, base) if base else self._root
        try:
            tree = worktree.find(folder)
        except worktree.GitMissing:
            self._listing.notes.append(
                f"git is not installed: files of {folder} that it tracks and ignores are left out"
            )
            return None
        if tree is None or (base and tree.prefix):
            return None
        for path in (tree.index, *tree.config_files):
            self._depend_on(path)
        rule_files = [
            _RuleFile(self._read_rules(path, path, tree.folds_case), _strip(base), _prefix(tree))
            for path in tree.exclude_files
        ]
        upper = tree.prefix.split("/") if tree.prefix else []
        for depth in range(len(upper)):
            above = os.path.join(folder, *[".."] * (len(upper) - depth), ".gitignore")
            rules = self._read_rules(above, os.path.normpath(above), tree.folds_case)
            rule_files.append(_RuleFile(rules, 0, os.fsencode("/".join(upper[depth:]) + "/")))
        if self._is_ignored_whole(tree, rule_files):
            return None
        listed = {f"{base}/{path}" if base else path for path in tree.files()}
        context = _Context(base, listed, tuple(rule_files), tree.folds_case)
        self._contexts.append(context)
        return context

    def _is_ignored_whole(self, tree: WorkTree, rule_files: list[_RuleFile]) -> bool:
        """Whether the repository around the workspace ignores it (dotfiles kept in a home folder do)."""
        whole = _prefix(tree)
        for end in (at for at, byte in enumerate(whole) if byte == ord("/")):
            for rules in reversed(rule_files):
                path = whole[len(whole) - len(rules.prefix) : end]
                rule = deciding(rules.rules, path, True) if path else None
                if rule is not None and not rule.negated:
                    return True
                if rule is not None:
                    break
        return False

    def _with_rules(self, context: _Context, folder: str) -> _Context:
        path = os.path.join(self._root, folder, ".gitignore")
        name = f"{folder}/.gitignore" if folder else ".gitignore"
        rules = _RuleFile(self._read_rules(path, name, context.folds_case), _strip(folder))
        return _Context(context.base, context.listed, (*context.rule_files, rules), context.folds_case)

    def _read_rules(self, path: str, name: str, folds_case: bool) -> list[Rule]:
        self._depend_on(path)
        try:
            # Git doesn't follow a link here, and a fifo would make us wait.
            if name.endswith(".gitignore") and not stat.S_ISREG(os.lstat(path).st_mode):
                return []
            with open(path, "rb") as file:
                return parse(file.read(), name, folds_case=folds_case)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return []
        except OSError as error:
            raise SyncError(f"the rules in {name} can't be read: {error.strerror}") from error

    def _depend_on(self, path: str) -> None:
        # Before the file is read, so that a change in between is noticed.
        self._listing.sources.setdefault(path, source_mark(path))


def _chosen(rules: list[Rule], path: bytes, is_folder: bool) -> Rule | None:
    rule = deciding(rules, path, is_folder)
    return None if rule is None or rule.negated else rule


def _strip(folder: str) -> int:
    return len(os.fsencode(folder)) + 1 if folder else 0


def _prefix(tree: WorkTree) -> bytes:
    return os.fsencode(tree.prefix) + b"/" if tree.prefix else b""


def _parents(paths: Iterable[str]) -> set[str]:
    parents: set[str] = set()
    for path in paths:
        while (path := path.rstrip("/").rpartition("/")[0]) and path not in parents:
            parents.add(path)
    return parents
