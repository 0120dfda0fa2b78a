"""`status` and its samples: what they say of GPUs, and which programs they start and leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from fake_gpus import FakeGpus
from hosts import Place, await_true

from jupyter_remote.errors import ConnectionLost, UsageError
from jupyter_remote.gpu_use import GpuUse

LOOP = "--loop-ms"
CLI = [sys.executable, "-c", "import sys; from jupyter_remote.cli import main; sys.exit(main())"]


def cli_environment(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config"
    config.mkdir(exist_ok=True)
    return {**os.environ, "JUPYTER_REMOTE_CONFIG_DIR": str(config), "COLUMNS": "200"}


@pytest.mark.slow
def test_status_says_who_is_on_which_gpu(fake_gpus: FakeGpus, local: Place, tmp_path: Path) -> None:
    fake_gpus.app(1, int(local.run("import os; os.getpid()").check().result["text/plain"]))
    environment = cli_environment(tmp_path)

    def said(*words: str) -> str:
        argv = [*CLI, "status", "local", *words]
        return subprocess.run(argv, capture_output=True, text=True, env=environment, check=True).stdout

    lines = said().splitlines()
    assert lines[3].split("  ")[0] == "HOST"
    assert "79.1 GiB of 79.6 GiB" in lines[4]
    assert "python3 (pid" in lines[5]
    assert lines[5].endswith("in session default")
    (told,) = json.loads(said("--json"))
    assert told["gpus"][1]["processes"][0]["memory"] == 3012 << 20
    fake_gpus.scenario("no-driver")
    assert "couldn't communicate with the NVIDIA driver" in said()


@pytest.mark.slow
def test_samples_come_from_one_program_that_goes_with_the_viewer(fake_gpus: FakeGpus, local: Place) -> None:
    with local.remote.samples(0.05) as samples:
        first = next(samples)
        assert [gpu["utilization"] for gpu in first["gpus"]] == [0, 0]
        assert first["gpus"][0]["lease"] is None
        started = len(fake_gpus.calls())
        fake_gpus.use(1, 20000, 87)
        while next(samples)["gpus"][1]["utilization"] != 87:
            pass
        later = next(samples)
        assert later["gpus"][1]["memory_used"] == 20000 << 20
        assert later["gpus"][1]["name"] == "NVIDIA H100 80GB HBM3"
        assert 0 <= later["cpu"] <= 100
        assert len(fake_gpus.calls()) - started <= 1
        assert len(fake_gpus.calls(LOOP)) == 1
    await_true(lambda: not fake_gpus.running())


@pytest.mark.slow
def test_who_does_not_take_them_gets_the_newest(fake_gpus: FakeGpus, local: Place) -> None:
    with local.remote.samples(0.05) as samples:
        next(samples)
        with local.remote.samples(0.05) as others:  # while these are taken, those wait
            for _ in range(8):
                next(others)
            fake_gpus.use(0, 4, 50)
            while next(others)["gpus"][0]["utilization"] != 50:
                pass
            next(others)
        stale = next(samples)["gpus"][0]["utilization"]
        # At most the one that was on its way is older.
        assert 50 in (stale, next(samples)["gpus"][0]["utilization"])


@pytest.mark.slow
def test_a_cut_link_ends_it_too(fake_gpus: FakeGpus, place: Place, sample_path: None) -> None:
    samples = place.remote.samples(0.05)
    next(samples)
    await_true(lambda: place.remote.host.type != "local" or fake_gpus.running())
    agent = psutil.Process(int(place.remote.info["pid"]))
    agent.send_signal(signal.SIGTERM)
    with pytest.raises(ConnectionLost):
        while True:
            next(samples)
    samples.close()
    await_true(lambda: not fake_gpus.running())


@pytest.fixture
def sample_path() -> None:
    """On a host behind an sshd there are no fakes; the cut is the same."""


@pytest.mark.slow
def test_the_end_of_the_link_ends_it(fake_gpus: FakeGpus, local: Place) -> None:
    other = local.open()
    samples = other.samples(60)  # nothing is written to a pipe that would tell
    next(samples)
    await_true(lambda: fake_gpus.calls(LOOP))
    other.close()
    await_true(lambda: not fake_gpus.running())
    with pytest.raises((ConnectionLost, StopIteration)):
        next(samples)


@pytest.mark.slow
def test_a_driver_that_fails_meanwhile_is_told(fake_gpus: FakeGpus, local: Place) -> None:
    with local.remote.samples(0.05) as samples:
        next(samples)
        fake_gpus.scenario("lost")
        while not (told := next(samples))["gpu_error"]:
            pass
        assert "GPU is lost" in told["gpu_error"]
        assert told["gpus"] == []
        assert told["memory"]["available"]


@pytest.mark.slow
def test_neither_a_warning_nor_a_lost_card_ends_them(fake_gpus: FakeGpus, local: Place) -> None:
    with local.remote.samples(0.05) as samples:
        next(samples)
        (fake_gpus.folder / "warning").write_text("WARNING: infoROM is corrupted at gpu 0000:17:00.0")
        (fake_gpus.folder / "lost").write_text("1")
        fake_gpus.use(0, 4, 31)
        while (told := next(samples))["gpus"][0]["utilization"] != 31:
            pass
        assert told["gpu_error"] is None
        assert len(fake_gpus.calls(LOOP)) == 1


@pytest.mark.slow
def test_a_host_without_gpus_shows_the_rest(local: Place) -> None:
    with local.remote.samples(0.05) as samples:
        told = [next(samples) for _ in range(3)]
    assert [one["gpus"] for one in told] == [[], [], []]
    assert told[2]["time"] > told[1]["time"]
    assert told[2]["cpu_count"] == os.cpu_count()
    with pytest.raises(UsageError, match="is no interval"):
        local.remote.samples(0)


@pytest.mark.slow
def test_closing_ends_one_that_waits(fake_gpus: FakeGpus, local: Place) -> None:
    samples = local.remote.samples(60)
    next(samples)
    ended = threading.Event()

    def take() -> None:
        for _ in samples:
            pass
        ended.set()

    thread = threading.Thread(target=take)
    thread.start()
    samples.close()
    assert ended.wait(10)
    thread.join()
    await_true(lambda: not fake_gpus.running())


@pytest.mark.slow
def test_watch_shows_until_interrupted(fake_gpus: FakeGpus, tmp_path: Path) -> None:
    argv = [*CLI, "status", "local", "--watch", "--interval", "0.1s"]
    environment = cli_environment(tmp_path)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as watching:
        assert watching.stdout is not None
        assert next(watching.stdout).startswith("HOST")
        while "87 %" not in next(watching.stdout):
            fake_gpus.use(0, 20000, 87)
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
        assert watching.wait() == 0
    await_true(lambda: not fake_gpus.running())
    with subprocess.Popen(
        [*argv, "--json"], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as it:
        assert it.stdout is not None
        told = json.loads(next(it.stdout))
        assert (told["host"], told["ok"], len(told["gpus"])) == ("local", True, 2)
        it.send_signal(signal.SIGINT)
        it.stdout.read()
        assert it.wait() == 0
    await_true(lambda: not fake_gpus.running())


@pytest.mark.slow
def test_a_run_s_line_says_what_its_gpus_do(fake_gpus: FakeGpus, local: Place) -> None:
    run = local.remote.run_script("a.py", "import time; print(1, flush=True); time.sleep(600)", gpus="1,")
    for event in run.events():
        if event.kind == "stdout":
            break
    use = GpuUse(local.remote, run)
    fake_gpus.use(1, 2048, 63)
    await_true(lambda: use() == "GPU 63 % 2.0 GiB")
    use.close()
    await_true(lambda: not fake_gpus.running())
    run.stop()
    run.wait()
