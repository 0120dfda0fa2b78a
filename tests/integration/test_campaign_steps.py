"""What a step of a campaign may be: a cell, a notebook, a job; with parameters and GPUs."""

from __future__ import annotations

import json
import subprocess

import pytest
from fake_gpus import FakeGpus
from fleet import Fleet, most_at_once, printed, states
from hosts import await_true

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
def test_cells_and_notebooks_get_their_parameters(fleet: Fleet) -> None:
    fleet.write("report.ipynb", json.dumps(NOTEBOOK))
    fleet.write("look.py", "print('cell', lr)\nkept = lr\n")
    fleet.write("again.py", "print('kept', kept)\n")
    campaign = fleet.start(
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


@pytest.mark.slow
def test_a_notebook_is_executed_where_the_environment_can(home_fleet: Fleet) -> None:
    home_fleet.write("report.ipynb", json.dumps(NOTEBOOK))
    campaign = home_fleet.start({"name": "n", "notebook": "report.ipynb", "params": {"lr": 5}}, hosts="local")
    assert campaign.wait().ok, [b"".join(log) for _, log in campaign.logs()]
    assert campaign.pull() == {"local": ["n/report.ipynb"]}
    pulled = json.loads((home_fleet.workspace / "campaigns/sweep/local/n/report.ipynb").read_text())
    assert [cell["source"] for cell in pulled["cells"]][2] == ["# Parameters\n", "lr = 5"]
    assert pulled["cells"][3]["outputs"][0]["text"] == ["lr 5\n"]


@pytest.mark.slow
def test_steps_wait_in_line_for_gpus(fake_gpus: FakeGpus, home_fleet: Fleet) -> None:
    step = {
        "name": "s",
        "shell": "sleep 0.1; echo $CUDA_VISIBLE_DEVICES",
        "matrix": {"n": [1, 2, 3, 4]},
        "gpus": 1,
    }
    campaign = home_fleet.start(step, hosts="local", concurrency=4)
    assert campaign.wait().ok, [b"".join(log) for _, log in campaign.logs()]
    assert most_at_once(campaign.runs) <= 2
    seen = {b"".join(log).decode().strip() for _, log in campaign.logs()}
    assert seen <= {fake_gpus.uuid(0), fake_gpus.uuid(1)}
    assert all(len(record["leased"]) == 1 for record in campaign.runs)


@pytest.mark.slow
def test_steps_may_be_jobs_of_slurm(slurm: None, home_fleet: Fleet) -> None:
    campaign = home_fleet.start(
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
