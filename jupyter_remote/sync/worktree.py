"""What git itself says: where a work tree is, which files it would take, which files its answer depends on.

The only module that runs git. What follows from the answers is decided in `rules.py`.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SyncError

# A git hook or alias that started us may have set these; they would lead to its own repository.
_LOCAL_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
)
_OUTSIDE = ("not a git repository", "must be run in a work tree")


class GitMissing(Exception):
    """There is a `.git`, and no git to ask about it."""


@dataclass(frozen=True)
class WorkTree:
    """A git work tree, seen from a folder in it.

    Args:
        folder: absolute path of that folder.
        prefix: the folder as the work tree's top knows it, "" for the top itself.
        folds_case: `core.ignorecase`.
        index: absolute path of the index, which changes when a file becomes tracked.
        exclude_files: absolute paths of the rule files outside the tree, the weaker one first.
        config_files: absolute paths of what git reads its configuration from, existing or not.
    """

    folder: str
    prefix: str
    folds_case: bool
    index: str
    exclude_files: tuple[str, str]
    config_files: tuple[str, ...]

    def files(self) -> set[str]:
        """Git's own list below the folder: tracked, or untracked and not ignored.

        Tracked files may be gone from the disk. A submodule is listed by its folder; the folder of any
        other repository inside ends in a slash.

        Raises:
            SyncError: git failed.
        """
        listed = _git(self.folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return {path for path in os.fsdecode(listed).split("\0") if path}


def enclosing(folder: str) -> str | None:
    """The nearest folder, this one or one above, that has a `.git`; no git is needed to find it."""
    while True:
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def find(folder: str) -> WorkTree | None:
    """The work tree that a folder is in, None when it is in none.

    Raises:
        GitMissing: git is not installed.
        SyncError: git refuses to look at the repository, or the repository is broken.
    """
    try:
        where = _git(
            folder, "rev-parse", "--show-cdup", "--git-path", "index", "--git-path", "info/exclude",
            "--git-path", "config", "--is-inside-work-tree",
        )  # fmt: skip
    except SyncError as error:
        if any(text in str(error) for text in _OUTSIDE):
            return None
        raise
    lines = os.fsdecode(where).split("\n")
    if len(lines) != 6:
        raise SyncError(
            f"{folder}: the path of its git repository has a line break in it, which can't be synced"
        )
    up, index, exclude, config, inside, _ = lines
    if inside != "true":
        return None
    values, origins = _config(folder)
    return WorkTree(
        folder=folder,
        # Not --show-prefix: a folder's name may have a line break in it, a row of dots has none.
        prefix=os.path.relpath(folder, os.path.join(folder, up)).replace(os.sep, "/") if up else "",
        folds_case=values.get("core.ignorecase", "").lower() in ("true", "yes", "on", "1"),
        index=os.path.join(folder, index),
        exclude_files=(
            os.path.join(folder, os.path.expanduser(values.get("core.excludesfile", _user_file("ignore")))),
            os.path.join(folder, exclude),
        ),
        config_files=(
            os.path.join(folder, config),
            _user_file("config"),
            str(Path.home() / ".gitconfig"),
            *origins,
        ),
    )


def commit_state(folder: str, max_diff: int) -> tuple[dict[str, Any], bytes]:
    """How a folder differs from its commit: ``commit``, ``branch``, ``dirty``, ``untracked``; and the diff.

    Notebooks are left out: they change with every cell, and don't travel. A diff larger than ``max_diff``
    bytes is not kept, and ``diff_size`` says so.

    Raises:
        GitMissing: git is not installed.
        SyncError: git failed.
    """
    paths = ("--", ".", ":(exclude)*.ipynb", ":(exclude,glob)**/*.ipynb")
    try:
        commit = os.fsdecode(_git(folder, "rev-parse", "--verify", "-q", "HEAD")).strip()
    except SyncError:
        commit = ""  # nothing was ever committed
    status = _git(folder, "status", "--porcelain=v1", "-z", "--no-renames", "--branch", *paths)
    branch, *changes = os.fsdecode(status).split("\0")
    changes = [line for line in changes if line]
    untracked = sum(1 for line in changes if line.startswith("??"))
    state: dict[str, Any] = {
        "commit": commit or None,
        "branch": branch.removeprefix("## ").partition("...")[0],
        "dirty": bool(changes),
        "untracked": untracked,
    }
    if not commit or len(changes) == untracked:
        return state, b""
    diff = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", *paths)
    if len(diff) > max_diff:
        return dict(state, diff_size=len(diff)), b""
    return state, diff


def _user_file(name: str) -> str:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return os.path.join(home, "git", name)


def _config(folder: str) -> tuple[dict[str, str], list[str]]:
    """Every value in effect, and the files outside the repository that some came from."""
    values: dict[str, str] = {}
    origins: dict[str, None] = {}
    fields = os.fsdecode(_git(folder, "config", "--list", "-z", "--show-origin")).split("\0")
    for origin, setting in zip(fields[::2], fields[1::2], strict=False):
        # A key without a value is a switch that is on.
        key, _, value = setting.partition("\n")
        values[key] = value if "\n" in setting else "true"
        path = origin.removeprefix("file:")
        if os.path.isabs(path):
            origins[path] = None
    return values, list(origins)


def _git(folder: str, *args: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name not in _LOCAL_VARIABLES}
    environment.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0")
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", folder, *args],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise GitMissing from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SyncError(
            f"git can't list the files of {folder}: {said}", hint=f"Run `git -C {folder} status` by hand."
        )
    return done.stdout
