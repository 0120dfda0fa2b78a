"""Launchers decide with text only: what is submitted, what answers mean, and in which words it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.config import Config
from jupyter_remote.config_models import ContainerOptions, HostConfig
from jupyter_remote.config_schedulers import SlurmOptions
from jupyter_remote.errors import ConfigError, UsageError
from jupyter_remote.jobs import Job, verdict
from jupyter_remote.launchers import LAUNCHERS, Launcher, launcher, slurm
from jupyter_remote.launchers.choice import ordered
from jupyter_remote.launchers.job import Answer, NoAnswer, Standing, Work


def host(**settings: Any) -> HostConfig:
    image = ContainerOptions(image="i")
    return HostConfig(name="cluster", type="local", slurm=SlurmOptions(**settings), container=image)


def submitted(**settings: Any) -> list[str]:
    return slurm.order(host(**settings), Work("s")).submit


@pytest.mark.parametrize("kind", LAUNCHERS)
def test_every_launcher_keeps_the_contract(kind: str) -> None:
    names = [name for name in vars(Launcher) if not name.startswith("_")] + ["SETTINGS"]
    assert [name for name in names if not hasattr(launcher(kind), name)] == []
    order = launcher(kind).order(host(), Work("s"))
    if order is None:
        return
    assert order.kind == kind
    assert "{boot} {state} {session} -1 -1" in order.script
    assert order.script.rstrip().splitlines()[-2].startswith("mv "), "the end appears whole"
    assert any("{script}" in word for word in order.submit)
    assert any("{id}" in word for word in order.cancel)
    assert all(isinstance(value, (str, list, bool)) for value in order.document().values())


def test_an_unknown_launcher_and_an_unknown_setting_name_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'slrm'; did you mean slurm\? Valid: process, container, slurm"):
        ordered(host(), "s", None, "slrm")
    with pytest.raises(UsageError, match=r"no such setting; did you mean partition\? Valid: partition, "):
        ordered(host(), "s", None, "slurm", {"parttion": "gpu"})
    with pytest.raises(UsageError, match=r"--set nodes=x: found `x`; valid is a whole number"):
        ordered(host(), "s", None, "slurm", {"nodes": "x"})
    with pytest.raises(UsageError, match=r"--set gpus=…: the launcher `process` takes no settings"):
        ordered(host(), "s", None, None, {"gpus": "1"})


def test_a_misspelt_setting_of_the_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / ".jupyter-remote.yaml").write_text("hosts: {c: {type: local, slurm: {parttion: gpu}}}\n")
    with pytest.raises(ConfigError, match=r"slurm.parttion: unknown key; did you mean `partition`"):
        Config.load(tmp_path)


def test_what_the_call_says_lies_over_what_the_host_says() -> None:
    order = ordered(host(partition="cpu", account="a1"), "s", None, "slurm", {"partition": "gpu"})
    assert order is not None
    assert "--partition=gpu" in order["submit"]
    assert "--account=a1" in order["submit"]
    assert order["asked"] == {"partition": "gpu"}
    assert ordered(host(), "s", None) is None, "the process is the agent's to start"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gpus": "2"}, ["--gres=gpu:2"]),
        ({"gpus": "a100:1"}, ["--gres=gpu:a100:1"]),
        ({"cpus": 4, "memory": "8G", "tasks": 2}, ["--ntasks=2", "--cpus-per-task=4", "--mem=8G"]),
        ({"time": "2h"}, ["--time=02:00:00"]),
        ({"time": "1d12h"}, ["--time=36:00:00"]),
        ({"time": "30"}, ["--time=30"]),
        ({"time": "1-12:00:00"}, ["--time=1-12:00:00"]),
        ({"exclusive": True, "hold": False}, ["--exclusive"]),
        ({"exclusive": "user"}, ["--exclusive=user"]),
        ({"mail_user": "me@there"}, ["--mail-user=me@there"]),
        ({"args": ("--foo", "bar")}, ["--foo", "bar"]),
        ({"poll": 5, "control": "inbox"}, []),
    ],
)
def test_settings_become_words_of_sbatch(settings: dict[str, Any], words: list[str]) -> None:
    fixed = len(submitted()) - 1
    assert submitted(**settings)[fixed:-1] == words


def test_what_can_not_be_meant_is_refused_here() -> None:
    with pytest.raises(UsageError, match="'soon' is no time"):
        submitted(time="soon")
    with pytest.raises(UsageError, match="not with a cell"):
        submitted(array="0-3")
    for wrong in ("x", "1-", "0-4:0", "5-1"):
        with pytest.raises(UsageError, match="array"):
            slurm.order(host(array=wrong), Work("s", "program"))


def test_an_array_and_several_nodes() -> None:
    order = slurm.order(host(array="1,4-8:2%3"), Work("s", "program"))
    assert order.tasks == ["1", "4", "6", "8"]
    assert 'folder={folder}/tasks/"$SLURM_ARRAY_TASK_ID"' in order.script
    assert order.relay == []
    many = slurm.order(host(nodes=2, cpus=3), Work("s", "program"))
    assert many.each[:4] == ["srun", "--disable-status", "--kill-on-bad-exit=1", "--cpus-per-task=3"]
    assert slurm.order(host(nodes=2), Work("s")).each == [], "a session lives on the first node"


def row(name: str, state: str, code: str = "0", reason: str = "None", start: str = "N/A") -> str:
    fields = (name, state, code, reason, start, "gpu", "n[1-2]")
    return "".join(f"{text:<{width}}" for text, (_, width) in zip(fields, slurm._FIELDS, strict=True))


def test_how_jobs_stand() -> None:
    rows = [
        row("7", "RUNNING"),
        row("8", "FAILED", str(7 << 8), "NonZeroExitCode"),
        row("9", "FAILED", "11"),
        row("10_[1-2,5%1]", "PENDING", reason="Resources", start="2026-11-26T10:40:00"),
        row("10_0", "COMPLETED"),
        row("11", "OUT_OF_MEMORY", "125"),
    ]
    found = slurm.standings(Answer(0, "\n".join(rows)))
    assert found["7"].phase == "running"
    assert (found["8"].phase, found["8"].exit_code, found["8"].signal) == ("ended", 7, 0)
    assert (found["9"].exit_code, found["9"].signal) == (0, 11)
    assert {name for name, one in found.items() if one.phase == "waiting"} == {"10_1", "10_2", "10_5"}
    assert found["10_5"].start == "2026-11-26T10:40:00"
    assert found["7"].nodes == "n[1-2]"
    with pytest.raises(NoAnswer, match="Unable to contact"):
        slurm.standings(Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller"))


@pytest.mark.parametrize(
    ("reason", "ahead", "start", "line"),
    [
        ("Priority", 12, "2000-01-02T10:40:00", "queued (12 ahead, est. 2000-01-02 10:40)"),
        ("Resources", 0, "", "queued (next): for free resources (Resources)"),
        ("Dependency", 3, "", "queued: for the jobs it depends on (Dependency)"),
        (
            "JobHeldUser",
            0,
            "",
            "queued: held by its user; `scontrol release 5` lets it go (JobHeldUser)",
        ),
        (
            "QOSMaxJobsPerUserLimit",
            None,
            "",
            "queued: a limit of its QOS is reached (QOSMaxJobsPerUserLimit)",
        ),
        ("AssocGrpCpuLimit", None, "", "queued: a limit of its account is reached (AssocGrpCpuLimit)"),
        (
            "PartitionTimeLimit",
            1,
            "",
            "queued, but will not start: it asks for more time than its partition gives (PartitionTimeLimit)",
        ),
        ("Somethingnew", None, "", "queued: Somethingnew"),
        ("", None, "", "queued"),
    ],
)
def test_a_job_that_waits_in_words(reason: str, ahead: int | None, start: str, line: str) -> None:
    standing = Standing("waiting", "PENDING", reason, start, id="5")
    assert slurm.line(standing, ahead) == line


def test_how_many_are_ahead() -> None:
    answer = Answer(0, "3|Priority\n4_[0-9]|Priority\n6|JobHeldUser\n5|Resources\n9|Priority\n")
    assert slurm.ahead(answer, Standing("waiting", id="5")) == 2, "one that is held is ahead of nobody"
    assert slurm.ahead(answer, Standing("waiting", id="4_3")) == 1
    assert slurm.ahead(answer, Standing("waiting", id="77")) is None
    assert slurm.ahead(Answer(1, ""), Standing("waiting", id="5")) is None


@pytest.mark.parametrize(
    ("standing", "state", "code", "said"),
    [
        (Standing("ended", "TIMEOUT"), "stopped", 124, "over its time limit (TIMEOUT)"),
        (Standing("ended", "OUT_OF_MEMORY", exit_code=0, signal=125), "failed", 137, "(OUT_OF_MEMORY)"),
        (Standing("ended", "NODE_FAIL", nodes="n7"), "lost", 1, "on n7 (NODE_FAIL)"),
        (Standing("ended", "PREEMPTED"), "stopped", 143, "(PREEMPTED)"),
        (Standing("ended", "CANCELLED by 1000"), "stopped", 143, "(CANCELLED)"),
        (Standing("ended", "FAILED", exit_code=7), "failed", 7, "(FAILED, exit code 7)"),
        (Standing("ended", "FAILED", signal=11), "failed", 139, "(FAILED, SIGSEGV)"),
        (Standing("ended", "COMPLETED"), "failed", 1, "without a word of its own"),
        (Standing("ended", "FAILED", "BadConstraints"), "failed", 1, "no node has what it asks for"),
        (Standing("gone", id="12"), "lost", 1, "does not know job 12 any more"),
    ],
)
def test_ends_are_told_apart(standing: Standing, state: str, code: int, said: str) -> None:
    found = slurm.verdict(standing)
    assert (found.state, found.exit_code) == (state, code)
    assert said in found.reason


def test_what_the_script_left_tells_the_end_when_the_scheduler_has_forgotten() -> None:
    limit = "143\nJobId=5 JobState=COMPLETING Reason=TimeLimit NodeList=n1 BatchHost=n1\n"
    assert slurm.verdict(slurm.ended(limit)).exit_code == 124
    assert slurm.ended("143\nJobId=5 JobState=COMPLETING Reason=None NodeList=n1\n").word == "CANCELLED"
    assert slurm.ended("137\nscontrol: command not found\n").exit_code == 137


def test_nothing_follows_from_silence() -> None:
    job = Job({"key": "k", "id": "5"})
    alive = {"started": 1, "quiet": 2.0, "age": 100.0}
    assert verdict("slurm", job, None, {"end": "0\n"}) is None, "the controller is down"
    assert verdict("slurm", job, Standing("running"), alive) is None
    assert verdict("slurm", job, Standing("gone"), alive) is None, "its supervisor has just been there"
    assert verdict("slurm", job, Standing("gone"), {"started": 0, "age": 10.0}, asked=9.0) is None
    gone = verdict("slurm", job, Standing("gone"), {"started": 1, "quiet": 60.0, "age": 100.0})
    assert gone is not None
    assert gone.state == "lost"
    told = verdict("slurm", job, Standing("gone"), {"end": "7\nJobId=5 JobState=RUNNING\n", "age": 9e9})
    assert told is not None
    assert (told.state, told.exit_code) == ("failed", 7)


def test_what_jobs_have_used() -> None:
    text = (
        "7|COMPLETED|0:0|12||00:01.5|cpu=4,mem=4G,node=1\n"
        "7.batch|COMPLETED|0:0|12|1000K|00:01.0|cpu=4\n7.0|COMPLETED|0:0|11|2048.5K|00:00.5|cpu=1\n"
    )
    assert slurm.used(Answer(0, text)) == {
        "7": {
            "state": "COMPLETED",
            "exit_code": "0:0",
            "cpu_time": "00:01.5",
            "tres": "cpu=4,mem=4G,node=1",
            "elapsed_seconds": 12,
            "peak_memory": 2097664,
        }
    }
    with pytest.raises(NoAnswer, match="disabled"):
        slurm.used(Answer(1, "", "Slurm accounting storage is disabled"))


@pytest.mark.parametrize(
    ("said", "message", "advice"),
    [
        (
            "sbatch: error: Batch job submission failed: Requested node configuration is not available",
            "c: Slurm refused the job: Requested node configuration is not available",
            "sinfo -o",
        ),
        ("sbatch: error: invalid partition specified: x", "invalid partition specified: x", "sinfo -s"),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", "Unable", "scontrol ping"),
        ("there is no sbatch here", "there is no sbatch here", "PATH"),
        ("", "sbatch ended with exit code 3", ""),
    ],
)
def test_a_refusal_comes_with_advice(said: str, message: str, advice: str) -> None:
    error = slurm.refused("c", said, 3)
    assert message in error.message
    assert advice in error.hint
