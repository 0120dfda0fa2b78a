"""How runs end when somebody wants them to, or something breaks: nothing lost, nothing left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hosts import Place, alive, await_true

from jupyter_remote.errors import ConnectionLost, Interrupted, LaunchError, RunError
from jupyter_remote.events import Event
from jupyter_remote.linkstate import LinkState
from jupyter_remote.run import Run

STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
gone = subprocess.Popen(["sh", "-c", "setsid sleep 600 & echo $!"], stdout=subprocess.PIPE, text=True)
print(os.getpid(), child.pid, int(gone.stdout.readline()), flush=True)
while True:
    try: time.sleep(1)
    except KeyboardInterrupt: pass
"""


def first_line(run: Run) -> str:
    """Takes events until a line is printed."""
    for event in run.events():
        if event.kind == "stdout":
            return event.text
    raise AssertionError("it printed nothing")


def test_an_interrupt_stops_the_loop_and_keeps_the_variables(place: Place) -> None:
    place.run("x = 5").check()
    run = place.remote.run_cell("print('on')\nwhile True: pass")
    assert first_line(run) == "on\n"
    run.interrupt()
    run.wait()
    assert (run.state, run.exit_code) == ("stopped", 130)
    with pytest.raises(Interrupted) as caught:
        run.check()
    assert caught.value.ename == "KeyboardInterrupt"
    assert place.run("x").check().result == {"text/plain": "5"}


def test_a_second_interrupt_ends_the_whole_tree(place: Place) -> None:
    place.run("x = 5").check()
    run = place.remote.run_cell(STUBBORN)
    pids = [int(word) for word in first_line(run).split()]
    assert all(alive(pid) for pid in pids)
    run.interrupt()
    assert not run.done
    run.interrupt()
    run.wait()
    assert (run.state, run.exit_code) == ("stopped", 137)
    assert not [pid for pid in pids if alive(pid)]
    with pytest.raises(Interrupted, match="its processes were ended"):
        run.check()
    assert place.run("'x' in globals()").check().result == {"text/plain": "False"}


def test_a_program_is_interrupted_and_ended_too(place: Place) -> None:
    run = place.remote.run_bash("echo on; sleep 600")
    first_line(run)
    run.interrupt()
    assert run.wait().exit_code == 130
    run = place.remote.run_bash("trap '' INT TERM; echo on; sleep 600 & sleep 600")
    first_line(run)
    run.stop()
    assert run.wait().state == "stopped"


def test_an_interrupt_before_the_cell_starts_cancels_it(local: Place) -> None:
    run = local.remote.run_cell("print('never')", session="slow")
    if run.state == "starting":  # its interpreter is not up yet, as it should be
        run.interrupt()
        assert run.wait().state == "stopped"
    assert local.run("1", session="slow").state == "finished"


def test_a_queued_run_can_be_stopped(local: Place) -> None:
    first = local.remote.run_cell("print('on')\nwhile True: pass")
    first_line(first)
    queued = local.remote.run_cell("1")
    queued.interrupt()
    assert queued.wait().state == "stopped"
    first.interrupt()
    first.wait()


def test_half_a_line_is_seen_while_the_cell_runs(local: Place) -> None:
    run = local.remote.run_cell("print('half', end='')\nwhile True: pass")
    assert first_line(run) == "half"
    run.interrupt()
    run.wait()


def test_a_time_limit_stops_the_run(local: Place) -> None:
    local.run("x = 5").check()
    run = local.run("while True: pass", timeout=0.2)
    assert (run.state, run.exit_code, run.reason) == ("stopped", 124, "over its time limit of 0.2 s")
    run = local.remote.run_program(["sleep", "600"], timeout=0.2).wait()
    assert (run.state, run.exit_code, run.reason) == ("stopped", 124, "over its time limit of 0.2 s")
    run = local.remote.run_bash("trap '' INT TERM; while true; do sleep 0.1; done", timeout=0.2).wait()
    assert (run.state, run.exit_code) == ("stopped", 124)
    assert local.run("x").state == "finished"


def test_a_worker_that_dies_says_how_and_the_next_cell_gets_a_new_one(place: Place) -> None:
    run = place.run("import os; print('before'); os.kill(os.getpid(), 9)")
    assert (run.state, run.exit_code) == ("failed", 137)
    with pytest.raises(RunError, match=r"SIGKILL \(often: out of memory\); its variables are gone"):
        run.check()
    assert (place.folder(run) / "output.log").read_text() == "before\n"
    assert place.run("1").state == "finished"


def test_the_run_goes_on_when_the_client_is_killed(place: Place, tmp_path: Path) -> None:
    go = place.files / "go"
    cell = f"""
        import os, time
        print('started', flush=True)
        while not os.path.exists({str(go)!r}): time.sleep(0.01)
        for i in range(20000): print('line', i)
    """
    client = f"""
        from pathlib import Path
        from jupyter_remote.config_models import HostConfig
        from jupyter_remote.remote import Remote
        host = HostConfig.model_validate_json({place.remote.host.model_dump_json()!r})
        run = Remote(host, Path({str(place.workspace)!r})).run_cell({textwrap.dedent(cell)!r})
        print(run.id, flush=True)
        run.wait(lambda event: print(event.kind, flush=True))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(client)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    while process.stdout.readline() != "stdout\n":
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    go.touch()
    expected = "started\n" + "".join(f"line {i}\n" for i in range(20000))
    folder = place.state / "runs" / run_id
    await_true(lambda: json.loads((folder / "run.json").read_text())["state"] == "finished")
    go.unlink()
    assert (folder / "output.log").read_text() == expected
    seen: list[Event] = []
    run = place.remote.attach(run_id).wait(seen.append)
    assert run.state == "finished" and "".join(event.text for event in seen) == expected


def test_attaching_in_the_middle_gives_what_is_missing_once(local: Place) -> None:
    go = local.files / "go"
    run = local.remote.run_cell(
        f"import os, time\nfor i in range(300):\n    print(i)\n"
        f"    while i == 9 and not os.path.exists({str(go)!r}): time.sleep(0.01)"
    )
    seen: list[Event] = []
    for event in run.events():
        seen.append(event)
        if event.text.endswith("9\n"):
            break
    go.touch()
    rest: list[Event] = []
    again = local.open().attach(run.id, seen[-1].seq).wait(rest.append)
    assert again.state == "finished", again.reason
    assert "".join(e.text for e in seen + rest) == "".join(f"{i}\n" for i in range(300))
    # Who has the last event already is told the end, and nothing twice.
    last: list[Event] = []
    assert local.open().attach(run.id, again.seq).wait(last.append).exit_code == 0
    assert [event.kind for event in last] == ["end"]


def test_a_lost_link_is_said_and_made_again(place: Place) -> None:
    go = place.files / "go"
    run = place.remote.run_cell(
        f"import os, time\nprint('on')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('off')"
    )
    assert first_line(run) == "on\n"
    told: list[LinkState] = []
    run.on_link = lambda state: (told.append(state), state.up and go.touch())[0]
    os.kill(place.remote.info["pid"], signal.SIGKILL)
    seen: list[Event] = []
    assert run.wait(seen.append).check().state == "finished"
    assert "".join(event.text for event in seen) == "off\n"
    assert [state.up for state in told] == [False] * (len(told) - 1) + [True]
    assert "was lost" in told[0].why
    go.unlink()


def test_a_link_that_is_closed_here_is_not_made_again(local: Place) -> None:
    run = local.remote.run_cell("print('on')\nwhile True: pass")
    assert first_line(run) == "on\n"
    local.remote.close()
    with pytest.raises(ConnectionLost, match=f"closed here\n.*attach {run.id}"):
        run.wait()
    local.remote.stop_sessions()


def test_a_killed_supervisor_is_told_from_a_silent_one(local: Place) -> None:
    run = local.remote.run_cell("import os\nprint(os.getpid())\nwhile True: pass")
    worker = int(first_line(run))
    supervisor = next(facts["pid"] for facts in local.remote.sessions())
    os.kill(supervisor, signal.SIGKILL)
    run.wait()
    assert (run.state, run.reason) == ("lost", "its supervisor was killed")
    # The next cell of the session finds the orphan and ends it.
    assert local.run("1").state == "finished"
    await_true(lambda: not alive(worker))


@pytest.mark.parametrize("setting", [{"python": "no-such-python"}, {"env_setup": "echo sorry; exit 3"}])
def test_a_python_that_does_not_start_is_a_launch_error(local: Place, setting: dict[str, str]) -> None:
    host = local.remote.host.model_copy(update=setting)
    local.remote.host = host
    run = local.remote.run_cell("1", session="broken").wait()
    with pytest.raises(LaunchError, match=r"no-such-python|sorry"):
        run.check()


def test_a_program_that_is_not_there_is_named(local: Place) -> None:
    with pytest.raises(LaunchError, match="there is no no-such-program on the host"):
        local.remote.run_program(["no-such-program"]).wait().check()
    with pytest.raises(LaunchError, match="there is no /no/such/folder on the host"):
        local.remote.run_program(["true"], cwd="/no/such/folder").wait().check()


def test_the_environment_is_prepared_and_its_chatter_is_not_output(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(
        update={"env_setup": "echo noise; export WORD='two words'"}
    )
    assert local.printed("import os; print(os.environ['WORD'])", session="prepared") == "two words\n"


def test_a_session_ends_by_itself_when_nobody_uses_it(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(update={"session_idle": 0.3})
    local.run("1", session="idle").check()
    await_true(lambda: "idle" not in {facts["name"] for facts in local.remote.sessions()})


def test_stopping_sessions_leaves_no_process(place: Place) -> None:
    pid = int(place.printed("import os, subprocess; subprocess.Popen(['sleep', '600']); print(os.getpid())"))
    run = place.remote.run_cell("while True: pass")
    assert place.remote.stop_sessions() == ["default"]
    assert run.wait().state == "stopped"
    assert not alive(pid)
    assert place.remote.sessions() == []
