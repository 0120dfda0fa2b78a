"""Campaigns over two hosts: checked, started, run to their end, brought here."""

from __future__ import annotations

import json

import pytest
from fleet import NAMES, Fleet, most_at_once
from hosts import alive, await_true
from sshd import SshHost

import jupyter_remote
from jupyter_remote.campaigns.campaign import find
from jupyter_remote.campaigns.starting import Prepared

# Two steps wait for each other, so that they must run at the same time; and long enough to meet a third.
PAIRED = "mkdir -p $HOME/{campaign}; touch $HOME/{campaign}/$$; "
PAIRED += "until [ $(ls $HOME/{campaign} | wc -l) -ge 2 ]; do sleep 0.02; done; sleep 0.5"


@pytest.mark.slow
def test_a_matrix_over_two_hosts_two_at_a_time(fleet: Fleet) -> None:
    fleet.write(
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
    file = fleet.write("sweep.yaml", steps)
    code, out, err = fleet.call("campaign", str(file), "--wait")
    assert (code, err) == (0, ""), out + err
    assert "campaign sweep: 10 steps (5 on one, 5 on two); `campaign status sweep` shows it" in out
    assert "campaign sweep: 10 finished" in out
    # The hosts started these runs, and a list of all runs has them all the same.
    code, out, _ = fleet.call("runs", "list", "--json")
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
    (fleet.root / "data" / "remote" / "history.db").unlink()
    code, out, _ = fleet.call("runs", "list", "--campaign", "sweep", "--json")
    found = json.loads(out)["runs"]
    assert {row["id"] for row in found} == {record["id"] for record in records}
    assert {row["campaign"] for row in found} == {"sweep"}
    assert next(row["options"]["params"] for row in found if row["step"] == "pair[n=3]") == {"n": 3}
    code, out, _ = fleet.call("campaign", "logs", "sweep", "--tail", "1")
    assert f"==> {trained['host']}: train[lr=0.1] (finished, run {trained['id']})\n--lr 0.1 quick\n" in out
    code, out, _ = fleet.call("campaign", "pull", "sweep")
    assert code == 0
    base = fleet.workspace / "campaigns" / "sweep"
    assert (base / "one" / "fetch" / "data").read_text() == "data of one\n"
    assert (base / trained["host"] / "train-lr=0.1" / "made.txt").exists()
    assert (base / trained["host"] / "train-lr=0.1" / "output.log").read_text() == "--lr 0.1 quick\n"
    assert json.loads((base / "two" / "fetch" / "step.json").read_text())["state"] == "finished"
    # Results are no sources: the next sync leaves them here, but for the folder that is on the host anyway.
    assert set(fleet.remote("one").sync(dry_run=True).sent) <= {"campaigns", "campaigns/sweep"}
    code, out, _ = fleet.call("campaign", "list")
    assert [line.split()[:4] for line in out.splitlines()[1:]].count(["sweep", "one", "5", "finished"]) == 1


@pytest.mark.slow
def test_everything_is_checked_on_all_hosts_before_anything_starts(fleet: Fleet) -> None:
    fleet.write("here.py", "print(1)")
    fleet.write("ignored.py", "print(1)")
    fleet.write(".gitignore", "ignored.py\n")
    text = """
    hosts: [one, two]
    steps:
      - {name: a, program: [no-such-program, x]}
      - {name: b, script: here.py}
      - {name: c, script: ignored.py, hosts: two}
      - {name: d, program: tool, env: {PATH: /opt/x}}
      - {name: e, shell: 'true', python: /no/python, hosts: one}
    """
    file = fleet.write("sweep.yaml", text)
    for words in (["--dry-run"], []):
        code, out, err = fleet.call("campaign", str(file), *words)
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            "error: one: there is no program `no-such-program` there",
            "one: the Python `/no/python` can't be used: no Python at '/no/python'",
            "two: ignored.py is not in the workspace there",
            "Nothing was started.",
        ]
    assert not any((fleet.state(name) / "campaigns").exists() for name in NAMES)
    file = fleet.write("sweep.yaml", "hosts: one\nsteps: [{name: b, script: here.py, matrix: {n: [1]}}]")
    code, out, err = fleet.call("campaign", "start", str(file), "--dry-run", "--host", "two")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["STEP", "HOST", "AFTER", "COMMAND"],
        ["b[n=1]", "two", "here.py"],
    ]
    code, _, err = fleet.call("campaign", "statsu", "sweep")
    assert code == 2
    assert "did you mean status?" in err


@pytest.mark.slow
def test_a_start_that_is_sent_twice_is_one(fleet: Fleet) -> None:
    prepared = Prepared({"name": "sweep", "steps": [{"name": "s", "shell": "sleep 0.3"}]}, "one")
    prepared.check()
    first = prepared.start()
    pid = fleet.driver("one")
    again = prepared.start()
    assert fleet.driver("one") == pid
    assert again.wait().ok
    assert len(first.runs) == 1
    # Another start of that name is another campaign, whose driver takes the place at once.
    second = fleet.start({"name": "s", "shell": "true"}, hosts="one")
    assert second.wait().ok
    assert [len(one.runs) for one in (first, again, second)] == [1, 1, 1]
    assert first.runs == again.runs != second.runs
    folder = fleet.state("one") / "campaigns" / "sweep"
    await_true(lambda: not alive(fleet.driver("one")))
    assert fleet.call("clean", "one", "--yes")[0] == 0
    assert folder.exists()
    # Once its runs are gone for good, it is of no use to anybody.
    code, out, _ = fleet.call("clean", "one", "--yes", "--unarchived")
    assert code == 0
    assert "1 ended campaign (its runs are gone" in out
    assert not folder.exists()


@pytest.mark.slow
def test_a_lost_host_is_named_before_anything_starts(fleet: Fleet, ssh_host: SshHost) -> None:
    ssh_host.alias("down", HostName="127.0.0.1", Port=1)
    prepared = Prepared({"name": "x", "steps": [{"name": "s", "shell": "true", "each": True}]}, "one,down")
    with pytest.raises(jupyter_remote.errors.ConnectError, match="down"):
        prepared.check()
    assert not (fleet.state("one") / "campaigns").exists()
