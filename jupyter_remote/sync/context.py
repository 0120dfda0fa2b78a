"""The part of a workspace that one git repository (or none) is in charge of, and its ignore rules.

What is done with a rule's answer, and what the configuration adds to it, is said in `rules.py`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace

from ..errors import SyncError
from . import worktree
from .folder import Mark, source_mark
from .gitignore import Rule, Rules, parse
from .worktree import WorkTree

Sources = dict[str, Mark | None]


@dataclass(frozen=True)
class RuleFile:
    """Rules, and how they call a path of the workspace: `prefix` + all but the first `strip` bytes."""

    rules: Rules
    strip: int = 0
    prefix: bytes = b""


@dataclass(frozen=True)
class Context:
    """One work tree (or none) that a part of the workspace is in.

    Args:
        base: its folder, relative to the workspace.
        listed: git's own list of paths, relative to the workspace; None outside a work tree.
        rule_files: the stronger one last.
        folds_case: whether patterns match without regard to case.
    """

    base: str
    listed: set[str] | None
    rule_files: tuple[RuleFile, ...] = ()
    folds_case: bool = False

    def ignoring(self, path: bytes, is_folder: bool) -> Rule | None:
        """The rule that ignores a path of the workspace whose parents are not ignored.

        Args:
            is_folder: some rules are for those only.
        """
        for file in reversed(self.rule_files):
            rule = file.rules.deciding(file.prefix + path[file.strip :], is_folder)
            if rule is not None:
                return None if rule.negated else rule
        return None


def enter(root: str, base: str, sources: Sources) -> Context | None:
    """The context of the work tree that a folder is in; None when there is none, or it ignores the workspace.

    Args:
        root: absolute path of the workspace.
        base: the folder, relative to it; other than "" only for a repository's own top folder.
        sources: filled with the files that the answer depends on.

    Raises:
        GitMissing: there is no git to ask.
        SyncError: git failed.
    """
    folder = os.path.join(root, base) if base else root
    tree = worktree.find(folder)
    if tree is None or (base and tree.prefix):
        return None
    for path in (tree.index, *tree.config_files):
        _depend_on(path, sources)
    prefix = os.fsencode(tree.prefix) + b"/" if tree.prefix else b""
    rule_files = [
        RuleFile(_read(path, path, tree.folds_case, sources), _strip(base), prefix)
        for path in tree.exclude_files
    ]
    upper = tree.prefix.split("/") if tree.prefix else []
    for depth in range(len(upper)):
        above = os.path.normpath(os.path.join(folder, *[".."] * (len(upper) - depth), ".gitignore"))
        below = os.fsencode("/".join(upper[depth:]) + "/")
        rule_files.append(RuleFile(_read(above, above, tree.folds_case, sources), 0, below))
    if _ignores_all(prefix, rule_files):
        return None
    return Context(base, _listed(tree, base), tuple(rule_files), tree.folds_case)


def with_rules(root: str, context: Context, folder: str, sources: Sources) -> Context:
    """The context as it is in a folder that has a `.gitignore`."""
    name = f"{folder}/.gitignore" if folder else ".gitignore"
    rules = _read(os.path.join(root, name), name, context.folds_case, sources)
    return replace(context, rule_files=(*context.rule_files, RuleFile(rules, _strip(folder))))


def _listed(tree: WorkTree, base: str) -> set[str]:
    return {f"{base}/{path}" for path in tree.files()} if base else tree.files()


def _ignores_all(prefix: bytes, rule_files: list[RuleFile]) -> bool:
    """Whether the repository around the workspace ignores it (dotfiles kept in a home folder do)."""
    for end in (at for at, byte in enumerate(prefix) if byte == ord("/")):
        for file in reversed(rule_files):
            path = prefix[len(prefix) - len(file.prefix) : end]
            rule = file.rules.deciding(path, True) if path else None
            if rule is not None and not rule.negated:
                return True
            if rule is not None:
                break
    return False


def _read(path: str, name: str, folds_case: bool, sources: Sources) -> Rules:
    _depend_on(path, sources)
    try:
        # Git doesn't follow a link here, and a fifo would make us wait.
        if name.endswith(".gitignore") and not stat.S_ISREG(os.lstat(path).st_mode):
            return Rules()
        with open(path, "rb") as file:
            return parse(file.read(), name, folds_case=folds_case)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return Rules()
    except OSError as error:
        raise SyncError(f"the rules in {name} can't be read: {error.strerror}") from error


def _depend_on(path: str, sources: Sources) -> None:
    # Before the file is read, so that a change in between is noticed.
    sources.setdefault(path, source_mark(path))


def _strip(folder: str) -> int:
    return len(os.fsencode(folder)) + 1 if folder else 0
