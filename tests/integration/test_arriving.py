"""Artifacts of a run while it runs: pulled when they are whole, shown in place, and not pulled twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hosts import Place, await_true
from nbclient import NotebookClient

import jupyter_remote
from jupyter_remote.agent.patterns import Patterns
from jupyter_remote.artifacts import Artifact, exactly

MAIN = "import sys; from jupyter_remote.cli import main; sys.exit(main())"
# Does what the test says, line by line.
OBEY = """
import os, time
open("ready", "w").close()
done = 0
while True:
    lines = open("orders").read().split("\\n")[:-1] if os.path.exists("orders") else []
    for line in lines[done:]:
        exec(line)
    done = len(lines)
    if "stop = 1" in lines:
        break
    time.sleep(0.01)
"""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Obedient:
    """A run that does what it is told."""

    def __init__(self, place: Place, *pull: str) -> None:
        self.run = place.remote.run_cell(OBEY, notes={"pull": list(pull)})
        self.mirror = Path(place.remote.mirror).expanduser()
        self.workspace = place.workspace

    def do(self, line: str) -> None:
        with (self.mirror / "orders").open("a") as file:
            file.write(f"{line}\n")

    def look(self) -> list[str]:
        """One look, now; the paths that it pulled."""
        artifacts = self.run.arriving()
        artifacts._due = 0.0
        return [one.path for one in artifacts.look()]

    def here(self, path: str) -> Artifact | None:
        """The artifact, when the version that was seen last is here; looks once more."""
        self.look()
        found = {one.path: one for one in self.run.artifacts_so_far()}
        one = found.get(path)
        return one if one is not None and one.local is not None else None


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


@pytest.fixture
def run(local: Place) -> Iterator[Obedient]:
    run = Obedient(local, "out/**")
    await_true(lambda: (run.mirror / "ready").exists())
    yield run
    run.do("stop = 1")
    run.run.wait()


def test_a_file_comes_when_it_is_whole_and_again_when_it_changes(run: Obedient, local: Place) -> None:
    run.do("os.makedirs('out/deep')")
    run.do("file = open('out/growing.csv', 'w')")
    # It grows with every look, so no two looks see the same.
    for size in range(1, 4):
        run.do("file.write('a'); file.flush()")
        await_true(lambda: size_of(run.mirror / "out" / "growing.csv") == size)  # noqa: B023
        assert run.look() == []
    assert [one.local for one in run.run.artifacts_so_far()] == [None]
    assert run.look() == ["out/growing.csv"] and run.look() == []
    one = await_true(lambda: run.here("out/growing.csv"))
    assert (one.size, one.local) == (3, local.workspace / "out" / "growing.csv")
    assert one.local.read_text() == "aaa"
    # One that is renamed into place is whole from the start.
    run.do("open('staged', 'w').write('whole'); os.replace('staged', 'out/deep/[x]*?!.txt')")
    assert await_true(lambda: run.here("out/deep/[x]*?!.txt")).local.read_text() == "whole"
    run.do("file.write('b'); file.flush()")
    await_true(lambda: getattr(run.here("out/growing.csv"), "size", 0) == 4)
    assert one.local.read_text() == "aaab"
    run.do("stop = 1")
    run.run.wait().check()
    # Nothing is pulled twice.
    report = local.remote.pull(["out/**"])
    assert (report.pulled, report.unchanged, report.kept) == ([], 2, [])


def test_what_was_there_before_is_no_artifact_of_the_run(local: Place) -> None:
    (local.workspace / "out").mkdir()
    (local.workspace / "out" / "old.txt").write_text("old")
    os.utime(local.workspace / "out" / "old.txt", (10**9, 10**9))
    run = Obedient(local, "out/**")
    run.do("open('out/new.txt', 'w').write('new')")
    await_true(lambda: run.here("out/new.txt"))
    assert [one.path for one in run.run.artifacts_so_far()] == ["out/new.txt"]
    run.do("stop = 1")
    run.run.wait().check()


def test_a_file_that_was_changed_here_is_not_lost(run: Obedient, local: Place) -> None:
    run.do("os.makedirs('out'); open('out/a.txt', 'w').write('one')")
    await_true(lambda: run.here("out/a.txt"))
    (local.workspace / "out" / "a.txt").write_text("mine")
    run.do("open('out/a.txt', 'w').write('two!')")
    await_true(lambda: getattr(run.here("out/a.txt"), "size", 0) == 4)
    assert (local.workspace / "out" / "a.txt").read_text() == "two!"
    kept = [p for p in local.workspace.rglob("*a.txt") if p.read_text() == "mine"]
    assert len(kept) == 1


def test_the_pattern_of_one_path_matches_that_path_only() -> None:
    for path in ("a.txt", "d/[x]*?!.txt", "!a", "d/a\\b", "d/ä b"):
        pattern = Patterns([exactly(path)])
        assert pattern.cover(path) and not pattern.cover(path + "x") and not pattern.cover("e/" + path)


# The fronts.

SCRIPT = f"""
import base64, os, time
os.makedirs("out", exist_ok=True)
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
open("out/loss.csv", "w").write("step,loss\\n1,<0.5>\\n")
open("out/.staged", "wb").write(base64.b64decode({PNG!r})); os.replace("out/.staged", "out/plot.png")
print("made", flush=True)
wait_for("HERE/out/loss.csv"); wait_for("HERE/out/plot.png")
open("out/loss.csv", "a").write("2,0.25\\n")
while b"0.25" not in open("HERE/out/loss.csv", "rb").read():
    time.sleep(0.01)
open("out/last.txt", "w").write("last")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    config = tmp_path / "config"
    config.mkdir()
    hosts = {"local": {"workspace": str(tmp_path / "mirror")}}
    (config / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "make.py").write_text(SCRIPT.replace("HERE", str(folder)))
    yield folder
    remote = jupyter_remote.connect("local", workspace=folder)
    remote.stop_sessions()
    remote.close()


def test_a_terminal_has_a_line_for_each(project: Path) -> None:
    words = ["run", "local", "--pull", "out/*", "--", "python", "make.py"]
    done = subprocess.run([sys.executable, "-c", MAIN, *words], capture_output=True, timeout=90, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    came = [line for line in said if "is here" in line]
    assert came[:2] in (
        ["local: out/loss.csv is here (18 B)", "local: out/plot.png is here (70 B)"],
        ["local: out/plot.png is here (70 B)", "local: out/loss.csv is here (18 B)"],
    )
    assert "local: out/loss.csv is here (25 B)" in came
    assert (project / "out" / "last.txt").read_text() == "last"
    assert sorted(path.name for path in (project / "out").iterdir()) == ["last.txt", "loss.csv", "plot.png"]
    pulled = [line for line in said if "pulled" in line]
    assert pulled == [] or "out/plot.png" not in pulled[0]


@pytest.mark.slow
def test_a_notebook_shows_them_in_place(project: Path) -> None:
    cells = [
        "%load_ext jupyter_remote",
        "%%remote local --pull 'out/*' --bash\npython make.py",
        "%remote sessions stop local",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    resources = {"metadata": {"path": str(project)}}
    NotebookClient(notebook, timeout=90, kernel_name="python3", resources=resources).execute()
    outputs: list[Any] = notebook.cells[1].outputs
    data = [dict(out["data"]) for out in outputs if out.output_type == "display_data"]
    (picture,) = [one for one in data if "image/png" in one]
    assert picture["image/png"].strip() == PNG
    (table,) = [one["text/html"] for one in data if "text/html" in one]
    # The newest version, in the place of the first.
    assert "<td>2</td><td>0.25</td>" in table and "&lt;0.5&gt;" in table and "<0.5>" not in table
    printed = [out.text for out in outputs if out.output_type == "stream" and out.name == "stdout"]
    assert "".join(printed) == "made\n"
