"""PBS: what is its own. That a run is a run there too is in `test_launchers.py`.

The server is a stand-in that answers as a recorded OpenPBS 23.06 does; a real `qsub` is there as well.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from following import following, listed, until
from hosts import Place, await_true, make_place
from pbs_server import WAITS, PbsServer
from slurm_cluster import SlurmCluster

from jupyter_remote import jobs, records
from jupyter_remote.errors import LaunchError
from jupyter_remote.events import Event

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(request: pytest.FixtureRequest, openpbs: PbsServer, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything by PBS."""
    yield from make_place(request, tmp_path, "local", {"launcher": "pbs", "pbs.poll": 1})


def test_what_is_asked_for_reaches_qsub(cluster: Place, openpbs: PbsServer) -> None:
    wanted = {"ngpus": "1", "ncpus": "12", "mem": "16G", "walltime": "2h", "storage": "gdata/a56+scratch/a56"}
    run = cluster.remote.run_bash("true", resources={**wanted, "project": "a56", "queue": "gpuvolta"})
    run.wait().check()
    [call] = [call for call in openpbs.calls("qsub") if "--version" not in call]
    assert "-q gpuvolta -P a56" in call
    assert "-l ncpus=12,ngpus=1,mem=16gb,walltime=02:00:00,storage=gdata/a56+scratch/a56" in call
    assert str(run.record["job"]["id"]).endswith(".nbh1")


def test_the_queue_is_chosen_by_what_is_asked_for(
    request: pytest.FixtureRequest, openpbs: PbsServer, tmp_path: Path
) -> None:
    table = {"gpuvolta": {"min_gpus": 1}, "normal": {"max_memory": "190G"}}
    settings = {"launcher": "pbs", "pbs.queue": "auto", "pbs.queues": table}
    for place in make_place(request, tmp_path, "local", settings):
        ours = [place.remote.run_bash("true", resources=wanted) for wanted in ({"gpus": "2"}, {"cpus": "4"})]
        for run in ours:
            run.wait().check()
    queues = [call.split(" -q ")[1].split()[0] for call in openpbs.calls("qsub") if " -q " in call]
    assert queues == ["gpuvolta", "normal"]


def test_modules_are_loaded_before_a_cell_and_a_program(cluster: Place, tmp_path: Path) -> None:
    # As a site has it: a function of the shell, which a file of the system defines.
    profile = tmp_path / "modules.sh"
    profile.write_text("module() { export LOADED=$2; }\n")
    place = cluster.reopen(env_setup=f". {profile}\nmodule load python3/3.11\n")
    assert place.run_bash('test "$LOADED" = python3/3.11').wait().exit_code == 0
    run = place.run_cell("import os; os.environ['LOADED']").wait().check()
    assert run.result == {"text/plain": "'python3/3.11'"}


def test_a_job_that_waits_says_why_and_is_deleted(cluster: Place, openpbs: PbsServer) -> None:
    openpbs.say("wait", WAITS)
    first = cluster.remote.run_bash("true")
    run = cluster.remote.run_bash("echo never")
    thread, events, told = following(run)
    told.wait_for("queued (1 ahead): Insufficient amount of resource: ngpus (R: 2 A: 0 T: 2)")
    assert listed(cluster, run)["state"] == "queued"
    run.interrupt()
    thread.join(20)
    assert (run.state, run.exit_code) == ("stopped", 130)
    assert run.reason == "cancelled while it waited in the queue"
    assert [event.kind for event in events] == ["end"]
    assert openpbs.waiting() == [first.record["job"]["id"]]
    first.interrupt()
    assert first.wait().state == "stopped"


def test_a_job_that_can_never_run_says_so_at_once(cluster: Place) -> None:
    run = cluster.remote.run_cell("1", resources={"gpus": "9"})
    thread, _, told = following(run)
    told.wait_for("queued, but will not start: Can Never Run: Insufficient amount of resource: ngpus")
    run.interrupt()
    thread.join(20)
    assert run.state == "stopped"
    assert cluster.remote.sessions() == []


def test_another_client_attaches_while_the_job_is_held(cluster: Place, openpbs: PbsServer) -> None:
    run = cluster.remote.run_bash("echo it ran", resources={"hold": "true"})
    run.detach()
    other = cluster.open().attach(run.id)
    thread, events, told = following(other)
    name = str(run.record["job"]["id"])
    told.wait_for(f"held; `qrls {name}` lets it go")
    openpbs.release(name)
    thread.join(20)
    assert "".join(event.text for event in events) == "it ran\n"


@pytest.mark.parametrize("history", [True, False])
def test_a_job_that_somebody_else_deletes_says_so(cluster: Place, openpbs: PbsServer, history: bool) -> None:
    if history:
        openpbs.say("history")
    run = cluster.remote.run_bash("echo started; sleep 600")
    name = str(run.record["job"]["id"])
    until(run, "started\n", lambda: openpbs.delete(name))
    assert (run.state, run.exit_code) == ("stopped", 143)
    assert run.reason == f"job {name} was deleted (qdel)"
    assert listed(cluster, run)["state"] == "stopped"


@pytest.mark.parametrize("history", [True, False])
def test_a_job_over_its_time_limit(cluster: Place, openpbs: PbsServer, history: bool) -> None:
    if history:
        openpbs.say("history")
    run = cluster.remote.run_bash("echo started; sleep 600", resources={"walltime": "1"})
    name = str(run.record["job"]["id"])
    began = time.monotonic()

    def over() -> None:
        await_true(lambda: time.monotonic() > began + 2)  # its script counts whole seconds
        openpbs.overrun(name)

    assert until(run, "started\n", over) == "started\n"
    assert (run.state, run.exit_code) == ("stopped", 124)
    assert f"job {name} was over its time limit (walltime)" in str(run.reason)


def test_a_supervisor_that_was_killed_ends_its_run_by_what_the_script_left(cluster: Place) -> None:
    run = cluster.remote.run_cell("import os\nprint(os.getppid(), flush=True)\nimport time; time.sleep(600)")
    for event in run.events():
        if event.text:
            os.kill(int(event.text), signal.SIGKILL)
    assert run.state == "failed"
    assert "without a word of its own (SIGKILL)" in str(run.reason)
    assert cluster.run("'a new job'").check().result == {"text/plain": "'a new job'"}
    cluster.remote.end_remains()


def test_a_server_that_is_down_is_not_a_job_that_is_gone(cluster: Place, openpbs: PbsServer) -> None:
    go = cluster.files / "go"
    run = cluster.remote.run_bash(f"echo started; until [ -e {go} ]; do sleep 0.05; done; echo ended")
    waiting = cluster.remote.run_bash("echo it waited", resources={"hold": "true"})
    thread, events, told = following(waiting)
    told.wait_for("held")

    def server_goes_and_comes() -> None:
        openpbs.say("down")
        try:
            told.wait_for("cannot connect to server nbh1")
            with pytest.raises(LaunchError, match="cannot connect to server nbh1") as caught:
                cluster.open().run_bash("true")
            assert "`qstat -B`" in caught.value.hint
            go.touch()
        finally:
            openpbs.unsay("down")

    assert until(run, "started\n", server_goes_and_comes) == "started\nended\n"
    openpbs.release(str(waiting.record["job"]["id"]))
    thread.join(30)
    assert "".join(event.text for event in events) == "it waited\n"


def test_the_commands_of_torque_are_spoken_to_as_they_want(
    request: pytest.FixtureRequest, torque: SlurmCluster, tmp_path: Path
) -> None:
    for place in make_place(request, tmp_path, "local", {"launcher": "pbs", "pbs.poll": 1}):
        run = place.remote.run_bash("echo never", resources={"hold": "true"})
        thread, events, told = following(run)
        told.wait_for("queued")
        number = str(run.record["job"]["id"])
        assert number in torque.jobs()
        run.interrupt()
        thread.join(20)
        assert (run.state, run.exit_code) == ("stopped", 130)
        assert [event.kind for event in events] == ["end"]
        assert number not in torque.jobs()
        wanted = {"gpus": "1", "cpus": "2", "memory": "200M", "walltime": "2m"}
        seen = place.remote.run_bash(
            'echo "$CUDA_VISIBLE_DEVICES" "$SLURM_JOB_CPUS_PER_NODE"', resources=wanted
        )
        got: list[Event] = []
        seen.wait(got.append).check()
        assert "".join(event.text for event in got) == "0 2\n"
        with pytest.raises(
            LaunchError, match=r"refused the job: .*invalid partition specified: nope"
        ) as caught:
            place.remote.run_bash("true", resources={"queue": "nope"})
        assert "`qstat -q`" in caught.value.hint


def test_what_can_not_be_had_is_refused_with_advice(cluster: Place) -> None:
    for resources, said, advice in (
        ({"queue": "nope"}, "local: PBS refused the job: Unknown queue", "qstat -q"),
        ({"resources": "jobsf=1gb"}, "Unknown resource: jobsf", "pbsnodes"),
    ):
        with pytest.raises(LaunchError, match=said) as caught:
            cluster.remote.run_cell("1", resources=resources)
        assert advice in caught.value.hint
    assert cluster.remote.sessions() == []


def test_a_host_without_qsub_says_so(cluster: Place, openpbs: PbsServer) -> None:
    (openpbs.bin / "qsub").write_text("#!/bin/sh\necho 'sh: 1: qsub: not found' >&2\nexit 127\n")
    with pytest.raises(LaunchError, match="there is no qsub here") as caught:
        cluster.remote.run_cell("1")
    assert "PATH of a non-interactive login" in caught.value.hint


def test_what_a_job_has_used_is_recorded_where_the_server_remembers(
    cluster: Place, openpbs: PbsServer
) -> None:
    openpbs.say("history")
    run = cluster.remote.run_bash("true").wait().check()
    await_true(lambda: openpbs.job(str(run.record["job"]["id"]))["job_state"] == "F")
    record = records.whole(cluster.remote, run.id)["record"]
    jobs.note_use(cluster.remote.connection(), [record])
    facts = records.whole(cluster.remote, run.id)["record"]["job_used"]
    assert (facts["state"], facts["tres"]) == ("COMPLETED", "ncpus=1,nodect=1")
    assert facts["peak_memory"] == 5120 << 10


def test_one_question_an_interval_however_many_runs(cluster: Place, openpbs: PbsServer) -> None:
    clients = [cluster.open(), cluster.open()]
    ours = [client.run_bash("true", resources={"hold": "true"}) for client in clients for _ in range(2)]
    followed = [following(run) for run in ours]
    for _, _, told in followed:
        told.wait_for("held")
    before, since = len(asked(openpbs)), time.monotonic()
    await_true(lambda: time.monotonic() > since + 2.5)
    count, seconds = len(asked(openpbs)) - before, time.monotonic() - since
    for run in ours:
        run.interrupt()
    for thread, _, _ in followed:
        thread.join(20)
    assert 1 <= count <= seconds / 0.9 + 2, "one a second, for four runs of two clients"


def asked(openpbs: PbsServer) -> list[str]:
    """The questions how all jobs stand."""
    return [call for call in openpbs.calls("qstat") if "-F json" in call]
