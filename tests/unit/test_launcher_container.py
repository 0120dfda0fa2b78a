"""Containers as text: words of the engines, the script, how they stand, what their ends and refusals mean."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.agent import jobs
from jupyter_remote.agent.processes import boot_id
from jupyter_remote.config_models import ContainerOptions, HostConfig
from jupyter_remote.errors import UsageError
from jupyter_remote.launchers import container
from jupyter_remote.launchers.choice import ordered
from jupyter_remote.launchers.container_script import filled
from jupyter_remote.launchers.job import Answer, NoAnswer, Order, Standing, Work
from jupyter_remote.ordering import session_settings


def host(**settings: Any) -> HostConfig:
    options = ContainerOptions(**{"image": "i", **settings})
    return HostConfig(name="h", type="local", launcher="container", container=options)


def made(**settings: Any) -> Order:
    return container.order(host(**settings), Work("s"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"network": "host", "memory": "8g", "cpus": 2, "shm": "1g"},
            "--network host --memory 8g --cpus 2 --shm-size",
        ),
        ({"gpus": "all"}, "--gpus all"),
        ({"gpus": "device=0,1"}, """--gpus '"device=0,1"'"""),
        ({"engine": "podman", "gpus": "2"}, "--device nvidia.com/gpu=0 --device nvidia.com/gpu=1"),
        ({"engine": "podman", "gpus": "all"}, "--device nvidia.com/gpu=all"),
        ({"engine": "apptainer", "gpus": "device=3"}, "exec --cleanenv --pwd / --nv"),
        ({"engine": "apptainer", "gpus": "device=3"}, "export CUDA_VISIBLE_DEVICES=3"),
        (
            {"volumes": ("~/data:/data:ro", "/my data")},
            """--volume "$HOME"/data:/data:ro --volume '/my data:/my data'""",
        ),
        ({"user": "1000:1000"}, "--user 1000:1000"),
        ({"args": ("--ipc=host", "--env-file", "f")}, "--ipc=host --env-file f"),
        ({"image": "a@sha256:0"}, "image=a@sha256:0"),
        ({"pull": "never"}, "[ never = never ]"),
    ],
)
def test_settings_become_words_of_the_engine(settings: dict[str, Any], words: str) -> None:
    assert words.replace("'/my data:/my data'", "'/my data':'/my data'") in made(**settings).script


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image": None}, "needs an image"),
        ({"image": "--privileged"}, "starts with a dash"),
        ({"gpus": "some"}, "'some' is no number of GPUs"),
        ({"env": ("KEY=s3cr3t",)}, "'KEY' is no name of a variable"),
        ({"args": ("-e", "KEY=1")}, "could be seen by everybody"),
        ({"args": ("--env=KEY=1",)}, "could be seen by everybody"),
        ({"engine": "apptainer", "shm": "1g"}, "sets no size"),
        ({"engine": "apptainer", "user": "0:0"}, "always the one outside"),
    ],
)
def test_what_can_not_be_meant_is_refused_here(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        made(**settings)
    assert "s3cr3t" not in str(caught.value)


def test_lists_of_the_call_and_the_python_of_the_image() -> None:
    order = ordered(host(), "s", None, None, {"volumes": "/a:/a,/b", "env": "A,B", "args": "--init"})
    assert order is not None
    assert "for path in /a /b; do" in order["script"]
    assert "for key in A B; do" in order["script"]
    assert session_settings(host(), "/w", "s", None)["python"] == "python3", "not that of the notebook"
    assert session_settings(host(python="/opt/py"), "/w", "s", None)["python"] == "/opt/py"


@pytest.mark.parametrize("engine", ["docker", "podman", "apptainer"])
def test_every_script_is_one_for_sh(engine: str, tmp_path: Path) -> None:
    for settings in ({}, {"gpus": "1", "env": ("A",), "volumes": ("/a",)}):
        path = tmp_path / "script"
        path.write_text(made(engine=engine, **settings).script.replace("{", "").replace("}", ""))
        text = made(engine=engine, **settings).script
        for word in ("folder", "state", "session", "workspace", "agent", "boot"):
            text = text.replace("{" + word + "}", "/x")
        path.write_text(text)
        assert subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True).stderr == ""
        assert "@" not in text.replace('"$@"', "")


def test_nothing_in_a_value_is_taken_for_a_placeholder() -> None:
    assert filled("@a @b @c", {"a": "@b", "b": "1"}) == "@b 1 @c"


def test_how_containers_stand() -> None:
    rows = (
        "jr-a|running|0|\njr-b|pulling|0|\njr-c|exited|7|false\njr-d|exited|137|true\njr-e|created|0|false\n"
    )
    found = container.standings(Answer(0, rows + "jr-f|paused|0|false\n"))
    assert {name: one.phase for name, one in found.items()} == {
        "jr-a": "running",
        "jr-b": "waiting",
        "jr-c": "ended",
        "jr-d": "ended",
        "jr-e": "ended",
        "jr-f": "running",
    }
    assert container.line(found["jr-b"], None) == "pulling its image"
    assert container.line(found["jr-a"], None) == "starting its container"
    assert container.verdict(found["jr-c"]).exit_code == 7
    assert "out of memory" in container.verdict(found["jr-d"]).reason
    assert "made and never started" in container.verdict(found["jr-e"]).reason
    with pytest.raises(NoAnswer, match="daemon running"):
        container.standings(
            Answer(1, "", "Cannot connect to the Docker daemon. Is the docker daemon running?\n")
        )


@pytest.mark.parametrize(
    ("text", "state", "code", "said"),
    [
        ("143\ncancelled\n", "stopped", 143, "was stopped"),
        ("143\nexited\n", "stopped", 143, "was stopped"),
        ("137\nexited\n", "failed", 137, "killed (SIGKILL)"),
        ("137\noom\n", "failed", 137, "out of memory"),
        ("139\nexited\n", "failed", 139, "(SIGSEGV)"),
        ("1\nexited\nTraceback\nOSError: gone\n", "failed", 1, "(exit code 1): OSError: gone"),
        (
            "125\nrefused\ndocker: Error response from daemon: pull access denied for x\n",
            "failed",
            1,
            "docker login",
        ),
        ("", "failed", 1, "without a word"),
    ],
)
def test_ends_are_told_apart(text: str, state: str, code: int, said: str) -> None:
    found = container.verdict(container.ended(text))
    assert (found.state, found.exit_code) == (state, code)
    assert said in found.reason
    assert container.verdict(Standing("gone")).state == "lost"


@pytest.mark.parametrize(
    ("said", "message", "advice"),
    [
        ("there is no podman here", "there is no podman here", "which podman"),
        ('Error: short-name "x:1" did not resolve to an alias', "short-name", "name right"),
        (
            "docker: Error response from daemon: Get \"https://r/\": dial tcp: i/o timeout.\nSee 'docker x'.",
            "could not be started: Get",
            "docker load",
        ),
        (
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'json'",
            "'json'",
            "python3-minimal",
        ),
        ("Python 3.8 or newer is needed; /usr/bin/python3 is 3.6.9", "3.6.9", "image=python"),
        ("Unknown option: -I\nusage: python", "usage: python", "Python 3.8"),
        ("sh: 0: cannot open /s/script: No such file", "cannot open", "another machine"),
        ("write /var/lib: no space left on device", "no space left", "system df"),
        (
            "unknown flag: --foo\n\nUsage:  docker run\n\nRun 'docker x'",
            "unknown flag: --foo",
            "no such option",
        ),
        ('slirp4netns failed: "open(tun): Permission denied"', "slirp4netns", "network=host"),
        ("something new", "something new", "docker run --rm IMAGE true"),
        ("", "exit code 1", "docker run"),
    ],
)
def test_a_refusal_comes_with_advice(said: str, message: str, advice: str) -> None:
    error = container.refused("h", said, 1)
    assert message in error.message
    assert advice in str(error.hint)


def test_a_container_has_not_outlived_its_boot(tmp_path: Path) -> None:
    key = "s-1"
    place = Path(jobs.home(str(tmp_path), key))
    (place / "in").mkdir(parents=True)
    (place / "job.json").write_text("{}")
    record: dict[str, Any] = {
        "job": {"key": key},
        "launcher": {"direct": True},
        "supervisor": {"boot": boot_id()},
    }
    assert not jobs.is_over(str(tmp_path), record)
    record["supervisor"]["boot"] = "another"
    assert jobs.is_over(str(tmp_path), record)
