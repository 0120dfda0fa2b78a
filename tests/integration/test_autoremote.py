"""`%autoremote` and several hosts, in a real kernel and in IPython, on the built-in host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config as Traits

import jupyter_remote
from jupyter_remote.errors import UsageError

# What a cell says about where it runs: the worker's own class of shell is not the kernel's.
WHERE = "import os; print(os.environ.get('JUPYTER_REMOTE_SESSION') is not None)"
THERE, HERE = "True\n", "False\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder; `here` and `there` are this machine under two names."""
    entry = {"type": "local", "workspace": str(tmp_path / "mirror")}
    config = tmp_path / "config"
    config.mkdir()
    (config / "hosts.yaml").write_text(json.dumps({"hosts": {"local": entry, "here": entry, "there": entry}}))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    remote = jupyter_remote.connect("local", workspace=folder)
    remote.stop_sessions()
    for name in ("local", "here", "there"):
        jupyter_remote.connect(name, workspace=folder).close()


@pytest.fixture
def shell(workspace: Path) -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Traits({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "jupyter_remote")
    yield shell
    shell.run_line_magic("unload_ext", "jupyter_remote")
    InteractiveShell.clear_instance()


def test_cells_go_there_until_it_is_off(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    def out(cell: str) -> str:
        capsys.readouterr()
        assert shell.run_cell(cell).success
        return capsys.readouterr().out

    before = list(shell.input_transformers_cleanup)
    assert out(WHERE) == HERE
    assert "every following cell goes to local" in out("%autoremote local --quiet")
    assert out(WHERE) == THERE
    assert out(f"# first a word\n{WHERE}") == THERE
    assert out(f"%%local\n{WHERE}") == HERE
    assert out(f"%%capture said\n{WHERE}") == ""
    assert out("%%local\nprint(said.stdout, end='')") == HERE
    assert out(f"%%time\n{WHERE}").startswith(HERE)
    assert "RUN" in out("%remote runs list --local")
    assert out("%autoremote") == "cells go to: local --quiet\n"
    assert out("") == ""
    assert shell.run_cell("%%remote local --quiet\n40 + 2").result.data["text/plain"] == "42"
    out("%autoremote off")
    assert out(WHERE) == HERE
    assert out(f"%%local\n{WHERE}") == HERE
    assert not shell.run_cell("%%local\n1 / 0").success
    assert shell.input_transformers_cleanup == before


def test_the_mark_says_where_each_cell_goes(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%autoremote local --quiet")
    capsys.readouterr()
    assert shell.run_cell("40 + 2").result.data["text/plain"] == "42"
    assert capsys.readouterr().err == "→ local\n"


def test_it_survives_an_error_and_refuses_bad_words(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%autoremote local --quiet")
    assert not shell.run_cell("1 / 0").success
    assert not shell.run_cell("def (").success
    assert isinstance(shell.run_cell("%autoremote local --sesion x").error_in_exec, UsageError)
    capsys.readouterr()
    assert shell.run_cell(WHERE).success
    assert capsys.readouterr().out == THERE
    # Completion and the question whether a cell is whole are about what was typed.
    assert shell.check_complete("1 + 1")[0] == "complete"
    assert shell.check_complete("for i in x:")[0] == "incomplete"
    assert "print" in shell.Completer.all_completions("pri")


def test_unloading_ends_it(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%autoremote local --quiet")
    shell.run_cell("%unload_ext jupyter_remote")
    capsys.readouterr()
    shell.run_cell(WHERE)
    assert capsys.readouterr().out == HERE
    shell.run_cell("%load_ext jupyter_remote")


# A notebook's kernel.


class Front:
    """What a front end sees of a kernel: the outputs of a cell, displays as they are at its end."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.run("%load_ext jupyter_remote")

    def run(self, code: str, **options: Any) -> tuple[str, list[str]]:
        shown: dict[str, str] = {}
        texts: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            kind = message["msg_type"]
            if kind == "stream":
                texts.append(content["text"])
            elif kind == "error":
                texts.append("\n".join(content["traceback"]))
            elif kind in ("display_data", "update_display_data", "execute_result"):
                key = content.get("transient", {}).get("display_id") or f"#{len(shown)}"
                shown[key] = content["data"].get("text/plain", "")

        reply = self.client.execute_interactive(code, output_hook=hook, timeout=90, **options)
        return "".join(texts), [reply["content"]["status"], *shown.values()]


@pytest.fixture
def front(workspace: Path) -> Iterator[Front]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        yield Front(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


@pytest.mark.slow
def test_a_notebook_has_an_area_for_each_host(front: Front) -> None:
    code = "import os\nfor i in range(3): print(f'\\r{i}', end='')\nprint()\nos.environ['RANK']"
    printed, (status, *areas) = front.run(f"%%remote here,there --fresh\n{code}")
    assert (status, printed) == ("ok", "")
    for area, host, rank in zip(areas, ("here", "there"), "01", strict=True):
        heading, *lines = area.splitlines()
        assert heading.startswith(f"── {host} ──")
        assert lines[:2] == ["2", f"'{rank}'"]
        assert lines[2].startswith(f"✓ {host} · ")
    shape = "from IPython.display import HTML; HTML(os.environ['RANK'])"
    _, (_, *areas) = front.run(f"%%remote here,there --fresh\nimport os; {shape}")
    assert sorted(areas[2:]) == ["<IPython.core.display.HTML object>"] * 2 + ["here:", "there:"]
    printed, (status, *areas) = front.run("%%remote here,there --fresh\n1 / 0")
    assert status == "error"
    assert "HostsFailed: 2 of 2 hosts failed: here (ZeroDivisionError, exit code 1)" in printed
    assert all("ZeroDivisionError" in area for area in areas)


@pytest.mark.slow
def test_only_what_the_user_typed_goes_there(front: Front) -> None:
    front.run("%autoremote local --quiet")
    printed, (status, mark) = front.run(WHERE)
    assert (status, printed, mark) == ("ok", THERE, "→ local")
    # A front's own question, as a variable inspector asks it.
    front.run(
        "open('asked', 'w').write(str('JUPYTER_REMOTE_SESSION' in __import__('os').environ))", silent=True
    )
    assert Path("asked").read_text() == "False"
    assert front.run("%autoremote off")[0].startswith("cells run here again")
    assert front.run(WHERE)[0] == HERE
