"""The list of files is git's own in a work tree, and the same without one: compared with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from git_lists import assert_all_explained, git, git_files, is_ignored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_remote.sync.rules import list_files

pytestmark = pytest.mark.usefixtures("own_git_configuration")
# `make trees` compares 2,000 of each kind.
EXAMPLES = int(os.environ.get("RULES_TREES") or os.environ.get("HYPOTHESIS_EXAMPLES") or "60")

# Few names, so that patterns meet them; some that the pattern language has to quote.
NAMES = (
    "a",
    "b",
    "ab",
    "a.b",
    "B",
    "é",
    "a b",
    "a ",
    "[a]",
    "!a",
    "#a",
    "a\\b",
    "*",
    "-a",
    "a\nb",
    os.fsdecode(b"\xff"),
)
PIECES = (
    *"ab.*?/",
    "**",
    "**/",
    "/**",
    "[ab]",
    "[!a]",
    "[^a-b]",
    "[[:alpha:]]",
    "[]a]",
    "[a",
    "\\a",
    "\\*",
    "é",
    " ",
    "\\ ",
)
SPECIAL = (
    "*",
    "!*",
    "*/",
    "!*/",
    "/*",
    "!/a",
    "**",
    "**/a",
    "a/**",
    "!a/",
    "#a",
    "\\#a",
    "\\!a",
    "",
    "/",
    "//",
    "a\\",
    " ",
    "\r",
)

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
patterns = st.one_of(
    st.sampled_from(SPECIAL),
    st.tuples(
        st.sampled_from(("", "", "!")),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
        st.sampled_from(("", "", "/", " ", "\r")),
    ).map("".join),
)
rule_file = st.lists(patterns, max_size=5).map("\n".join)
trees = st.tuples(
    st.sets(paths, min_size=1, max_size=12),
    st.dictionaries(st.one_of(st.just(""), paths), rule_file, max_size=3),
)


def build(root: Path, files: set[str], rules: dict[str, str]) -> None:
    for path in sorted(files):
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
    for folder, text in rules.items():
        if (root / folder).is_dir():
            (root / folder / ".gitignore").write_bytes(text.encode())


quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quick
@given(tree=trees)
def test_outside_a_work_tree_the_list_is_gits(tree: tuple[set[str], dict[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        root, repository = Path(folder, "tree"), Path(folder, "repository")
        root.mkdir()
        build(root, *tree)
        subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
        beside = ("--git-dir", str(repository), "--work-tree", str(root), "-c", "core.bare=false")
        assert set(list_files(str(root)).files) == git_files(root, *beside)


@quick
@given(
    tree=trees,
    tracked=st.sets(st.integers(0, 11), max_size=4),
    removed=st.sets(st.integers(0, 11), max_size=2),
    info_exclude=rule_file,
    global_excludes=rule_file,
    below=st.booleans(),
)
def test_in_a_work_tree_the_list_is_gits(
    tree: tuple[set[str], dict[str, str]],
    tracked: set[int],
    removed: set[int],
    info_exclude: str,
    global_excludes: str,
    below: bool,
) -> None:
    with TemporaryDirectory() as folder:
        top, excludes = Path(folder, "tree"), Path(folder, "ignore")
        subprocess.run(["git", "init", "-q", top], check=True)
        excludes.write_bytes(global_excludes.encode())
        git(top, "config", "core.excludesFile", str(excludes))
        (top / ".git/info/exclude").write_bytes(info_exclude.encode())
        build(top, *tree)
        everything = sorted(path for path in tree[0] if (top / path).is_file())
        added = [f":(literal){path}" for number, path in enumerate(everything) if number in tracked]
        if added:
            git(top, "add", "-f", "--", *added)
        for number in removed & set(range(len(everything))):
            (top / everything[number]).unlink()
        folders = sorted(path.name for path in top.iterdir() if path.is_dir() and path.name != ".git")
        root = top / folders[0] if below and folders else top
        if root != top and is_ignored(top, root.name):
            return  # Then it is taken whole, see below.
        listing = list_files(str(root))
        assert set(listing.files) == git_files(root)
        assert_all_explained(listing)


def files_of_all_repositories(folder: Path) -> set[str]:
    """What git lists in a folder, and in the repositories there that it lists by their folder alone."""
    listed = git(folder, "ls-files", "-z", "-co", "--exclude-standard").split(b"\0")
    files = set()
    for path in {os.fsdecode(path) for path in listed if path}:
        place = folder / path
        if place.is_symlink() or place.is_file():
            files.add(path)
        elif (place / ".git").exists():
            files.update(f"{path.rstrip('/')}/{file}" for file in files_of_all_repositories(place))
    return files


@quick
@given(
    tree=trees,
    inner=st.sets(st.integers(0, 11), min_size=1, max_size=3),
    tracked=st.sets(st.integers(0, 11), max_size=4),
    submodules=st.booleans(),
)
def test_with_repositories_inside_the_list_is_gits(
    tree: tuple[set[str], dict[str, str]], inner: set[int], tracked: set[int], submodules: bool
) -> None:
    with TemporaryDirectory() as folder:
        top = Path(folder, "tree")
        top.mkdir()
        build(top, *tree)
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        subprocess.run(["git", "init", "-q", top], check=True)
        for number, repository in enumerate(folders):
            if number in inner:
                subprocess.run(["git", "init", "-q", repository], check=True)
                if submodules:
                    names = [f"./{path.name}" for path in repository.iterdir() if path.is_file()]
                    git(repository, "--literal-pathspecs", "add", "-f", "--", *names)
                    git(repository, "commit", "-qm", "first", "--allow-empty")
                    git(top, "--literal-pathspecs", "add", "-f", "--", str(repository.relative_to(top)))
        for number, path in enumerate(sorted(tree[0])):
            if number in tracked and (top / path).is_file():
                # Git refuses what belongs to another repository.
                asked = ["git", "-C", top, "--literal-pathspecs", "add", "-f", "--", path]
                subprocess.run(asked, check=False, capture_output=True)
        assert set(list_files(str(top)).files) == files_of_all_repositories(top)
