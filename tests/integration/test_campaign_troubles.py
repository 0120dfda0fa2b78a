"""Campaigns whose steps fail, or whose client, agent or host side is killed or stopped meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from fleet import NAMES, Fleet, states
from hosts import alive, await_true, holding

from jupyter_remote.campaigns.campaign import Status, find
from jupyter_remote.errors import UsageError


@pytest.mark.slow
def test_a_failure_is_tried_again_and_what_depends_on_one_is_skipped(fleet: Fleet) -> None:
    once = 'test -e "$JUPYTER_REMOTE_STEP_DIR/tried" || {{ touch "$JUPYTER_REMOTE_STEP_DIR/tried"; exit 3; }}'
    campaign = fleet.start(
        {
            "name": "flaky",
            "shell": once.replace("{{", "{").replace("}}", "}"),
            "retries": 2,
            "retry_wait": 0.1,
        },
        {"name": "then", "shell": "true", "after": "flaky"},
        {"name": "bad", "shell": "exit 4", "retries": 1, "retry_wait": 0.1},
        {"name": "never", "shell": "true", "after": "bad"},
        {"name": "nor", "shell": "true", "after": "never"},
        {"name": "long", "shell": "sleep 60", "timeout": 0.3, "retries": 3},
        hosts="one",
    )
    done = campaign.wait()
    by_key = {step.key: step for step in done.steps}
    expected = {
        "flaky": "finished",
        "then": "finished",
        "bad": "failed",
        "never": "skipped",
        "nor": "skipped",
    }
    assert states(done) == {**expected, "long": "stopped"}
    assert (len(by_key["flaky"].runs), len(by_key["bad"].runs), len(by_key["long"].runs)) == (2, 2, 1)
    assert (by_key["bad"].exit_code, by_key["long"].exit_code) == (4, 124)
    assert by_key["never"].reason == "it comes after bad, which is failed"
    assert not done.ok
    assert {record["attempt"] for record in campaign.runs if record["step"] == "bad"} == {1, 2}
    code, out, _ = fleet.call("campaign", "status", "sweep", "--wait")
    assert code == 1
    assert "campaign sweep: 2 finished, 1 failed, 2 skipped, 1 stopped" in out
    # Once what was wrong is right, only that is done again.
    (fleet.homes["one"] / "mirror").joinpath("ok").touch()
    campaign.resume(failed=True)
    assert len(campaign.wait().steps[0].runs) == 2


@pytest.mark.slow
def test_with_stop_on_failure_no_more_is_started_where_somebody_tells(fleet: Fleet) -> None:
    hold = "until [ -e $HOME/go ]; do sleep 0.02; done"
    tried = "test -e $HOME/tried || { touch $HOME/tried; exit 3; }"
    steps = [
        {"name": "flaky", "shell": tried, "hosts": "one", "retries": 1, "retry_wait": 0.1},
        {"name": "first", "shell": "exit 1", "hosts": "one", "after": "flaky"},
        {"name": "more", "shell": "true", "matrix": {"n": [1, 2]}, "hosts": "one", "after": "flaky"},
        {"name": "hold", "shell": hold, "hosts": "two"},
        {"name": "other", "shell": "true", "hosts": "two", "after": "hold"},
    ]
    here = {"flaky": "finished", "first": "failed", "more[n=1]": "skipped", "more[n=2]": "skipped"}
    # Nobody watches: the host of the failure starts no more, the other does all that it has to.
    campaign = fleet.start(*steps, stop_on_failure=True, concurrency=1)
    await_true(lambda: states(campaign.status())["more[n=2]"] == "skipped")
    (fleet.homes["two"] / "go").touch()
    await_true(lambda: campaign.status().ended)
    assert states(campaign.status()) == {**here, "hold": "finished", "other": "finished"}
    assert campaign.status().steps[2].reason == "first failed, and stop_on_failure is set"
    # Somebody watches, and tells the other host; what runs there goes on.
    (fleet.homes["two"] / "go").unlink()
    (fleet.homes["one"] / "tried").unlink()
    seen: list[dict[str, str]] = []

    def watch(status: Status) -> None:
        seen.append(states(status))
        if seen[-1]["other"] == "skipped":
            (fleet.homes["two"] / "go").touch()

    done = fleet.start(*steps, stop_on_failure=True, concurrency=1).wait(watch)
    assert states(done) == {**here, "hold": "finished", "other": "skipped"}
    assert done.steps[-1].reason == "first failed on one, and stop_on_failure is set"
    assert not any(now["other"] == "skipped" for now in seen if now["first"] != "failed"), "a retry is none"
    # Who goes on after that is not held up by what was said before.
    campaign.resume(failed=True)
    await_true(lambda: states(campaign.status())["other"] == "finished")


CLIENT = """
import os, signal, jupyter_remote
shell = "until [ -e $HOME/go ]; do sleep 0.05; done; echo {n} $TOKEN"
step = {"name": "s", "shell": shell, "matrix": {"n": [1, 2, 3, 4]}, "pass_env": "TOKEN"}
jupyter_remote.campaign({"name": "alone", "steps": [step]}, "one,two")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_it_goes_on_without_client_and_agent_and_another_client_finds_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fleet.root / "data-of-another"
    data.mkdir()
    env = {**os.environ, "JUPYTER_DATA_DIR": str(data), "TOKEN": "s3cret-value"}
    done = subprocess.run([sys.executable, "-c", CLIENT], env=env, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    campaign = find("alone")
    assert campaign.hosts == NAMES
    agents = {name: fleet.remote(name).connection() for name in NAMES}
    assert sorted(states(campaign.status()).values())[-2:] == ["waiting", "waiting"]
    for name in NAMES:
        os.kill(int(fleet.remote(name).info["pid"]), signal.SIGKILL)
    assert all(await_true(lambda link=link: not link.alive) for link in agents.values())
    for name in NAMES:
        (fleet.homes[name] / "go").touch()
    done_now = campaign.wait()
    assert done_now.ok
    assert len(done_now.steps) == 4
    printed = sorted(b"".join(log).decode() for _, log in campaign.logs())
    assert printed == [f"{n} s3cret-value\n" for n in (1, 2, 3, 4)]
    # Nobody kept the secret, so going on needs it from here again.
    with pytest.raises(UsageError, match="campaign alone hands TOKEN to its steps, not set here"):
        campaign.resume()
    monkeypatch.setenv("TOKEN", "s3cret-value")
    assert campaign.resume().ok
    # What was given in secret is in no file of the host's but what the step itself printed.
    for name in NAMES:
        assert {path.name for path in holding(fleet.state(name), b"s3cret")} <= {"output.log"}


@pytest.mark.slow
def test_a_killed_host_side_is_told_truly_and_nothing_is_dropped(fleet: Fleet) -> None:
    campaign = fleet.start(
        {"name": "s", "shell": "echo {n}; [ -e $HOME/go ] || sleep 100", "matrix": {"n": [1, 2, 3]}},
        hosts="one",
    )
    await_true(lambda: states(campaign.status())["s[n=1]"] == "running")
    with pytest.raises(UsageError, match="campaign sweep goes on"):
        fleet.start({"name": "s", "shell": "true"}, hosts="one")
    with pytest.raises(UsageError, match="nothing to resume"):
        campaign.resume()
    pid = fleet.driver("one")
    ((supervisor, worker),) = ((one["pid"], one["worker"]) for one in fleet.remote("one").sessions())
    os.kill(pid, signal.SIGKILL)
    await_true(lambda: not alive(pid))
    # The step that runs is its own supervisor's, which needs nobody.
    assert states(campaign.status()) == {"s[n=1]": "running", "s[n=2]": "waiting", "s[n=3]": "waiting"}
    os.kill(supervisor, signal.SIGKILL)
    await_true(lambda: states(campaign.status())["s[n=1]"] == "lost")
    done = campaign.wait()
    assert states(done) == {"s[n=1]": "lost", "s[n=2]": "waiting", "s[n=3]": "waiting"}
    assert done.steps[0].reason == "its supervisor was killed"
    _, out, err = fleet.call("campaign", "status", "sweep")
    assert "campaign sweep: 1 lost, 2 waiting" in out
    assert "one: what starts the steps there was killed, or the host was restarted; 2 steps left:" in err
    (fleet.homes["one"] / "go").touch()
    code, out, _ = fleet.call("campaign", "resume", "sweep", "--wait")
    assert code == 0, out
    assert [len(step.runs) for step in campaign.status().steps] == [2, 1, 1]
    # What the killed supervisor had left was ended before the step was tried again.
    assert not alive(worker)


@pytest.mark.slow
def test_stop_ends_what_runs_and_starts_no_more(fleet: Fleet) -> None:
    campaign = fleet.start(
        {"name": "s", "shell": "sleep 100", "matrix": {"n": [1, 2, 3]}, "retries": 3}, hosts="one"
    )
    await_true(lambda: states(campaign.status())["s[n=1]"] == "running")
    assert set(states(campaign.stop()).values()) == {"stopped"}
    assert not fleet.remote("one").sessions()
    assert not alive(fleet.driver("one"))
    code, out, _ = fleet.call("campaign", "stop", "sweep")
    assert code == 0
    assert "3 stopped" in out
    assert [len(step.runs) for step in campaign.status().steps] == [1, 0, 0]
