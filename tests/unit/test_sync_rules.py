"""The list of files is git's own in a work tree, and the same without one: compared with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_remote.errors import SyncError
from jupyter_remote.sync.rules import Listing, list_files

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


@pytest.fixture(autouse=True)
def own_git_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "gitconfig"
    configuration.write_text("[user]\nname = Test\nemail = test@example.org\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *args: str) -> bytes:
    return subprocess.run(["git", "-C", folder, *args], check=True, capture_output=True).stdout


def git_files(folder: Path, *args: str) -> set[str]:
    listed = git(folder, *args, "ls-files", "-z", "-co", "--exclude-standard").split(b"\0")
    paths = {os.fsdecode(path) for path in listed if path}
    # Tracked files that are gone, or have become a folder, are not files that git would take.
    return {path for path in paths if (folder / path).is_file() or (folder / path).is_symlink()}


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


def assert_all_explained(listing: Listing) -> None:
    assert not [skipped for skipped in listing.skipped if skipped.source == "git"]


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


def is_ignored(top: Path, name: str) -> bool:
    asked = ["git", "-C", top, "check-ignore", "-q", "--no-index", "--", name]
    return subprocess.run(asked, check=False).returncode == 0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    return root


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def skipped(listing: Listing) -> dict[str, tuple[str, str]]:
    return {s.path: (s.rule, s.source) for s in listing.skipped}


def test_every_skip_names_its_rule(workspace: Path) -> None:
    write(
        workspace,
        "a.py",
        "a.log",
        "sub/.gitignore",
        "sub/x.tmp",
        "data/1",
        "n.ipynb",
        "p/__pycache__/p.pyc",
        ".venv/x",
    )
    (workspace / ".gitignore").write_text("# logs\n*.log\n")
    (workspace / "sub/.gitignore").write_text("*.tmp\n")
    listing = list_files(str(workspace), exclude=["data/"])
    assert set(listing.files) == {".gitignore", "a.py", "sub/.gitignore"}
    assert skipped(listing) == {
        "a.log": ("*.log", ".gitignore:2"),
        "sub/x.tmp": ("*.tmp", "sub/.gitignore:1"),
        "data/": ("data/", "exclude"),
        "n.ipynb": ("*.ipynb", "built-in"),
        "p/__pycache__/": ("__pycache__/", "built-in"),
        ".venv/": (".venv", "built-in"),
    }


def test_include_brings_back_what_is_ignored_and_excluded_but_not_what_is_built_in(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    write(
        workspace,
        "data/big/1",
        "data/small/1",
        "data/small/deep/1.csv",
        "out/model.pt",
        "out/log",
        "n.ipynb",
        "x/model.pt",
    )
    (workspace / ".gitignore").write_text("/out\n*.csv\n")
    listing = list_files(str(workspace), include=["/data/small/", "*.pt", "*.ipynb"], exclude=["data"])
    assert set(listing.files) == {
        ".gitignore",
        "data/small/1",
        "data/small/deep/1.csv",
        "out/model.pt",
        "x/model.pt",
    }
    assert listing.folders == {"data", "data/small", "data/small/deep", "out", "x"}
    assert skipped(listing)["data/big/1"] == ("data", "exclude")
    assert skipped(listing)["out/log"] == ("/out", ".gitignore:1")


def test_empty_folders_are_listed_and_ignored_ones_are_not(workspace: Path) -> None:
    (workspace / "empty/deep").mkdir(parents=True)
    (workspace / "build/x").mkdir(parents=True)
    (workspace / ".gitignore").write_text("build\n")
    assert list_files(str(workspace)).folders == {"empty", "empty/deep"}


def test_tracked_files_in_ignored_folders_are_taken_and_watched(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    write(workspace, "build/kept/a", "build/other", "build/gone/a")
    (workspace / ".gitignore").write_text("build/\n")
    git(workspace, "add", "-f", "build/kept/a", "build/gone/a")
    (workspace / "build/gone/a").unlink()
    (workspace / "build/gone").rmdir()
    listing = list_files(str(workspace))
    assert listing.files == [".gitignore", "build/kept/a"]
    assert listing.folders == {"build", "build/kept"}
    assert {"", "build", "build/kept"} <= listing.watched.keys()


def test_a_tracked_path_behind_a_link_is_not_taken(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    write(workspace, "d/x", "other/x")
    git(workspace, "add", "d/x")
    (workspace / "d/x").unlink()
    (workspace / "d").rmdir()
    (workspace / "d").symlink_to("other")
    assert list_files(str(workspace)).files == ["d", "other/x"]


def test_repositories_inside_follow_their_own_rules(workspace: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "init", "-q", source], check=True)
    write(source, "lib.py", "kept.log")
    git(source, "add", "-f", ".")
    git(source, "commit", "-qm", "first")
    subprocess.run(["git", "init", "-q", workspace], check=True)
    git(
        workspace,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(source),
        "libs/module",
    )
    git(workspace, "clone", "-q", str(source), "clone")
    write(workspace, "a.log", "libs/module/new.py", "clone/new.log")
    (workspace / ".gitignore").write_text("*.log\n")
    files = set(list_files(str(workspace)).files)
    module = {"libs/module/lib.py", "libs/module/kept.log", "libs/module/new.py"}
    assert files == {".gitignore", ".gitmodules", "clone/lib.py", "clone/kept.log", "clone/new.log", *module}


def test_a_submodule_in_an_ignored_folder_is_taken(workspace: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "init", "-q", source], check=True)
    write(source, "lib.py")
    git(source, "add", ".")
    git(source, "commit", "-qm", "first")
    subprocess.run(["git", "init", "-q", workspace], check=True)
    git(
        workspace,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(source),
        "libs/module",
    )
    (workspace / ".gitignore").write_text("libs/\n")
    assert set(list_files(str(workspace)).files) == {".gitignore", ".gitmodules", "libs/module/lib.py"}


def test_a_workspace_that_the_repository_around_it_ignores_is_taken_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write(home, "project/a.py", "project/b.log", "project/.gitignore")
    subprocess.run(["git", "init", "-q", home], check=True)
    (home / ".gitignore").write_text("*\n")
    (home / "project/.gitignore").write_text("*.log\n")
    assert set(list_files(str(home / "project")).files) == {".gitignore", "a.py"}


def test_a_repository_that_git_refuses_is_an_error_with_gits_own_words(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    (workspace / ".git/config").write_text("[core\n")
    with pytest.raises(SyncError, match="bad config"):
        list_files(str(workspace))


def test_without_git_the_ignore_files_still_count(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    write(workspace, "a", "b.log")
    (workspace / ".gitignore").write_text("*.log\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    listing = list_files(str(workspace))
    assert listing.files == [".gitignore", "a"]
    assert "git is not installed" in listing.notes[0]


def test_a_git_that_a_hook_left_in_the_environment_is_not_asked(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for folder in (workspace, other):
        subprocess.run(["git", "init", "-q", folder], check=True)
    write(workspace, "a")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert list_files(str(workspace)).files == ["a"]


def test_a_missing_workspace_is_named(tmp_path: Path) -> None:
    with pytest.raises(SyncError, match="nowhere"):
        list_files(str(tmp_path / "nowhere"))


def test_patterns_fold_case_where_git_does(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    git(workspace, "config", "core.ignoreCase", "true")
    write(workspace, "BUILD/x", "a.LOG", "c1", "keep")
    (workspace / ".gitignore").write_text("build/\n*.log\n[A-C]?\n")
    listing = list_files(str(workspace))
    assert set(listing.files) == git_files(workspace) == {".gitignore", "keep"}
    assert_all_explained(listing)
