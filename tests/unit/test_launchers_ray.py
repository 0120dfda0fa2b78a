"""Ray: what is submitted, what recorded answers mean, and in which words it is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from jupyter_remote.config_models import HostConfig
from jupyter_remote.config_schedulers import RayOptions
from jupyter_remote.errors import UsageError
from jupyter_remote.launchers import ray
from jupyter_remote.launchers.choice import ordered
from jupyter_remote.launchers.job import Answer, NoAnswer, Standing, Work


def shown(
    name: str, status: str, message: str, entrypoint: str = "/bin/sh /x/script", driver: str = "None"
) -> str:
    """A job as `ray job list` shows it."""
    return (
        f"JobDetails(type=<JobType.SUBMISSION: 'SUBMISSION'>, job_id=None, submission_id={name!r}, "
        f"driver_info={driver}, status=<JobStatus.{status}: {status!r}>, entrypoint={entrypoint!r}, "
        f"message={message!r}, error_type=None, start_time=1795732287638, end_time=None, metadata={{}}, "
        "runtime_env={}, driver_agent_http_address=None, driver_node_id=None, driver_exit_code=None)"
    )


WAITS = "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom resources)."
TRICK = "it's submission_id='jr-x3', driver_info=None, status=<JobStatus.RUNNING: 'RUNNING'>"
LOGS = f"Job entrypoint command failed with exit code 7, last available logs (truncated):\n{TRICK}\n"
DRIVER = "DriverInfo(id='02000000', node_ip_address='192.0.2.2', pid='7')"
JOBS = [
    shown("jr-x2", "PENDING", WAITS),
    shown("jr-x1", "FAILED", LOGS, entrypoint="sh -c 'echo submission_id='", driver=DRIVER),
    shown("jr-x4", "STOPPED", "Job was intentionally stopped."),
]
SHOWN = ",\n ".join(JOBS)
LISTED = (
    "2026-11-22 02:31:44,435\tINFO cli.py:42 -- \x1b[37mJob submission server address\x1b[39m: http://x\n"
    f"2026-11-22 02:31:44,442\tINFO cli.py:600 -- [{SHOWN}]\n"
)
DOWN = """Traceback (most recent call last):
  File "/x/urllib3/connection.py", line 239, in _new_conn
ConnectionError: Failed to connect to Ray at address: http://127.0.0.1:9.
"""


def host(**settings: Any) -> HostConfig:
    return HostConfig(name="c", type="local", ray=RayOptions.model_validate(settings))


def test_settings_become_words_of_ray() -> None:
    order = ray.order(host(), Work("s"))
    assert order.submit[:3] == ["ray", "job", "submit"]
    assert order.submit[3:] == ["--no-wait", "--submission-id", "jr-{key}", "--", "/bin/sh", "{script}"]
    wanted = {"gpus": 0.5, "cpus": 2, "memory": "1G", "resources": {"a": 1}, "address": "http://h:1"}
    words = ray.order(host(**wanted, args=["--runtime-env", "env.yaml"]), Work("s")).submit
    assert words[3] == "--address=http://h:1"
    assert words[7:13] == [
        "--entrypoint-num-cpus=2",
        "--entrypoint-num-gpus=0.5",
        "--entrypoint-memory=1073741824",
        '--entrypoint-resources={"a": 1.0}',
        "--runtime-env",
        "env.yaml",
    ]
    assert ray.poll(host(address="http://h:1")) == ["ray", "job", "list", "--address=http://h:1"]
    assert ray.poll(host(program="~/env/bin/ray"))[3:] == ["ray", "env/bin/ray", "job", "list"]


def test_a_misspelt_setting_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"--set gpu: ray has no such setting; did you mean gpus\? Valid:"):
        ordered(host(), "s", None, "ray", {"gpu": "1"})
    with pytest.raises(UsageError, match=r"--set address: ray\.address is for the settings of the host"):
        ordered(host(), "s", None, "ray", {"address": "http://h:1"})
    with pytest.raises(UsageError, match="--set gpus=x: found `x`; valid is a number"):
        ordered(host(), "s", None, "ray", {"gpus": "x"})


def test_the_id_is_read_off_what_it_logs() -> None:
    said = "2026-11-22 02:31:24,559\tSUCC cli.py:67 -- \x1b[32mJob 'jr-x1' submitted successfully\x1b[39m\n"
    match = re.search(ray.order(host(), Work("s")).id, said)
    assert match is not None
    assert match[1] == "jr-x1"


def test_how_jobs_stand() -> None:
    found = ray.standings(Answer(0, LISTED))
    assert {name: (one.phase, one.word, one.exit_code) for name, one in found.items()} == {
        "jr-x2": ("waiting", "PENDING", 0),
        "jr-x1": ("ended", "FAILED", 7),
        "jr-x4": ("ended", "STOPPED", 0),
    }, "what a job has printed is not taken for a job"
    assert ray.standings(Answer(0, "", LISTED)) == found
    with pytest.raises(NoAnswer, match=r"^Failed to connect to Ray at address"):
        ray.standings(Answer(1, "", DOWN))
    with pytest.raises(NoAnswer, match="there is no ray here"):
        ray.standings(Answer(127, "", "there is no ray here"))
    assert ray.line(found["jr-x2"], None).startswith("queued: for CPUs, GPUs or other resources")


@pytest.mark.parametrize(
    ("standing", "state", "code", "said"),
    [
        (Standing("ended", "STOPPED"), "stopped", 143, "was stopped (ray job stop)"),
        (Standing("ended", "FAILED", "failed with exit code 7", exit_code=7), "failed", 7, "exit code 7"),
        (Standing("ended", "FAILED", "failed with exit code -9", exit_code=-9), "failed", 137, "SIGKILL"),
        (Standing("ended", "FAILED", "its node died"), "failed", 1, "failed: its node died"),
        (Standing("ended", "SUCCEEDED"), "failed", 1, "without a word of its own"),
        (Standing("gone", id="jr-x"), "lost", 1, "Ray does not know job jr-x any more"),
    ],
)
def test_ends_are_told_apart(standing: Standing, state: str, code: int, said: str) -> None:
    found = ray.verdict(standing)
    assert (found.state, found.exit_code) == (state, code)
    assert said in found.reason


def test_what_the_script_left() -> None:
    assert ray.verdict(ray.ended("137\n")).exit_code == 137
    assert ray.verdict(ray.ended("143\n")).state == "stopped"
    assert ray.verdict(ray.ended("")).exit_code == 1


@pytest.mark.parametrize(
    ("said", "code", "message", "advice"),
    [
        (
            DOWN,
            1,
            "c: Ray refused the job: Failed to connect to Ray at address: http://127.0.0.1:9.",
            "ray start",
        ),
        ("there is no ray here", 127, "there is no ray here", "ray.program"),
        ("sh: 1: exec: /root/env/bin/ray: not found", 127, "there is no ray here", "ray.program"),
        ("Usage: ray job submit\nError: No such option: --entrypoint-memory", 2, "No such option", "upgrade"),
        (
            "RuntimeError: Request failed\nValueError: Job with submission_id jr-x1 already exists.\n.\n.",
            1,
            "Job with",
            "",
        ),
        ("", 3, "ray ended with exit code 3", ""),
    ],
)
def test_a_refusal_comes_with_advice(said: str, code: int, message: str, advice: str) -> None:
    error = ray.refused("c", said, code)
    assert message in error.message
    assert advice in (error.hint or "")
