"""A host that lies can't write outside the target, can't fill the memory, and is told from an honest one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote.config import Config
from jupyter_remote.errors import ProtocolError
from jupyter_remote.remote import Remote

AGENT = Path(__file__).with_name("hostile_agent.py")
BOUND = 64 << 20
PATHS = [
    *("absolute", "dotdot", "dotdot-inside", "empty", "empty-path", "nul", "git", "git-case", "git-short"),
    *("git-invisible", "ours", "config", "unasked", "long", "surrogate"),
]
ROWS = ["size-text", "size-negative", "mode", "time", "nested", "twice", "cut-list", "other"]
CONTENT = [
    "short",
    "longer",
    "digest",
    "more",
    "strange-header",
    "same-unasked",
    "changed-bad",
    "header-bomb",
]
FLOODS = ["flood", "flood-empty", "flood-facts", "flood-events", "bomb", "noise", "endless-list"]
VARIABLES = [
    *("v-pickle", "v-shape", "v-unasked", "v-instead", "v-digest", "v-cut", "v-more", "v-claims", "v-header"),
    "v-endless",
]
PULL_FLOODS = ["endless-line", "endless-problems", "endless-body"]
INVENTORIES = [
    "list", "no-generation", "generation-text", "row", "path-number", "owner-unknown", "kind-unknown",
    "state-unknown", "size-negative", "size-text", "no-digest", "no-target", "received-list", "received-text",
    "digests", "cut-list", "nested", "other",
]  # fmt: skip

SYNC_ANSWERS = ["sync-empty", "sync-no-kept", "sync-generation", "sync-kept-text", "sync-kept-triple"]
BLOCKS = ["blocks-flag", "blocks-none", "blocks-short", "blocks-endless"]


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "project"
        self.workspace.mkdir()
        (self.workspace / "mine").write_text("mine")
        self.remotes: list[Remote] = []

    def remote(self, lie: str) -> Remote:
        settings = {"type": "command", "command": [sys.executable, str(AGENT), lie]}
        host = Config.load(self.workspace).host("local", settings)
        self.remotes.append(Remote(host, self.workspace))
        return self.remotes[-1]

    def tree(self) -> dict[str, tuple[int, bytes]]:
        found = {}
        for path in sorted(self.folder.rglob("*")):
            content = b"" if path.is_dir() else path.read_bytes()
            found[str(path.relative_to(self.folder))] = (path.lstat().st_mode, content)
        return found


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    made = Lab(tmp_path / "lab") if (tmp_path / "lab").mkdir() is None else None
    assert made is not None
    yield made
    for remote in made.remotes:
        remote.close()


class Memory:
    """The most that this process has grown by."""

    def __enter__(self) -> Memory:
        self.process = psutil.Process()
        self.before = self.highest = self.process.memory_info().rss
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.ended.wait(0.005):
            self.highest = max(self.highest, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    @property
    def growth(self) -> int:
        return self.highest - self.before


def test_the_double_can_tell_the_truth(lab: Lab) -> None:
    assert lab.remote("truth").pull(["r/**"]).pulled == ["r/a"]
    assert (lab.workspace / "r" / "a").read_bytes() == b"12345"


@pytest.mark.parametrize("lie", [*PATHS, *ROWS, *CONTENT])
def test_a_lie_is_a_protocol_error_and_writes_nothing(lab: Lab, lie: str) -> None:
    before = lab.tree()
    remote = lab.remote(lie)
    patterns = ["r/**"] if lie == "unasked" else ["**", ".git/", "git~1/", ".jupyter-remote/"]
    with pytest.raises(ProtocolError):
        remote.pull(patterns)
    after = lab.tree()
    ours = {path for path in after if path.startswith("project/.jupyter-remote")}
    if lie in ("more", "twice"):
        ours |= {"project/r", "project/r/a"}  # what was asked for, and true
    assert {path: after[path] for path in after.keys() - ours} == before
    assert not (lab.workspace / ".jupyter-remote" / "partial").exists()
    assert not Path("/tmp/evil").exists()


def test_the_double_can_send_variables(lab: Lab) -> None:
    run = lab.remote("v-truth").run_cell("", sync=False, fetch=["y"])
    assert run.fetch()["y"].tolist() == [49, 50, 51, 52]


@pytest.mark.parametrize("lie", VARIABLES)
def test_a_lie_about_variables_is_a_protocol_error_and_fills_no_memory(lab: Lab, lie: str) -> None:
    run = lab.remote(lie).run_cell("", sync=False, fetch=["y"])
    with Memory() as memory, pytest.raises(ProtocolError):
        run.fetch()
    assert memory.growth < BOUND
    assert run.fetched == {}


def test_nothing_is_written_through_a_link_that_the_host_sent(lab: Lab) -> None:
    before = lab.tree()
    report = lab.remote("link-then-through").pull(["r/**"])
    # Files come first, so the file makes a folder, and the link is what is refused.
    assert {path for path, _ in report.refused} == {"r/l"}
    after = lab.tree()
    assert not (lab.workspace / "evil").exists()
    assert {path: after[path] for path in before} == before
    assert all(path.startswith(("project/r", "project/.jupyter-remote")) for path in after.keys() - before)


@pytest.mark.parametrize("lie", [*FLOODS, *PULL_FLOODS])
def test_a_flood_ends_within_bounds(lab: Lab, lie: str) -> None:
    before = lab.tree()
    remote = lab.remote(lie)
    remote.connection()
    with Memory() as memory, pytest.raises(ProtocolError):
        remote.pull(["r/**"])
    assert memory.growth < BOUND
    after = lab.tree()
    allowed = ("project/.jupyter-remote", "project/r")
    assert {path: after[path] for path in after if not path.startswith(allowed)} == {
        path: before[path] for path in before
    }


@pytest.mark.parametrize("lie", ["answers-none", "answers-number", "answers-too-many", "answers-too-few"])
def test_nonsense_about_what_was_pulled_is_a_protocol_error(lab: Lab, lie: str) -> None:
    remote = lab.remote("truth")
    assert remote.pull(["r/**"]).pulled == ["r/a"]
    with pytest.raises(ProtocolError):
        lab.remote(lie).sync()  # which asks what became of it
    (lab.workspace / "r/a").write_text("edited")
    (lab.workspace / ".jupyter-remote/pulled.json").unlink()
    with pytest.raises(ProtocolError):
        lab.remote(lie).pull(["r/**"])  # which asks whether a sync has put it there
    assert (lab.workspace / "r/a").read_text() == "edited"


def assert_refused(lab: Lab, lie: str) -> None:
    """A sync ends in a ProtocolError, within bounds, and nothing is changed."""
    before = lab.tree()
    remote = lab.remote(lie)
    remote.connection()
    with Memory() as memory, pytest.raises(ProtocolError):
        remote.sync()
    assert memory.growth < BOUND
    assert lab.tree() == before


@pytest.mark.parametrize("lie", [*FLOODS, *INVENTORIES])
def test_a_lying_inventory_ends_in_a_protocol_error(lab: Lab, lie: str) -> None:
    assert_refused(lab, lie)


@pytest.mark.parametrize("lie", [*SYNC_ANSWERS, *BLOCKS])
def test_a_lie_about_a_change_set_is_a_protocol_error(lab: Lab, lie: str) -> None:
    (lab.workspace / "mine").write_bytes(os.urandom(2 << 20))
    assert_refused(lab, lie)


def test_a_lie_about_the_paths_there_only_makes_a_longer_plan(lab: Lab) -> None:
    for lie in PATHS:
        report = lab.remote(f"there-{lie}").sync()
        assert report.sent == ["mine"], lie


def test_a_file_too_large_to_be_true_fills_no_disk(lab: Lab) -> None:
    from jupyter_remote.errors import DiskFull

    with pytest.raises(DiskFull, match="'r/a'"):
        lab.remote("huge").pull(["r/**"])
    assert not (lab.workspace / "r").exists()


def test_what_changes_for_ever_is_given_up_by_name(lab: Lab) -> None:
    report = lab.remote("changed-forever").pull(["r/**"])
    assert [path for path, _ in report.refused] == ["r/a"]
