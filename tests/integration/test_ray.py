"""Ray: what is its own. That a run is a run there too is in `test_launchers.py`.

With a stand-in for its program, and one test with a real cluster (`make ray`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from following import following, listed, until
from hosts import Place, await_true, make_place
from ray_cluster import StandIn

from jupyter_remote.errors import LaunchError

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(request: pytest.FixtureRequest, standin_ray: StandIn, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything by Ray."""
    yield from make_place(request, tmp_path, "local", {"launcher": "ray", "ray.poll": 1})


def test_a_job_that_waits_is_cancelled_and_ends_when_ray_starts_it(
    cluster: Place, standin_ray: StandIn
) -> None:
    run = cluster.remote.run_bash("touch never", resources={"gpus": "2"})
    assert "--entrypoint-num-gpus=2 " in standin_ray.calls("submit")[-1]
    thread, events, told = following(run)
    told.wait_for("queued: for CPUs, GPUs or other resources of the Ray cluster")
    run.interrupt()
    thread.join(20)
    assert (run.state, run.exit_code) == ("stopped", 130)
    assert [event.kind for event in events] == ["end"]
    assert cluster.remote.sessions() == []
    name = str(run.record["job"]["id"])
    standin_ray.start_waiting(name)
    await_true(lambda: (standin_ray.folder / "jobs" / name / "exit").exists())
    assert not list(cluster.files.rglob("never"))


def test_a_job_that_somebody_else_stops_says_so(cluster: Place, standin_ray: StandIn) -> None:
    run = cluster.remote.run_bash("echo started; sleep 600")
    name = str(run.record["job"]["id"])
    until(run, "started\n", lambda: standin_ray.end(name))
    assert (run.state, run.exit_code) == ("stopped", 143)
    assert run.reason == f"job {name} was stopped (ray job stop)"
    assert listed(cluster, run)["state"] == "stopped"


def test_a_cluster_that_is_down_refuses_with_advice_and_ends_no_run(
    cluster: Place, standin_ray: StandIn
) -> None:
    go = cluster.files / "go"
    run = cluster.remote.run_bash(f"echo started; until [ -e {go} ]; do sleep 0.05; done; echo ended")

    def down() -> None:
        (standin_ray.folder / "down").touch()
        with pytest.raises(LaunchError, match="Ray refused the job: Failed to connect to Ray") as caught:
            cluster.open().run_bash("true")
        assert "`ray start --head`" in caught.value.hint
        assert listed(cluster, run)["state"] == "running"
        go.touch()

    assert until(run, "started\n", down) == "started\nended\n"
    (standin_ray.folder / "down").unlink()


def test_a_program_that_is_not_there_names_the_setting(cluster: Place) -> None:
    for program in ("/no/ray", "~/no/ray"):
        with pytest.raises(LaunchError, match="there is no ") as caught:
            cluster.reopen(**{"ray.program": program}).run_bash("true")
        assert "`ray.program` of the host" in caught.value.hint


def test_a_cell_has_its_gpu_and_finds_the_cluster(
    request: pytest.FixtureRequest, real_ray: dict[str, str], tmp_path: Path
) -> None:
    settings = {"launcher": "ray", "ray.gpus": 1, **real_ray}
    code = """
    import os, ray
    ray.init(logging_level="ERROR", log_to_driver=False)
    double = ray.remote(num_cpus=1)(lambda x: 2 * x)
    [os.environ["CUDA_VISIBLE_DEVICES"], ray.cluster_resources()["GPU"], ray.get(double.remote(21))]
    """
    for place in make_place(request, tmp_path, "local", settings):
        assert place.run(textwrap.dedent(code)).check().result == {"text/plain": "['0', 1.0, 42]"}
