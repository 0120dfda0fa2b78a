"""Random trees, random rules and random edits on both sides, over a live connection.

After a sync the host holds exactly the files that git would take, and whatever the host made. `SYNC_TREES`
says how many histories are tried; `make kills` makes it 2,000.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hosts import files_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_remote.config import Config
from jupyter_remote.config_models import SyncOptions
from jupyter_remote.connection import Connection
from jupyter_remote.remote import Remote
from jupyter_remote.sync.session import SyncReport, WorkspaceSync

TREES = int(os.environ.get("SYNC_TREES", "40"))

NAMES = ("a", "b", "c.log", "data", "é", "a\nb", os.fsdecode(b"\xff"))
RULES = ("a", "/b", "*.log", "!c.log", "data/", "!data/", "data/*", "**/a", "/a/b", "b/**", "!/a", "[ab]")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
contents = st.one_of(
    st.binary(max_size=40), st.integers(0, 255).map(lambda byte: bytes([byte, 1, 2, 3]) * 20_000)
)
rules = st.dictionaries(
    st.sampled_from(("", "a", "data", "b/data")),
    st.lists(st.sampled_from(RULES), max_size=3).map("\n".join),
    max_size=2,
)
rounds = st.tuples(
    st.dictionaries(paths, contents, max_size=8),
    rules,
    st.dictionaries(paths, st.booleans(), max_size=4),
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with Remote(Config.load(tmp_path).host("local"), tmp_path) as remote:
        yield remote.connection()


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(
    max_examples=TREES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(rounds, min_size=1, max_size=3), with_git=st.booleans())
def test_the_host_holds_what_git_would_take_and_what_it_made(
    connection: Connection,
    history: list[tuple[dict[str, bytes], dict[str, str], dict[str, bool]]],
    with_git: bool,
) -> None:
    with TemporaryDirectory() as folder:
        local, mirror, repository = Path(folder, "local"), Path(folder, "mirror"), Path(folder, "repository")
        local.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
        if with_git:
            shutil.copytree(repository, local / ".git")
            subprocess.run(["git", "-C", local, "config", "core.bare", "false"], check=True)
        sync = WorkspaceSync(local, str(mirror), "me", SyncOptions())
        made: dict[str, bytes] = {}
        ours: set[str] = set()
        for number, (tree, ignore, edits) in enumerate(history):
            rebuild(local, tree, ignore)
            edit_there(mirror, number, edits, made, ours)
            sync.forget()
            report = sync.push(connection).finish()
            expected = {path: (local / path).read_bytes() for path in git_files(local, repository)}
            assert_exact(mirror, expected, made, report)
            ours = set(expected)
            assert sync.push(connection).finish().sent == []


def rebuild(root: Path, tree: dict[str, bytes], ignore: dict[str, str]) -> None:
    for path in root.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in sorted(tree.items()):
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    for name, text in ignore.items():
        if (root / name).is_dir():
            (root / name / ".gitignore").write_text(text)


def edit_there(
    mirror: Path, number: int, edits: dict[str, bool], made: dict[str, bytes], ours: set[str]
) -> None:
    """Writes or removes files as the host's users do; `made` has what they wrote and still want."""
    for path, write in sorted(edits.items()):
        place = mirror / path
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            if write:
                place.parent.mkdir(parents=True, exist_ok=True)
                content = b"made there, round %d: " % number + os.fsencode(path)
                place.write_bytes(content)
                made[path] = content
            elif path in ours:
                place.unlink()
                made.pop(path, None)


def git_files(root: Path, repository: Path) -> set[str]:
    beside = [] if (root / ".git").exists() else ["--git-dir", repository, "-c", "core.bare=false"]
    argv = ["git", "-C", root, *beside, "--work-tree", root, "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(argv, check=True, capture_output=True).stdout.split(b"\0")
    return {os.fsdecode(path) for path in listed if path}


def assert_exact(
    mirror: Path, expected: dict[str, bytes], made: dict[str, bytes], report: SyncReport
) -> None:
    there = files_of(mirror) if mirror.exists() else {}
    left_alone = set(report.host_changed)
    for path, content in expected.items():
        assert there[path] == content or path in left_alone, f"{path!r} is not what it is here"
    strange = {path for path in there.keys() - expected.keys() if there[path] != made.get(path)}
    assert not strange, "neither planned nor made there"
    kept = mirror / ".jupyter-remote/kept"
    safe = set(there.values()) | (
        {p.read_bytes() for p in kept.rglob("*") if p.is_file()} if kept.exists() else set()
    )
    assert set(made.values()) <= safe, "what the host made is lost"
