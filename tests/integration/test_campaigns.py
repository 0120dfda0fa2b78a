"""Campaigns over two hosts, each an sshd with a home of its own: to the end, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_gpus import FakeGpus
from hosts import alive, await_true
from sshd import SshHost

import jupyter_remote
from jupyter_remote import history
from jupyter_remote.campaigns.campaign import Campaign, Status, find
from jupyter_remote.campaigns.starting import Prepared
from jupyter_remote.cli import main
from jupyter_remote.errors import UsageError

NAMES = ("one", "two")

# Two steps wait for each other, so that they must run at the same time; and long enough to meet a third.
PAIRED = "mkdir -p $HOME/{campaign}; touch $HOME/{campaign}/$$; "
PAIRED += "until [ $(ls $HOME/{campaign} | wc -l) -ge 2 ]; do sleep 0.02; done; sleep 0.5"


class Bench:
    """Two hosts, a workspace, and a client's own configuration and data."""

    def __init__(self, root: Path, ssh: SshHost, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.workspace = root / "project"
        self.homes = {name: ssh.new_home() for name in NAMES}
        self.capsys = capsys

    def state(self, host: str) -> Path:
        return self.homes[host] / ".local" / "state" / "jupyter-remote"

    def remote(self, host: str) -> jupyter_remote.Remote:
        return jupyter_remote.connect(host, workspace=self.workspace)

    def start(self, *steps: dict[str, Any], hosts: str = "one,two", **settings: Any) -> Campaign:
        return jupyter_remote.campaign({"name": "sweep", "steps": list(steps), **settings}, hosts)

    def driver(self, host: str, name: str = "sweep") -> int:
        told = json.loads((self.state(host) / "campaigns" / name / "driver.json").read_text())
        return int(told["pid"])

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *words: str) -> tuple[int, str, str]:
        """A command's exit code, stdout and stderr."""
        self.capsys.readouterr()
        code = main(words)
        said = self.capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def bench(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Bench]:
    history.flush()
    made = Bench(tmp_path, ssh_host, capsys)
    hosts: dict[str, Any] = {}
    for name in NAMES:
        server = ssh_host.start(env={"HOME": str(made.homes[name])}, home=made.homes[name])
        ssh_host.alias(name, HostName="127.0.0.1", Port=server.port)
        hosts[name] = {"workspace": "~/mirror"}
    for folder in ("config", "data", "project"):
        (tmp_path / folder).mkdir()
    settings = {"hosts": hosts, "groups": {"both": list(NAMES)}}
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(made.workspace)
    yield made
    for name in NAMES:
        remote = made.remote(name)
        for path in (made.state(name) / "campaigns").glob("*/plan.json"):
            Campaign(path.parent.name, [name], made.workspace).stop()
        remote.stop_sessions()
        remote.end_remains()
        remote.close()
    made.remote("local").close()
    history.flush()


def states(status: Status) -> dict[str, str]:
    return {step.key: step.state for step in status.steps}


def printed(campaign: Campaign, key: str) -> str:
    return "".join(b"".join(log).decode() for step, log in campaign.logs() if step.key == key)


def most_at_once(records: list[dict[str, Any]]) -> int:
    moments = sorted([(r["started"], 1) for r in records] + [(r["ended"], -1) for r in records])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


@pytest.mark.slow
def test_a_matrix_over_two_hosts_two_at_a_time(bench: Bench) -> None:
    bench.write(
        "train.py",
        "import os, sys; print(*sys.argv[1:], os.environ['MODE'])\nopen('made.txt', 'w').close()\n",
    )
    steps = """
    name: sweep
    hosts: "@both"
    concurrency: 2
    defaults: {env: {MODE: quick}}
    steps:
      - {name: fetch, each: true, shell: 'echo data of {host} > "$JUPYTER_REMOTE_STEP_DIR/data"'}
      - name: pair
        shell: PAIRED
        matrix: {n: [1, 2, 3, 4, 5, 6]}
        after: fetch
        timeout: 30s
      - name: train
        script: train.py
        args: --lr {lr}
        matrix: {lr: [0.1, 0.01]}
        after: fetch
        pull: made.txt
    """.replace("PAIRED", json.dumps(PAIRED))
    file = bench.write("sweep.yaml", steps)
    code, out, err = bench.call("campaign", str(file), "--wait")
    assert (code, err) == (0, ""), out + err
    assert "campaign sweep: 10 steps (5 on one, 5 on two); `campaign status sweep` shows it" in out
    assert "campaign sweep: 10 finished" in out
    # The hosts started these runs, and a list of all runs has them all the same.
    code, out, _ = bench.call("runs", "list", "--json")
    listed = {row["id"] for row in json.loads(out)["runs"]}
    campaign = find("sweep")
    assert campaign.status().ok
    records = campaign.runs
    assert len(records) == 10 and listed == {record["id"] for record in records}
    for host in NAMES:
        there = [record for record in records if record["host"] == host]
        assert most_at_once(there) == 2
        (fetched,) = (record["ended"] for record in there if record["step"] == "fetch")
        assert all(record["started"] >= fetched for record in there if record["step"] != "fetch")
    (trained,) = (record for record in records if record["step"] == "train[lr=0.1]")
    assert (trained["campaign"], trained["params"], trained["attempt"]) == ("sweep", {"lr": 0.1}, 1)
    assert (trained["label"], trained["env"]["MODE"]) == ("train[lr=0.1]", "quick")
    assert trained["manifest"]
    # Another client, which has never heard of it, learns it all from the hosts.
    (bench.root / "data" / "remote" / "history.db").unlink()
    code, out, _ = bench.call("runs", "list", "--campaign", "sweep", "--json")
    found = json.loads(out)["runs"]
    assert {row["id"] for row in found} == {record["id"] for record in records}
    assert {row["campaign"] for row in found} == {"sweep"}
    assert next(row["options"]["params"] for row in found if row["step"] == "pair[n=3]") == {"n": 3}
    code, out, _ = bench.call("campaign", "logs", "sweep", "--tail", "1")
    assert f"==> {trained['host']}: train[lr=0.1] (finished, run {trained['id']})\n--lr 0.1 quick\n" in out
    code, out, _ = bench.call("campaign", "pull", "sweep")
    assert code == 0
    base = bench.workspace / "campaigns" / "sweep"
    assert (base / "one" / "fetch" / "data").read_text() == "data of one\n"
    assert (base / trained["host"] / "train-lr=0.1" / "made.txt").exists()
    assert (base / trained["host"] / "train-lr=0.1" / "output.log").read_text() == "--lr 0.1 quick\n"
    assert json.loads((base / "two" / "fetch" / "step.json").read_text())["state"] == "finished"
    # Results are no sources: the next sync leaves them here, but for the folder that is on the host anyway.
    assert set(bench.remote("one").sync(dry_run=True).sent) <= {"campaigns", "campaigns/sweep"}
    code, out, _ = bench.call("campaign", "list")
    assert [line.split()[:4] for line in out.splitlines()[1:]].count(["sweep", "one", "5", "finished"]) == 1


@pytest.mark.slow
def test_a_failure_is_tried_again_and_what_depends_on_one_is_skipped(bench: Bench) -> None:
    once = 'test -e "$JUPYTER_REMOTE_STEP_DIR/tried" || {{ touch "$JUPYTER_REMOTE_STEP_DIR/tried"; exit 3; }}'
    campaign = bench.start(
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
    code, out, _ = bench.call("campaign", "status", "sweep", "--wait")
    assert code == 1
    assert "campaign sweep: 2 finished, 1 failed, 2 skipped, 1 stopped" in out
    # Once what was wrong is right, only that is done again.
    (bench.homes["one"] / "mirror").joinpath("ok").touch()
    campaign.resume(failed=True)
    assert len(campaign.wait().steps[0].runs) == 2


@pytest.mark.slow
def test_with_stop_on_failure_a_host_starts_no_more(bench: Bench) -> None:
    steps = [
        {"name": "first", "shell": "exit 1", "hosts": "one"},
        {"name": "more", "shell": "true", "matrix": {"n": [1, 2]}, "hosts": "one"},
        {"name": "other", "shell": "true", "hosts": "two"},
    ]
    done = bench.start(*steps, stop_on_failure=True).wait()
    assert states(done) == {
        "first": "failed",
        "more[n=1]": "skipped",
        "more[n=2]": "skipped",
        "other": "finished",
    }
    assert done.steps[1].reason == "first failed, and stop_on_failure is set"


CLIENT = """
import os, signal, jupyter_remote
shell = "until [ -e $HOME/go ]; do sleep 0.05; done; echo {n} $TOKEN"
step = {"name": "s", "shell": shell, "matrix": {"n": [1, 2, 3, 4]}, "pass_env": "TOKEN"}
jupyter_remote.campaign({"name": "alone", "steps": [step]}, "one,two")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_it_goes_on_without_client_and_agent_and_another_client_finds_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bench.root / "data-of-another"
    data.mkdir()
    env = {**os.environ, "JUPYTER_DATA_DIR": str(data), "TOKEN": "s3cret-value"}
    done = subprocess.run([sys.executable, "-c", CLIENT], env=env, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    campaign = find("alone")
    assert campaign.hosts == NAMES
    agents = {name: bench.remote(name).connection() for name in NAMES}
    assert sorted(states(campaign.status()).values())[-2:] == ["waiting", "waiting"]
    for name in NAMES:
        os.kill(int(bench.remote(name).info["pid"]), signal.SIGKILL)
    assert all(await_true(lambda link=link: not link.alive) for link in agents.values())
    for name in NAMES:
        (bench.homes[name] / "go").touch()
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
        for path in bench.state(name).rglob("*"):
            if path.is_file() and path.name != "output.log":
                assert b"s3cret" not in path.read_bytes(), path


@pytest.mark.slow
def test_a_killed_host_side_is_told_truly_and_nothing_is_dropped(bench: Bench) -> None:
    campaign = bench.start(
        {"name": "s", "shell": "echo {n}; [ -e $HOME/go ] || sleep 100", "matrix": {"n": [1, 2, 3]}},
        hosts="one",
    )
    await_true(lambda: states(campaign.status())["s[n=1]"] == "running")
    with pytest.raises(UsageError, match="campaign sweep goes on"):
        bench.start({"name": "s", "shell": "true"}, hosts="one")
    with pytest.raises(UsageError, match="nothing to resume"):
        campaign.resume()
    pid = bench.driver("one")
    ((supervisor, worker),) = ((one["pid"], one["worker"]) for one in bench.remote("one").sessions())
    os.kill(pid, signal.SIGKILL)
    await_true(lambda: not alive(pid))
    # The step that runs is its own supervisor's, which needs nobody.
    assert states(campaign.status()) == {"s[n=1]": "running", "s[n=2]": "waiting", "s[n=3]": "waiting"}
    os.kill(supervisor, signal.SIGKILL)
    await_true(lambda: states(campaign.status())["s[n=1]"] == "lost")
    done = campaign.wait()
    assert states(done) == {"s[n=1]": "lost", "s[n=2]": "waiting", "s[n=3]": "waiting"}
    assert done.steps[0].reason == "its supervisor was killed"
    _, out, err = bench.call("campaign", "status", "sweep")
    assert "campaign sweep: 1 lost, 2 waiting" in out
    assert "one: what starts the steps there was killed, or the host was restarted; 2 steps left:" in err
    (bench.homes["one"] / "go").touch()
    code, out, _ = bench.call("campaign", "resume", "sweep", "--wait")
    assert code == 0, out
    assert [len(step.runs) for step in campaign.status().steps] == [2, 1, 1]
    # What the killed supervisor had left was ended before the step was tried again.
    assert not alive(worker)


@pytest.mark.slow
def test_stop_ends_what_runs_and_starts_no_more(bench: Bench) -> None:
    campaign = bench.start(
        {"name": "s", "shell": "sleep 100", "matrix": {"n": [1, 2, 3]}, "retries": 3}, hosts="one"
    )
    await_true(lambda: states(campaign.status())["s[n=1]"] == "running")
    assert set(states(campaign.stop()).values()) == {"stopped"}
    assert not bench.remote("one").sessions()
    assert not alive(bench.driver("one"))
    code, out, _ = bench.call("campaign", "stop", "sweep")
    assert code == 0
    assert "3 stopped" in out
    assert [len(step.runs) for step in campaign.status().steps] == [1, 0, 0]


@pytest.mark.slow
def test_everything_is_checked_on_all_hosts_before_anything_starts(bench: Bench) -> None:
    bench.write("here.py", "print(1)")
    bench.write("ignored.py", "print(1)")
    bench.write(".gitignore", "ignored.py\n")
    text = """
    hosts: [one, two]
    steps:
      - {name: a, program: [no-such-program, x]}
      - {name: b, script: here.py}
      - {name: c, script: ignored.py, hosts: two}
      - {name: d, program: tool, env: {PATH: /opt/x}}
      - {name: e, shell: 'true', python: /no/python, hosts: one}
    """
    file = bench.write("sweep.yaml", text)
    for words in (["--dry-run"], []):
        code, out, err = bench.call("campaign", str(file), *words)
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            "error: one: there is no program `no-such-program` there",
            "one: the Python `/no/python` can't be used: no Python at '/no/python'",
            "two: ignored.py is not in the workspace there",
            "Nothing was started.",
        ]
    assert not any((bench.state(name) / "campaigns").exists() for name in NAMES)
    file = bench.write("sweep.yaml", "hosts: one\nsteps: [{name: b, script: here.py, matrix: {n: [1]}}]")
    code, out, err = bench.call("campaign", "start", str(file), "--dry-run", "--host", "two")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["STEP", "HOST", "AFTER", "COMMAND"],
        ["b[n=1]", "two", "here.py"],
    ]
    code, _, err = bench.call("campaign", "statsu", "sweep")
    assert code == 2
    assert "did you mean status?" in err


NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Report"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {"tags": ["parameters"]},
            "source": "lr = 1",
            "outputs": [],
        },
        {"cell_type": "code", "id": "c", "metadata": {}, "source": "print('lr', lr)\nlr + 1", "outputs": []},
        {"cell_type": "code", "id": "d", "metadata": {}, "source": "1 / (lr - 3)", "outputs": []},
    ],
}


@pytest.mark.slow
def test_cells_and_notebooks_get_their_parameters(bench: Bench) -> None:
    bench.write("report.ipynb", json.dumps(NOTEBOOK))
    bench.write("look.py", "print('cell', lr)\nkept = lr\n")
    bench.write("again.py", "print('kept', kept)\n")
    campaign = bench.start(
        {"name": "look", "cell": "look.py", "matrix": {"lr": [0.5]}, "session": "shared"},
        {"name": "again", "cell": "again.py", "session": "shared", "after": "look"},
        {"name": "plain", "notebook": "report.ipynb", "params": {"lr": 2}},
        {"name": "bad", "notebook": "report.ipynb", "params": {"lr": 3}},
        hosts="one",
        concurrency=3,
    )
    done = campaign.wait()
    assert states(done) == {
        "look[lr=0.5]": "finished",
        "again": "finished",
        "plain": "finished",
        "bad": "failed",
    }
    said = {step.key: b"".join(log).decode() for step, log in campaign.logs()}
    assert (said["look[lr=0.5]"], said["again"]) == ("cell 0.5\n", "kept 0.5\n")
    assert said["plain"].splitlines()[1:] == ["lr 2"]
    assert said["plain"].splitlines()[0].endswith("the code cells are run as a script")
    assert "ZeroDivisionError" in said["bad"]


@pytest.fixture
def here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The same, with the built-in host, whose Python is that of the tests."""
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(bench.root / "state"))
    settings = json.loads((bench.root / "config" / "hosts.yaml").read_text())
    settings["hosts"]["local"] = {"workspace": str(bench.root / "mirror")}
    (bench.root / "config" / "hosts.yaml").write_text(json.dumps(settings))
    yield bench
    if (bench.root / "state" / "campaigns").exists():
        Campaign("sweep", ["local"], bench.workspace).stop()
    bench.remote("local").stop_sessions()
    bench.remote("local").close()


@pytest.mark.slow
def test_a_notebook_is_executed_where_the_environment_can(here: Bench) -> None:
    here.write("report.ipynb", json.dumps(NOTEBOOK))
    campaign = here.start({"name": "n", "notebook": "report.ipynb", "params": {"lr": 5}}, hosts="local")
    assert campaign.wait().ok, [b"".join(log) for _, log in campaign.logs()]
    assert campaign.pull() == {"local": ["n/report.ipynb"]}
    pulled = json.loads((here.workspace / "campaigns/sweep/local/n/report.ipynb").read_text())
    assert [cell["source"] for cell in pulled["cells"]][2] == ["# Parameters\n", "lr = 5"]
    assert pulled["cells"][3]["outputs"][0]["text"] == ["lr 5\n"]


@pytest.mark.slow
def test_steps_wait_in_line_for_gpus(fake_gpus: FakeGpus, here: Bench) -> None:
    step = {
        "name": "s",
        "shell": "sleep 0.1; echo $CUDA_VISIBLE_DEVICES",
        "matrix": {"n": [1, 2, 3, 4]},
        "gpus": 1,
    }
    campaign = here.start(step, hosts="local", concurrency=4)
    assert campaign.wait().ok, [b"".join(log) for _, log in campaign.logs()]
    assert most_at_once(campaign.runs) <= 2
    seen = {b"".join(log).decode().strip() for _, log in campaign.logs()}
    assert seen <= {fake_gpus.uuid(0), fake_gpus.uuid(1)}
    assert all(len(record["leased"]) == 1 for record in campaign.runs)


@pytest.mark.slow
def test_steps_may_be_jobs_of_slurm(slurm: None, here: Bench) -> None:
    campaign = here.start(
        {"name": "s", "shell": "echo {n} $SLURM_JOB_ID", "matrix": {"n": [1, 2]}},
        {"name": "cancelled", "shell": "echo $SLURM_JOB_ID; sleep 600"},
        hosts="local",
        concurrency=3,
        defaults={"launcher": "slurm", "set": {"time": "00:05:00"}},
    )
    await_true(lambda: states(campaign.status())["cancelled"] == "running")
    job = await_true(lambda: printed(campaign, "cancelled"))
    subprocess.run(["scancel", "--signal=KILL", "--full", job.strip()], check=True)
    done = campaign.wait()
    by_key = {step.key: step for step in done.steps}
    assert [by_key[f"s[n={n}]"].state for n in (1, 2)] == ["finished"] * 2
    assert by_key["cancelled"].state in ("failed", "stopped")
    assert [printed(campaign, f"s[n={n}]").split()[0] for n in (1, 2)] == ["1", "2"]
    assert all(record["job"]["launcher"] == "slurm" for record in campaign.runs)


@pytest.mark.slow
def test_a_start_that_is_sent_twice_is_one(bench: Bench) -> None:
    prepared = Prepared({"name": "sweep", "steps": [{"name": "s", "shell": "sleep 0.3"}]}, "one")
    prepared.check()
    first = prepared.start()
    pid = bench.driver("one")
    again = prepared.start()
    assert bench.driver("one") == pid
    assert again.wait().ok
    assert len(first.runs) == 1
    # Another start of that name is another campaign, whose driver takes the place at once.
    assert bench.start({"name": "s", "shell": "true"}, hosts="one").wait().ok
    assert len(first.runs) == 2
    folder = bench.state("one") / "campaigns" / "sweep"
    await_true(lambda: not alive(bench.driver("one")))
    assert bench.call("clean", "one", "--yes")[0] == 0
    assert folder.exists()
    # Once its runs are gone for good, it is of no use to anybody.
    code, out, _ = bench.call("clean", "one", "--yes", "--unarchived")
    assert code == 0
    assert "1 ended campaign (its runs are gone" in out
    assert not folder.exists()


@pytest.mark.slow
def test_a_lost_host_is_named_before_anything_starts(bench: Bench, ssh_host: SshHost) -> None:
    ssh_host.alias("down", HostName="127.0.0.1", Port=1)
    prepared = Prepared({"name": "x", "steps": [{"name": "s", "shell": "true", "each": True}]}, "one,down")
    with pytest.raises(jupyter_remote.errors.ConnectError, match="down"):
        prepared.check()
    assert not (bench.state("one") / "campaigns").exists()
