"""The build of the JupyterLab panel, by itself: when it is made anew, and what happens without Node.js."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TYPES = ROOT / "labextension" / "src" / "api" / "schema.ts"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`frontend_build.py` of a copy of the sources; PATH has nothing."""
    shutil.copytree(
        ROOT / "labextension", tmp_path / "labextension", ignore=shutil.ignore_patterns("node_modules", "lib")
    )
    shutil.copy(ROOT / "frontend_build.py", tmp_path)
    spec = importlib.util.spec_from_file_location("frontend_build", tmp_path / "frontend_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(module.REQUIRE, raising=False)
    return module


def node(build: ModuleType, says: str) -> None:
    program = build.ROOT / "bin" / "node"
    program.write_text(f"#!{sys.executable} -S\nprint({says!r})\n")
    program.chmod(0o755)


def test_without_node_it_goes_on_and_says_so(
    build: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build.build() is False
    assert "without the JupyterLab panel" in capsys.readouterr().err
    monkeypatch.setenv(build.REQUIRE, "1")
    with pytest.raises(RuntimeError, match=r"Node\.js 20\.19 or newer .* was not found"):
        build.build()


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        *(("v20.19.0", True), ("v22.12.0", True), ("v24.1.0", True)),
        *(("v18.20.4", False), ("v20.18.9", False), ("v21.7.3", False), ("v22.11.0", False), ("", False)),
    ],
)
def test_old_versions_of_node_are_named(build: ModuleType, version: str, fits: bool) -> None:
    node(build, version)
    reason = build.missing_node()
    assert (reason == "") is fits
    assert fits or (version or "none") in reason


def test_what_is_current_needs_no_node(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    build.OUTPUT.mkdir(parents=True)
    build.STAMP.write_text(build.sources_digest() + "\n")
    monkeypatch.setenv(build.REQUIRE, "1")
    assert build.build() is True
    source = build.SOURCES / "src" / "index.ts"
    source.write_text(source.read_text() + "// changed\n")
    assert not build.is_current()


def test_tests_of_the_panel_are_no_part_of_it(build: ModuleType) -> None:
    before = build.sources_digest()
    (build.SOURCES / "src" / "__tests__" / "more.spec.ts").write_text("test('x', () => {});\n")
    assert build.sources_digest() == before


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "labextension" / "yarn.lock").read_text(encoding="utf-8")
    assert "://" not in lock


@pytest.mark.slow
def test_the_types_are_those_of_the_contract() -> None:
    tool = ROOT / "labextension" / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    program = shutil.which("node")
    if program is None or not tool.exists():
        pytest.skip("the panel's packages are not installed (make panel)")
    contract = ROOT / "jupyter_remote" / "server" / "rest-api.yml"
    command = [program, str(tool), str(contract), "-o", str(TYPES), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT / "labextension")
    assert done.returncode == 0, "run `jlpm types` in labextension/\n" + done.stderr
