"""GPUs by the words that people type: options, `any`, the line that says what a run waits for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_gpus import FakeGpus, provide
from hosts import Place

from jupyter_remote.errors import UsageError
from jupyter_remote.events import Event
from jupyter_remote.options import CELL, LINE
from jupyter_remote.parsing import parse
from jupyter_remote.status_line import StatusLine

CLI = [sys.executable, "-c", "import sys; from jupyter_remote.cli import main; sys.exit(main())"]
SEEN = ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES"]


def cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "JUPYTER_REMOTE_CONFIG_DIR": str(folder), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [*CLI, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


RUN = next(command for command in LINE.subcommands if command.name == "run")


@pytest.mark.parametrize(
    ("words", "wait", "host"),
    [
        (["h", "--gpus", "1", "--wait"], float("inf"), "h"),
        (["h", "--wait", "10m", "--gpus", "1"], 600, "h"),
        (["--wait", "h", "--gpus", "1"], float("inf"), "h"),
        (["h", "--wait=30"], 30, "h"),
        (["--wait", "--gpus", "1", "h"], float("inf"), "h"),
        (["h"], None, "h"),
    ],
)
def test_wait_may_have_a_duration(words: list[str], wait: float | None, host: str) -> None:
    values = parse(CELL, words)
    assert (values["wait"], values["hosts"]) == (wait, host)


def test_a_program_s_own_wait_is_its_own() -> None:
    values = parse(RUN, ["h", "--wait", "--", "prog", "--wait", "x"])
    assert values["wait"] == float("inf")
    assert values["program"] == ("prog", "--wait", "x")
    values = parse(RUN, ["h", "--script", "a.py", "--", "--wait"])
    assert (values["script"], values["wait"]) == (("a.py", "--wait"), None)
    with pytest.raises(UsageError, match="names no GPUs"):
        parse(CELL, ["h", "--gpus", "some"])


@pytest.mark.slow
def test_run_takes_the_options(fake_gpus: FakeGpus, tmp_path: Path) -> None:
    done = cli(tmp_path, "run", "local", "--no-sync", "--gpus", "2", "--min-free", "10G", "--", *SEEN)
    assert done.stdout == f"{fake_gpus.uuid(0)},{fake_gpus.uuid(1)}\n", done.stderr
    done = cli(tmp_path, "run", "local", "--no-sync", "--gpus", "3", "--", *SEEN)
    assert done.returncode == 7
    assert "3 GPUs are asked for, and there are 2 GPUs" in done.stderr
    done = cli(tmp_path, "run", "local", "--no-sync", "--wait", "--", *SEEN)
    assert done.returncode == 2
    assert "they need --gpus" in done.stderr


ANY = """\
hosts:
  small: {{type: command, command: [env, "PATH={small}:{path}"]}}
  large: {{type: command, command: [env, "PATH={large}:{path}"]}}
  down: {{type: command, command: ["false"]}}
groups:
  lab: [small, down]
"""


@pytest.mark.slow
def test_any_is_the_host_with_most_free_memory(tmp_path: Path) -> None:
    small = provide(tmp_path / "gpus1", tmp_path / "bin1", "nvidia-smi")
    large = provide(tmp_path / "gpus2", tmp_path / "bin2", "nvidia-smi")
    small.scenario("a10")
    text = ANY.format(small=tmp_path / "bin1", large=tmp_path / "bin2", path=os.environ["PATH"])
    (tmp_path / "hosts.yaml").write_text(text)
    done = cli(tmp_path, "run", "any", "--no-sync", "--", "sh", "-c", "command -v nvidia-smi")
    assert done.stdout == f"{tmp_path}/bin2/nvidia-smi\n", done.stderr
    said = "any: large, 158.2 GiB of GPU memory free; small 22.0 GiB of GPU memory free, down left out ("
    assert said in done.stderr
    for index in (0, 1):
        large.use(index, 79000, 0)
    done = cli(tmp_path, "run", "any", "--no-sync", "--quiet", "--", "sh", "-c", "command -v nvidia-smi")
    assert done.stdout == f"{tmp_path}/bin1/nvidia-smi\n", done.stderr
    assert done.stderr == ""
    done = cli(tmp_path, "run", "any:@lab", "--no-sync", "--", "true")
    assert "any: small, " in done.stderr
    assert "large" not in done.stderr
    done = cli(tmp_path, "run", "any:down", "--no-sync", "--", "true")
    assert done.returncode == 4
    assert "no host can be used: down: " in done.stderr
    done = cli(tmp_path, "run", "small,any", "--", "true")
    assert done.returncode == 2
    assert "stands alone" in done.stderr


def test_the_line_says_what_it_waits_for() -> None:
    shown: list[str] = []
    with StatusLine("dgx01", shown.append, 0.0) as line:
        line.event(
            Event(1, 0.0, "state", data={"state": "queued", "reason": "waiting for 1 GPU: GPU 0: bob"})
        )
        while "dgx01 · waiting for 1 GPU: GPU 0: bob" not in shown:
            pass
    assert shown[-1] == ""


@pytest.mark.slow
def test_a_rerun_asks_for_the_same(fake_gpus: FakeGpus, local: Place) -> None:
    from jupyter_remote.runs import repeat

    run = local.remote.run_script("a.py", "print(1)", gpus=2, wait=True, min_free="1G").wait().check()
    record = run.record
    again = repeat(local.remote, record, "print(1)").wait().check()
    assert again.record["lease"] == record["lease"]
    assert again.record["lease"] == {"count": 2, "ids": None, "min_free": 1 << 30, "wait": -1, "folder": None}
