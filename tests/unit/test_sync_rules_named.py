"""Which files a sync takes: cases with a name, each with the rule that decides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from git_lists import assert_all_explained, git, git_files

from jupyter_remote.errors import SyncError
from jupyter_remote.sync.rules import Listing, list_files

pytestmark = pytest.mark.usefixtures("own_git_configuration")


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


def add_submodule(workspace: Path, source: Path) -> None:
    allowed = ("-c", "protocol.file.allow=always")
    git(workspace, *allowed, "submodule", "--quiet", "add", str(source), "libs/module")


def test_repositories_inside_follow_their_own_rules(workspace: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "init", "-q", source], check=True)
    write(source, "lib.py", "kept.log")
    git(source, "add", "-f", ".")
    git(source, "commit", "-qm", "first")
    subprocess.run(["git", "init", "-q", workspace], check=True)
    add_submodule(workspace, source)
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
    add_submodule(workspace, source)
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
