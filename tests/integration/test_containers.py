"""Containers: what is their own. That a run is a run there too is in `test_launchers.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from containers import Engine
from hosts import Place, await_true, holding, make_place

from jupyter_remote import leftovers
from jupyter_remote.commands.cleaning import describe
from jupyter_remote.errors import LaunchError, UsageError
from jupyter_remote.run import Run

pytestmark = pytest.mark.slow
OTHER_USER = 12345


@pytest.fixture
def docked(request: pytest.FixtureRequest, docker: Engine, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything in docker."""
    yield from make_place(request, tmp_path, "local", docker.settings(tmp_path))
    await_true(lambda: docker.names() == [])


@pytest.fixture
def podded(request: pytest.FixtureRequest, podman: Engine, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything in podman."""
    yield from make_place(request, tmp_path, "local", podman.settings(tmp_path))
    await_true(lambda: podman.names() == [])


def when(run: Run, text: str, act: Callable[[], object]) -> str:
    """Takes a run's events to the end, and acts once it has printed that; returns what it printed."""
    seen, done = "", False
    for event in run.events():
        seen += event.text
        if text in seen and not done:
            done = True
            act()
    return seen


def refusal(place: Place, **settings: Any) -> LaunchError:
    """The error of a program that can't be started with those settings."""
    with pytest.raises(LaunchError) as caught:
        place.reopen(**{key.replace("__", "."): value for key, value in settings.items()}).run_bash("true")
    return caught.value


def watcher(place: Place) -> psutil.Process:
    """The process that watches the only container that runs."""
    [path] = (one for one in place.state.glob("jobs/*/container") if not (one.parent / "end").exists())
    return psutil.Process(int(path.read_text().split()[1]))


# Signals, ends.


def test_an_interrupt_and_a_stop_reach_the_program(docked: Place) -> None:
    trap = "trap 'echo got INT; exit 5' INT; echo on; while :; do sleep 0.02; done"
    run = docked.remote.run_bash(trap)
    assert "got INT" in when(run, "on\n", run.interrupt)
    assert (run.state, run.exit_code) == ("failed", 5)
    run = docked.remote.run_bash(trap.replace("INT", "TERM"))
    assert "got TERM" in when(run, "on\n", run.stop)
    assert run.state == "stopped"


def test_what_ends_the_whole_container_is_told_apart(docked: Place, docker: Engine) -> None:
    code = "import time; print('on', flush=True); time.sleep(600)"
    run = docked.remote.run_cell(code)
    [name] = docker.names()
    assert name.startswith("jr-default-")
    assert run.record["job"]["id"] == name
    when(run, "on\n", lambda: docker.run("stop", name))
    assert (run.state, run.exit_code) == ("stopped", 143)
    assert f"{name} was stopped" in str(run.reason)

    run = docked.remote.run_cell(code)  # the next cell has a container of its own
    when(run, "on\n", lambda: docker.run("kill", *docker.names()))
    assert (run.state, run.exit_code) == ("failed", 137)
    assert "was killed (SIGKILL)" in str(run.reason)


def test_memory_that_runs_out_inside_is_told(docked: Place) -> None:
    run = docked.run("x = bytearray(1 << 30)", resources={"memory": "100m"})
    assert (run.state, run.exit_code) == ("failed", 137)
    with pytest.raises(Exception, match="out of memory: the kernel killed it"):
        run.check()


def test_a_container_outlives_its_link_and_is_stopped_by_name(docked: Place, docker: Engine) -> None:
    run = docked.remote.run_cell("import time; print('on', flush=True)\nwhile True: time.sleep(0.02)")
    agent = psutil.Process(docked.remote.info["pid"])
    agent.kill()
    psutil.wait_procs([agent], 5)
    docked.remote.close()
    assert len(docker.names()) == 1, "nobody is connected, and it runs"
    other = docked.open()
    again = other.attach(run.id)
    other.stop_session("default")
    again.wait()
    assert again.state == "stopped"
    assert docker.names() == []


def test_a_watcher_that_is_killed_loses_nothing(podded: Place, podman: Engine) -> None:
    run = podded.remote.run_cell("import time; print('on', flush=True); time.sleep(600)")
    for event in run.events():
        if event.text == "on\n":
            process = watcher(podded)
            process.send_signal(signal.SIGKILL)
            process.wait(5)
            [name] = podman.names()
            subprocess.run(
                ["podman", "kill", "--signal", "KILL", name], check=True, stdout=subprocess.DEVNULL
            )
    assert (run.state, run.exit_code) == ("failed", 137), "podman still knows"
    told = leftovers.find(podded.remote)
    line = f"would remove 1 container (nobody watches it): podman {name}"
    assert line in describe(told, dry_run=True)
    assert podman.names() == [name]
    assert leftovers.remove(podded.remote)["containers"] == [f"podman {name}"]
    assert podman.names() == []
    assert podded.run("1 + 1").check().result == {"text/plain": "2"}, "the next cell starts anew"
    assert leftovers.remove(podded.remote)["containers"] == [], "one that lives stays"


# Whose files, which variables.


def test_files_made_inside_belong_to_the_user(docked: Place, docker: Engine) -> None:
    # Not below pytest's folder, which it closes to others whenever one starts.
    with tempfile.TemporaryDirectory(prefix="jr-user-") as name:
        home = Path(name)
        os.chown(home, OTHER_USER, OTHER_USER)
        for path in (docker.folder, docker.folder / "docker.sock"):
            path.chmod(0o777)
        _works_as_another_user(docked, docker, home)


def _works_as_another_user(docked: Place, docker: Engine, home: Path) -> None:
    user = f"--reuid={OTHER_USER} --regid={OTHER_USER} --clear-groups".split()
    command = ["setpriv", *user, "env", f"HOME={home}", "XDG_STATE_HOME=", "XDG_CACHE_HOME="]
    settings = {"type": "command", "command": command, "workspace": str(home / "mirror")}
    settings |= {"container.volumes": []}
    remote = docked.reopen(**settings)
    assert remote.run_bash("id -u; echo 1 > made; echo $HOME; touch ~/cached").wait().exit_code == 0
    made = home / "mirror" / "made"
    assert (made.stat().st_uid, made.stat().st_gid) == (OTHER_USER, OTHER_USER)
    state = home / ".local" / "state" / "jupyter-remote"
    assert (state / "home" / "cached").stat().st_uid == OTHER_USER, "a home of its own, kept for caches"
    await_true(lambda: docker.names() == [])

    (docker.folder / "docker.sock").chmod(0o600)
    with pytest.raises(LaunchError, match="permission denied") as caught:
        remote.run_bash("true")
    assert "usermod -aG docker" in str(caught.value.hint)
    remote.close()


def test_variables_of_the_host_go_in_and_are_in_nobodys_sight(
    docked: Place, docker: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = 'it\'s $HOME "quoted" \\ \n and goes on\n'
    monkeypatch.setenv("HOST_KEY", value)
    remote = docked.reopen(**{"container.env": ["HOST_KEY"]})
    code = "import os; print(ascii(os.environ['HOST_KEY']))"
    seen: list[str] = []
    remote.run_cell(code).wait(lambda event: seen.append(event.text)).check()
    assert "".join(seen) == ascii(value) + "\n"
    assert "quoted" not in docker.run("inspect", *docker.names())
    assert {path.suffix for path in holding(docked.state, b'"quoted"')} <= {".log"}
    assert "the variable NOT_THERE is not set here" in refusal(docked, container__env=["NOT_THERE"]).message


# What does not start, each with its advice.


def test_each_reason_why_none_starts_has_its_advice(
    docked: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"container has no such setting; did you mean image\?"):
        docked.remote.run_bash("true", resources={"imge": "x"})
    with pytest.raises(UsageError, match="a container needs an image"):
        docked.reopen(**{"container.image": None}).run_bash("true")

    error = refusal(docked, container__image="localhost/none:1", container__pull="never")
    assert "there is no image localhost/none:1" in error.message
    error = refusal(docked, container__image="localhost:1/none:1")
    assert "could not be started" in error.message
    assert "registry" in str(error.hint)

    error = refusal(docked, container__volumes=["/no/such/place:/data"])
    assert "there is no /no/such/place here to be mounted" in error.message

    masked = [f"/dev/null:/usr/bin/{name}" for name in ("python3",)]
    error = refusal(docked, container__volumes=masked)
    assert "the image has no python3" in error.message
    assert "Python 3.8 or newer" in str(error.hint)
    (tmp_path / "empty").mkdir()
    library = Path(os.__file__).parent / "json"
    error = refusal(docked, container__volumes=[f"{tmp_path / 'empty'}:{library}"])
    assert "json" in error.message
    assert "whole standard library" in str(error.hint)

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    error = refusal(docked)
    assert "Cannot connect to the Docker daemon" in error.message
    assert "systemctl start docker" in str(error.hint)

    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "env", "mkdir", "sleep", "sed", "cat"):
        (bare / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(bare))
    error = refusal(docked)
    assert "there is no docker here" in error.message
    assert "ssh HOST which docker" in str(error.hint)


def test_gpus_that_an_engine_does_not_give_are_noticed(
    docked: Place, podman: Engine, apptainer: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refusal(docked, container__gpus="all")
    assert "could not select device driver" in error.message
    assert "nvidia-ctk" in str(error.hint)
    error = refusal(docked, container__engine="podman", container__gpus="2")
    assert "nvidia.com/gpu=0" in error.message
    named = {"container__engine": "apptainer", "container__image": apptainer.image}
    error = refusal(docked, **named, container__gpus="all")
    assert "apptainer gave the container 0 GPUs" in error.message

    # An engine that takes the words and does nothing, as podman 4.3 does with `--gpus`.
    real = await_true(
        lambda: subprocess.run(["which", "docker"], capture_output=True, text=True).stdout.strip()
    )
    deaf = tmp_path / "deaf"
    deaf.mkdir()
    (deaf / "docker").write_text(
        f'#!/bin/bash\nwords=()\nfor word; do [ "$word" = --gpus ] && skip=1 && continue\n'
        f'[ "$skip" ] && skip= && continue; words+=("$word"); done\nexec {real} "${{words[@]}}"\n'
    )
    (deaf / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{deaf}:{os.environ['PATH']}")
    error = refusal(docked, container__gpus="1")
    assert "docker gave the container 0 GPUs, and 1 were asked for" in error.message
    node = {"container.gpus": "1", "container.args": ["--device=/dev/null:/dev/nvidia0"]}
    assert docked.reopen(**node).run_bash("test -e /dev/nvidia0").wait().exit_code == 0


# An image that has to come first.


def test_an_image_that_is_pulled_is_waited_for_in_sight(
    docked: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    real = subprocess.run(["which", "docker"], capture_output=True, text=True).stdout.strip()
    (slow / "docker").write_text(
        f'#!/bin/sh\ncase "$1 $2" in\n"image inspect") echo "Error: No such image: $3" >&2; exit 1 ;;\n'
        f'pull*) while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 0 ;;\nesac\nexec {real} "$@"\n'
    )
    (slow / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    remote = docked.reopen()
    first = remote.run_cell("print('here')")
    assert first.state == "queued"
    told: list[str] = []

    def note(words: str) -> None:
        told.append(words)
        (tmp_path / "go").touch()

    first.on_job = note
    seen: list[str] = []
    first.wait(lambda event: seen.append(event.text)).check()
    assert told[0] == "pulling its image"
    assert "".join(seen) == "here\n"

    remote.stop_session("default")
    (tmp_path / "go").unlink()
    second = remote.run_cell("print('never')")
    second.interrupt()
    second.wait()
    assert (second.state, second.exit_code) == ("stopped", 130)
    assert remote.sessions() == []
