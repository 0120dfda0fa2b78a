"""Slurm: what is its own. That a run is a run there too is in `test_launchers.py`.

`make slurm` runs the long tests as well: time limits, memory, a node that is lost, accounting.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from following import following, listed, until
from hosts import Place, await_true, holding, make_place
from slurm_cluster import SlurmCluster, running

from jupyter_remote import records
from jupyter_remote.errors import LaunchError, UsageError
from jupyter_remote.events import Event

pytestmark = pytest.mark.slow
long = pytest.mark.skipif(not os.environ.get("SLURM_LONG"), reason="takes a minute or more: make slurm")


@pytest.fixture
def cluster(request: pytest.FixtureRequest, slurm: SlurmCluster, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything by Slurm."""
    os.environ["SLURM_CONF"] = str(slurm.conf)
    yield from make_place(request, tmp_path, "local", {"launcher": "slurm", "slurm.poll": 1})


def test_a_job_that_waits_is_told_of_in_words_and_is_cancelled(cluster: Place, slurm: SlurmCluster) -> None:
    run = cluster.remote.run_bash("echo never", resources={"hold": "true"})
    thread, events, told = following(run)
    told.wait_for("held by its user")
    assert str(run.record["job"]["id"]) in slurm.jobs()
    assert listed(cluster, run)["state"] == "queued"
    [session] = cluster.remote.sessions()
    assert session["waiting"], "its supervisor has not been there"
    run.interrupt()
    thread.join(20)
    assert (run.state, run.exit_code, run.reason) == (
        "stopped",
        130,
        "cancelled while it waited in the queue",
    )
    assert [event.kind for event in events] == ["end"]
    assert str(run.record["job"]["id"]) not in slurm.jobs()
    assert cluster.remote.sessions() == []


@pytest.mark.parametrize("by", ["us", "somebody else"])
def test_a_secret_that_waits_goes_with_the_job(
    cluster: Place, slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setenv("TOKEN", "canary-7-value")

    def with_it() -> list[Path]:
        return holding(cluster.state, b"canary-7-value")

    run = cluster.remote.run_bash("echo never", pass_env=["TOKEN"], resources={"hold": "true"})
    (file,) = with_it()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    if by == "us":
        run.stop()
    else:
        slurm.run("scancel", str(run.record["job"]["id"]))
    assert run.wait().state == "stopped"
    assert with_it() == []


def test_a_session_that_waits_is_stopped_with_the_cells_that_wait_for_it(
    cluster: Place, slurm: SlurmCluster
) -> None:
    first = cluster.remote.run_cell("1", resources={"hold": "true"})
    second = cluster.remote.run_cell("2")
    assert first.record["job"]["id"] == second.record["job"]["id"]
    cluster.remote.stop_session("default")
    for run in (first.wait(), second.wait()):
        assert (run.state, run.exit_code) == ("stopped", 130)
    assert str(first.record["job"]["id"]) not in slurm.jobs()


def test_one_of_two_cells_that_wait_is_taken_back(cluster: Place, slurm: SlurmCluster) -> None:
    first = cluster.remote.run_cell("1", resources={"hold": "true"})
    second = cluster.remote.run_cell("2")
    second.interrupt()
    assert second.wait().state == "stopped"
    slurm.run("scontrol", "release", str(first.record["job"]["id"]))
    assert first.wait().check().result == {"text/plain": "1"}


def test_another_client_attaches_while_the_job_waits_and_sees_all(
    cluster: Place, slurm: SlurmCluster
) -> None:
    run = cluster.remote.run_bash("echo it ran", resources={"hold": "true"})
    run.detach()
    other = cluster.open().attach(run.id)
    slurm.run("scontrol", "release", str(run.record["job"]["id"]))
    events: list[Event] = []
    other.wait(events.append).check()
    assert "".join(event.text for event in events) == "it ran\n"


def test_a_job_that_somebody_else_cancels_says_so(cluster: Place, slurm: SlurmCluster) -> None:
    run = cluster.remote.run_bash("echo started; sleep 600")
    number = str(run.record["job"]["id"])
    until(run, "started\n", lambda: slurm.run("scancel", number))
    assert (run.state, run.exit_code) == ("stopped", 143)
    assert run.reason == f"job {number} was cancelled (CANCELLED)"
    assert listed(cluster, run)["state"] == "stopped"


def test_a_job_that_gives_way_to_another_says_so(cluster: Place, slurm: SlurmCluster) -> None:
    run = cluster.remote.run_bash("echo started; sleep 600", resources={"nodes": "2", "exclusive": "true"})
    urgent = ("sbatch", "-p", "urgent", "-N2", "--exclusive", "--output=/dev/null", "--wrap", "true")
    until(run, "started\n", lambda: slurm.run(*urgent))
    assert (run.state, run.exit_code) == ("stopped", 143)
    assert "had to give way to another one (PREEMPTED)" in str(run.reason)


def test_a_supervisor_that_was_killed_ends_its_run_by_the_schedulers_word(cluster: Place) -> None:
    run = cluster.remote.run_cell("import os\nprint(os.getppid(), flush=True)\nimport time; time.sleep(600)")
    supervisor: list[int] = []
    for event in run.events():
        if event.text:
            supervisor.append(int(event.text))
            os.kill(supervisor[0], signal.SIGKILL)
    assert run.state == "failed"
    assert "without a word of its own (FAILED, exit code 137)" in str(run.reason)
    assert cluster.run("'a new job'").check().result == {"text/plain": "'a new job'"}
    cluster.remote.end_remains()


def test_an_array_is_one_run_with_a_log_for_each_task(cluster: Place) -> None:
    code = "n=$SLURM_ARRAY_TASK_ID; echo task $n; printf half; sleep 0.2; echo ' line'; exit $((n * 2))"
    run = cluster.remote.run_bash(code, resources={"array": "0-2"})
    events: list[Event] = []
    run.wait(events.append)
    assert (run.state, run.exit_code) == ("failed", 4), "that of the worst"
    assert run.reason == "task 1 failed with exit code 2; task 2 failed with exit code 4"
    lines = "".join(event.text for event in events).splitlines()
    assert sorted(lines) == sorted(f"[{n}] {text}" for n in range(3) for text in (f"task {n}", "half line"))
    assert b"".join(cluster.remote.log(run.id, rank=1)) == b"task 1\nhalf line\n"
    with pytest.raises(UsageError, match="has no task 7, only 0, 1, 2"):
        cluster.remote.log(run.id, rank=7)
    again: list[Event] = []
    cluster.open().attach(run.id).wait(again.append)
    assert "".join(event.text for event in again) == "".join(event.text for event in events)


def test_two_nodes_have_a_log_for_each_rank_and_are_interrupted_together(cluster: Place) -> None:
    code = "echo rank $SLURM_PROCID on $SLURMD_NODENAME; exec sleep 600"
    run = cluster.remote.run_bash(code, resources={"nodes": "2", "gpus": "1"})
    second = cluster.folder(run) / "ranks" / "1.log"
    seen = until(run, "rank 0 on n", lambda: await_true(lambda: _has(second, "rank 1")) and run.interrupt())
    assert seen.startswith("rank 0 on n")
    assert run.state in ("stopped", "failed")
    assert b"".join(cluster.remote.log(run.id, rank=1)).startswith(b"rank 1 on n")


def _has(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


def test_a_cell_of_two_nodes_and_a_gpu_lives_on_the_first(cluster: Place) -> None:
    names = ("SLURM_JOB_NUM_NODES", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES")
    code = f"import os; [os.environ[name] for name in {names}]"
    run = cluster.run(code, resources={"nodes": "2", "gpus": "1"}).check()
    assert run.result == {"text/plain": "['2', 'n1', '0']"}


def test_a_controller_that_is_down_is_not_a_job_that_is_gone(cluster: Place, slurm: SlurmCluster) -> None:
    go = cluster.files / "go"
    run = cluster.remote.run_bash(f"echo started; until [ -e {go} ]; do sleep 0.05; done; echo ended")
    waiting = cluster.remote.run_bash("echo it waited", resources={"hold": "true"})
    thread, events, told = following(waiting)
    told.wait_for("held by its user")

    def controller_goes_and_comes() -> None:
        slurm.stop_controller()
        try:
            told.wait_for("Unable to contact slurm controller")
            with pytest.raises(LaunchError, match="scontrol ping"):
                cluster.open().run_bash("true")
            go.touch()
        finally:
            slurm.start_controller()

    assert until(run, "started\n", controller_goes_and_comes) == "started\nended\n", (
        "nobody needs it for that"
    )
    assert run.state == "finished"
    slurm.run("scontrol", "release", str(waiting.record["job"]["id"]))
    thread.join(30)
    assert waiting.state == "finished"
    assert "".join(event.text for event in events) == "it waited\n"
    slurm.await_idle()


def test_what_can_not_be_had_is_refused_with_advice(cluster: Place) -> None:
    for resources, said, advice in (
        ({"memory": "500G"}, "Requested node configuration is not available", "sinfo"),
        ({"partition": "nope"}, "Invalid partition name", "sinfo -s"),
    ):
        with pytest.raises(LaunchError, match=said) as caught:
            cluster.remote.run_cell("1", resources=resources)
        assert advice in caught.value.hint
    assert cluster.remote.sessions() == []


def test_a_session_is_not_taken_for_another_kind(cluster: Place) -> None:
    cluster.run("1", resources={"time": "5"}).check()
    [session] = cluster.remote.sessions()
    assert session["job"]["launcher"] == "slurm" and session["job"]["id"]
    with pytest.raises(
        LaunchError, match="lives already, as a job of slurm, for which --set said time=5: `sessions stop`"
    ):
        cluster.run("1", resources={"time": "10"})
    with pytest.raises(LaunchError, match="lives already, as a job of slurm"):
        cluster.run("1", launcher="process")


def test_one_question_an_interval_however_many_runs(
    cluster: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    wrapper = tmp_path / "bin" / "squeue"
    wrapper.parent.mkdir()
    real = next(p for d in os.environ["PATH"].split(":") if (p := Path(d) / "squeue").exists())
    wrapper.write_text(f'#!/bin/sh\necho "$(date +%s.%N) $*" >> {calls}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    clients = [cluster.open(), cluster.open()]
    ours = [client.run_bash("true", resources={"hold": "true"}) for client in clients for _ in range(6)]
    threads = [following(run) for run in ours]
    began = time.monotonic()
    for _, _, told in threads:
        told.wait_for("held")
    await_true(lambda: time.monotonic() > began + 5)
    for run in ours:
        run.interrupt()
    for thread, _, _ in threads:
        thread.join(20)
    seconds = time.monotonic() - began
    asked = [line for line in calls.read_text().splitlines() if "-t all" in line]
    assert 2 <= len(asked) <= seconds / 0.9 + 2, "one a second, for twelve runs of two clients"


# What takes minutes.


@pytest.fixture(scope="module")
def strict() -> Iterator[SlurmCluster]:
    """A cluster that keeps memory limits and accounts."""
    with running(cgroups=True, accounting=True) as cluster:
        yield cluster


@pytest.fixture
def accounted(request: pytest.FixtureRequest, strict: SlurmCluster, tmp_path: Path) -> Iterator[Place]:
    """A host of that cluster."""
    os.environ["SLURM_CONF"] = str(strict.conf)
    yield from make_place(request, tmp_path, "local", {"launcher": "slurm", "slurm.poll": 2})


@long
def test_a_job_over_its_time_limit(accounted: Place) -> None:
    events: list[Event] = []
    run = accounted.remote.run_bash("echo started; sleep 600", resources={"time": "1"}).wait(events.append)
    assert (run.state, run.exit_code) == ("stopped", 124)
    assert "over its time limit (TIMEOUT)" in str(run.reason)
    assert "".join(event.text for event in events) == "started\n"


@long
def test_a_program_that_takes_too_much_memory(accounted: Place) -> None:
    code = "import time\nx = bytearray(600 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(60)"
    run = accounted.remote.run_script("hog.py", code, resources={"memory": "100M"}).wait()
    assert run.state == "failed"
    assert "memory" in str(run.reason), run.reason


@long
def test_what_a_job_has_used_is_recorded(accounted: Place) -> None:
    run = accounted.remote.run_bash("sleep 2").wait().check()
    facts = await_true(lambda: records.whole(accounted.remote, run.id)["record"].get("job_used"))
    assert facts["state"] == "COMPLETED"
    assert facts["elapsed_seconds"] >= 2
    assert "cpu=1" in facts["tres"]


@long
def test_a_node_that_is_lost(accounted: Place, strict: SlurmCluster) -> None:
    run = accounted.remote.run_bash("echo started; sleep 600", resources={"nodelist": "n2"})
    try:
        until(run, "started\n", lambda: strict.kill_node("n2"))
    finally:
        strict.start_node("n2")
    assert run.state == "lost"
    assert "(NODE_FAIL)" in str(run.reason)
    accounted.remote.end_remains()
