"""What every launcher keeps: a run is the same thing however its process is started.

A launcher is one more entry of `LAUNCHERS`: what a host needs in its settings to use it, and the fixture that
makes it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import Place, await_true, holding, make_place

from jupyter_remote.errors import Interrupted, LaunchError, RunError
from jupyter_remote.events import Event

# Kind -> (fixture that has to be there, settings of the host).
LAUNCHERS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "process": (None, {}),
    "docker": ("docker", {}),
    "podman": ("podman", {}),
    "apptainer": ("apptainer", {}),
    "slurm": ("slurm", {"launcher": "slurm"}),
    "slurm by inbox": ("slurm", {"launcher": "slurm", "slurm.control": "inbox"}),
    "pbs": ("openpbs", {"launcher": "pbs"}),
    # The commands of Torque that come with Slurm.
    "pbs over slurm": ("torque", {"launcher": "pbs"}),
    "ray": ("standin_ray", {"launcher": "ray"}),
    # Of another package.
    "tsp": ("spooler", {"launcher": "tsp"}),
    "real-ray": ("real_ray", {"launcher": "ray"}),
}

pytestmark = pytest.mark.slow


@pytest.fixture(params=LAUNCHERS)
def launched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A host that starts everything with one of the launchers."""
    fixture, settings = LAUNCHERS[request.param]
    if fixture is not None:
        made = request.getfixturevalue(fixture)
        found = made.settings(tmp_path) if hasattr(made, "settings") else made
        settings = {**settings, **(found if isinstance(found, dict) else {})}
    yield from make_place(request, tmp_path, "local", settings)


def test_a_session_keeps_state_streams_and_is_interrupted_attached_and_left(launched: Place) -> None:
    # One session for all of it, because starting one is what takes time.
    assert launched.run("x = 20").check().exit_code == 0
    assert launched.run("x += 1; x * 2").check().result == {"text/plain": "42"}

    go = launched.files / "go"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    seen = ""
    code = f"import os, time\nprint('first')\n{wait}\nprint('last')"
    for event in launched.remote.run_cell(code).events():
        seen += event.text
        if seen == "first\n" and not go.exists():
            go.touch()  # only now can the cell go on
    assert seen == "first\nlast\n"

    run = launched.remote.run_cell("print('waiting', flush=True)\ntime.sleep(600)")
    for event in run.events():
        if event.text == "waiting\n":
            other = launched.open().attach(run.id)
            run.interrupt()
    assert (run.state, run.exit_code) == ("stopped", 130)
    events: list[Event] = []
    other.wait(events.append)
    assert "".join(event.text for event in events) == "waiting\n", "another client sees the same"
    assert (other.state, other.exit_code) == ("stopped", 130)
    with pytest.raises(Interrupted, match="KeyboardInterrupt"):
        run.check()
    assert launched.run("x").check().result == {"text/plain": "21"}, (
        "an interrupt is not the end of a session"
    )

    asking = launched.remote.run_cell("input('name? ')")
    for event in asking.events():
        if event.kind == "input_request":
            asking.answer(event.data["request"], "me")
    assert asking.check().result == {"text/plain": "'me'"}

    launched.remote.send({"y": [1, 2]})
    assert launched.remote.fetch(["x", "y"]) == {"x": 21, "y": [1, 2]}

    with pytest.raises(RunError, match="ZeroDivisionError"):
        launched.run("1 / 0").check()
    [session] = launched.remote.sessions()
    assert session["name"] == "default"
    launched.remote.stop_session("default")
    assert launched.remote.sessions() == []


def test_a_program_has_its_exit_code_and_leaves_artifacts(launched: Place) -> None:
    (launched.workspace / "input.txt").write_text("from here\n")
    run = launched.remote.run_bash("mkdir -p out; cat input.txt > out/result.txt; echo err >&2; exit 7")
    events: list[Event] = []
    run.wait(events.append)
    assert (run.state, run.exit_code) == ("failed", 7)
    assert "".join(event.text for event in events if event.kind == "stderr") == "err\n"
    launched.remote.pull(["out/*"])
    assert (launched.workspace / "out" / "result.txt").read_text() == "from here\n"
    assert [path.name for path in launched.folder(run).glob("output.log")] == ["output.log"]


def test_a_program_that_ignores_everything_is_stopped(launched: Place) -> None:
    run = launched.remote.run_bash("trap '' INT TERM; echo started; while :; do sleep 0.05; done")
    for event in run.events():
        if event.text == "started\n":
            run.stop()
    assert (run.state, run.exit_code) == ("stopped", 137)
    await_true(lambda: launched.remote.sessions() == [])


def test_a_secret_reaches_the_run_and_no_file(launched: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    run = launched.remote.run_bash('test "${#TOKEN}" = 12', pass_env=["TOKEN"]).wait()
    assert run.exit_code == 0
    await_true(lambda: launched.remote.sessions() == [])
    assert holding(launched.state, b"s3cr3t-value") == []


def test_what_can_not_be_started_is_an_error_of_launching(launched: Place) -> None:
    with pytest.raises(LaunchError, match="no Python at"):
        launched.reopen(python="/no/such/python").run_cell("1", fresh=True).wait().check()
    with pytest.raises(LaunchError, match="no-such-program"):
        launched.remote.run_program(["no-such-program"]).wait().check()
