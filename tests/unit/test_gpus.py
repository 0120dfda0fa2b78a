"""What nvidia-smi and rocm-smi say becomes facts; one that fails or hangs becomes a reason."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_remote.agent import gpus
from jupyter_remote.gpu_words import gpu_rows

FAKES = Path(__file__).parents[1] / "fakes"
GIB = 1 << 30


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Makes a host with that scenario; returns the folder of the fakes."""

    def make(scenario: str, program: str = "nvidia-smi") -> Path:
        path = tmp_path / program
        path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {FAKES / program} "$@"\n')
        path.chmod(0o755)
        (tmp_path / "scenario").write_text(scenario)
        monkeypatch.setenv("FAKE_GPUS", str(tmp_path))
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    yield make


def test_cards_and_their_processes(host: Callable[..., Path]) -> None:
    folder = host("h200")
    (folder / "app-1").write_text(
        f"GPU-00000000-1ad5-d63d-1844-886cba1b3f9e {os.getpid()} 3012 /opt/x/python3"
    )
    told = gpus.look()
    assert told["gpu_error"] is None
    (gpu,) = told["gpus"]
    assert (gpu["index"], gpu["name"], gpu["driver"]) == (0, "NVIDIA H200", "580.159.04")
    assert gpu["memory_total"] == 143771 << 20
    # What the driver keeps for itself is neither used nor free.
    assert gpu["memory_free"] == (143771 - 616 - 4 - 3012) << 20
    (process,) = gpu["processes"]
    assert process["pid"] == os.getpid()
    assert (process["name"], process["memory"]) == ("python3", 3012 << 20)
    assert process["user"] == gpus.user_name(os.getuid())
    assert process["supervisor"] is None


@pytest.mark.parametrize(("scenario", "count"), [("a10", 1), ("h100", 2), ("a100x8", 8)])
def test_other_cards(host: Callable[..., Path], scenario: str, count: int) -> None:
    host(scenario)
    told = gpus.look()
    assert len(told["gpus"]) == count
    assert all(gpu["mig"] is None and gpu["utilization"] == 0 for gpu in told["gpus"])


def test_instances_have_their_own_memory_and_processes(host: Callable[..., Path]) -> None:
    folder = host("a100-mig")
    uuid = "GPU-00000000-1ad5-d63d-1844-886cba1b3f9e"
    (folder / "app-1").write_text(f"{uuid} {os.getpid()} 4000 python3 5 0")
    (gpu,) = gpus.look()["gpus"]
    assert gpu["utilization"] is None
    assert [part["name"] for part in gpu["mig"]] == ["3g.20gb", "2g.10gb", "1g.5gb"]
    assert [len(part["processes"]) for part in gpu["mig"]] == [0, 1, 0]
    assert gpu["mig"][1]["uuid"].startswith("MIG-00000001")
    assert gpu["mig"][1]["memory_used"] == 4012 << 20
    shown = [row[1] for row in gpu_rows("dgx", {"gpus": [gpu]})]
    assert shown == ["0", "0:0", "0:1", "0:2"]


def test_a_card_of_amd(host: Callable[..., Path]) -> None:
    folder = host("", "rocm-smi")
    (folder / "app-1").write_text(f"AMD {os.getpid()} 512 python3")
    (gpu,) = gpus.look()["gpus"]
    assert gpu["vendor"] == "amd"
    assert gpu["uuid"] == "GPU-18f68e602b8a9c30"
    assert (gpu["temperature"], gpu["power"], gpu["utilization"]) == (38.0, 43.0, 0.0)
    assert gpu["memory_free"] == 68702699520 - 10960896
    assert [one["memory"] for one in gpu["processes"]] == [512 << 20]


def test_a_field_that_an_older_driver_lacks_is_left_out(host: Callable[..., Path]) -> None:
    host("old")
    told = gpus.look()
    assert told["gpu_error"] is None
    assert [gpu["mig"] for gpu in told["gpus"]] == [None, None]


@pytest.mark.parametrize(
    ("scenario", "said"), [("no-driver", "exit code 9: NVIDIA-SMI has failed"), ("lost", "is lost")]
)
def test_a_failure_is_told(host: Callable[..., Path], scenario: str, said: str) -> None:
    host(scenario)
    told = gpus.look()
    assert told["gpus"] == []
    assert said in told["gpu_error"]


def test_a_driver_that_hangs_is_not_waited_for(
    host: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    host("hangs")
    monkeypatch.setattr(gpus, "PATIENCE", 0.3)
    told = gpus.look()
    assert "did not answer within 0.3 s" in told["gpu_error"]


def test_one_that_can_not_even_be_killed_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # A process that sleeps in a driver is like one that was killed and is not gone: here one that lives.
    with subprocess.Popen(["sleep", "600"]) as process:
        monkeypatch.setattr(gpus, "_stuck", [(process, time.time())])
        with pytest.raises(gpus.SmiError, match="hangs since"):
            gpus.ask(["true"])
        process.kill()
        process.wait()
    assert gpus.ask(["true"]) == ""


def test_a_host_without_any(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpus, "ELSEWHERE", str(tmp_path))
    assert gpus.look() == {"gpus": [], "gpu_error": None}
