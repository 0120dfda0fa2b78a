"""Leases of GPUs: who gets which, in what order, and what is left when somebody is killed."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_gpus import FakeGpus
from hosts import Place

from jupyter_remote.errors import Interrupted, LaunchError, UsageError
from jupyter_remote.events import Event
from jupyter_remote.run import Run

SEEN = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
HOLD = "import sys, time; print('on', flush=True); time.sleep(600)"


def seen(place: Place, **options: Any) -> str:
    return place.printed(SEEN, **options).strip()


def seen_by_program(place: Place, **options: Any) -> str:
    """The same in a process of its own, which starts faster than a session does."""
    events: list[Event] = []
    place.remote.run_script("seen.py", SEEN, sync=False, **options).wait(events.append).check()
    return "".join(event.text for event in events if event.kind == "stdout").strip()


def refused(place: Place, said: str, **options: Any) -> str:
    """A program doesn't get what it asks for; returns what it is told to do."""
    with pytest.raises(LaunchError, match=said) as caught:
        place.remote.run_script("never.py", SEEN, sync=False, **options).wait().check()
    return str(caught.value.hint)


def start(place: Place, code: str = HOLD, **options: Any) -> Run:
    """A program of its own that has begun to run."""
    run = place.remote.run_script("hold.py", code, **options)
    for event in run.events():
        if event.kind == "stdout":
            return run
    raise AssertionError(run.check())


def waits_for(run: Run) -> str:
    """Takes events until it says what it waits for."""
    for event in run.events():
        if event.kind == "state" and event.data.get("reason"):
            return str(event.data["reason"])
    raise AssertionError(run.check())


def tickets(place: Place) -> list[str]:
    return [path.name for path in (place.state / "gpus").glob("*.ticket-*")]


def supervisor_of(run: Run) -> psutil.Process:
    return psutil.Process(int(run.record["supervisor"]["pid"]))


@pytest.mark.slow
def test_a_program_gets_one_gpu_by_its_uuid(fake_gpus: FakeGpus, local: Place) -> None:
    fake_gpus.use(0, 600, 0)  # so that the other one has more memory free
    events: list[Event] = []
    run = local.remote.run_script("a.py", SEEN, gpus=1).wait(events.append).check()
    assert "".join(event.text for event in events) == f"{fake_gpus.uuid(1)}\n"
    record = json.loads((local.folder(run) / "run.json").read_text())
    assert record["leased"] == [{"index": "1", "uuid": fake_gpus.uuid(1), "name": "NVIDIA H100 80GB HBM3"}]
    assert all("lease" in gpu and gpu["lease"] is None for gpu in local.remote.status()["gpus"])


@pytest.mark.slow
def test_a_session_keeps_its_lease_until_it_asks_differently(fake_gpus: FakeGpus, local: Place) -> None:
    assert seen(local) == "None"
    assert seen(local, gpus=1) == fake_gpus.uuid(0)
    assert seen(local) == fake_gpus.uuid(0)
    asked = len(fake_gpus.calls())
    assert seen(local, gpus=1) == fake_gpus.uuid(0)
    assert len(fake_gpus.calls()) == asked  # it has what it asks for
    (holder, other) = [gpu["lease"] for gpu in local.remote.status()["gpus"]]
    assert other is None
    assert holder["session"] == "default"
    assert holder["user"]
    assert seen(local, gpus="0,1") == f"{fake_gpus.uuid(0)},{fake_gpus.uuid(1)}"
    assert seen(local, gpus=0) == "None"
    assert [gpu["lease"] for gpu in local.remote.status()["gpus"]] == [None, None]


@pytest.mark.slow
def test_a_session_that_uses_its_gpus_can_not_change_to_others(
    fake_gpus: FakeGpus, local: Place, tmp_path: Path
) -> None:
    # What a process has open that has initialised CUDA.
    (tmp_path / "dev").mkdir()
    device = tmp_path / "dev" / "nvidia-uvm"
    device.touch()
    assert seen(local, gpus=1) == fake_gpus.uuid(0)
    local.run(f"uvm = open({str(device)!r})").check()
    with pytest.raises(LaunchError, match="can't change to others: it has 0") as caught:
        local.run("1", gpus=2).check()
    assert "--fresh" in caught.value.hint
    assert seen(local, gpus=1) == fake_gpus.uuid(0)  # still its own
    assert seen_by_program(local, gpus=1) == fake_gpus.uuid(1)


@pytest.mark.slow
def test_who_does_not_wait_is_told_who_has_them(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    assert "--wait" in refused(local, f"GPU 0: .*run {holder.id} since", gpus=1)
    refused(local, r"not free within 0\.3 s", gpus=1, wait=0.3)
    holder.stop()
    assert holder.wait().state == "stopped"
    assert tickets(local) == []
    local.run("1", gpus=1).check()


@pytest.mark.slow
def test_foreign_processes_memory_and_use_make_it_busy(fake_gpus: FakeGpus, local: Place) -> None:
    with subprocess.Popen(["sleep", "600"]) as foreign:
        fake_gpus.app(0, foreign.pid)
        assert seen_by_program(local, gpus=1) == fake_gpus.uuid(1)
        fake_gpus.use(1, 5000, 0)
        with pytest.raises(
            LaunchError, match=rf"python3 \(pid {foreign.pid}\), 2.9 GiB; GPU 1: 4.9 GiB used"
        ):
            local.run("1", gpus=1, fresh=True).check()
        # Asked for by its number it is given, and it is said who is there.
        run = local.remote.run_script("seen.py", SEEN, gpus="0,")
        events: list[Event] = []
        run.wait(events.append).check()
        said = "".join(event.text for event in events if event.kind == "stderr")
        assert f"GPU 0 is busy, and was asked for by name: root: python3 (pid {foreign.pid})" in said
        fake_gpus.use(1, 5000, 60)
        refused(local, "GPU 1: 60 % in use", gpus=1, min_free="20G")
        fake_gpus.use(1, 5000, 0)
        assert seen_by_program(local, gpus=1, min_free="20G") == fake_gpus.uuid(1)
        foreign.kill()


@pytest.mark.slow
def test_instances_are_leased_one_by_one(fake_gpus: FakeGpus, local: Place) -> None:
    fake_gpus.scenario("a100-mig")
    assert seen(local, gpus="0:1,").startswith("MIG-00000001")
    assert seen_by_program(local, gpus=1).startswith("MIG-00000000")
    assert len(seen_by_program(local, gpus=2).split(",")) == 2
    refused(local, "GPU 0:1: .*run ", gpus=3)


@pytest.mark.slow
def test_cards_of_amd(fake_amd: FakeGpus, local: Place) -> None:
    code = "import os; print(os.environ['ROCR_VISIBLE_DEVICES'], os.environ['HIP_VISIBLE_DEVICES'])"
    assert local.printed(code, gpus=1) == "GPU-18f68e602b8a9c30 0\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpus": 3}, "3 GPUs are asked for, and there are 2 GPUs"),
        ({"gpus": 1, "min_free": "100G"}, "of at least 100.0 GiB are asked for"),
        ({"gpus": "7,"}, "no GPU is 7; there are: 0, 1"),
        ({"gpus": 1, "wait": True, "min_free": "100G"}, "of at least 100.0 GiB"),
    ],
)
def test_what_can_never_be_had_is_refused_at_once(
    fake_gpus: FakeGpus, local: Place, options: dict[str, Any], said: str
) -> None:
    refused(local, said, **options)


@pytest.mark.slow
def test_without_a_driver_it_is_told_why(fake_gpus: FakeGpus, local: Place) -> None:
    fake_gpus.scenario("no-driver")
    refused(local, "NVIDIA-SMI has failed because it couldn't communicate", gpus=1, wait=True)


def test_what_was_typed_wrongly_is_told_before_a_host_is_asked(local: Place) -> None:
    for options in (
        {"gpus": "two"},
        {"gpus": True},
        {"min_free": "1G"},
        {"wait": True},
        {"gpus": 0, "wait": 1},
    ):
        with pytest.raises(UsageError):
            local.remote.run_cell("1", **options)
    with pytest.raises(UsageError, match="say the same thing"):
        local.remote.run_cell("1", gpus=1, env={"CUDA_VISIBLE_DEVICES": "0"})


@pytest.mark.slow
def test_an_interrupt_of_one_that_waits_leaves_nothing(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    local.run("x = 5").check()
    run = local.remote.run_cell("print('never')", gpus=1, wait=True)
    assert holder.id in waits_for(run)
    assert len(tickets(local)) == 1
    record = json.loads((local.folder(run) / "run.json").read_text())
    assert (record["state"], record["waits"]) == ("queued", record["waits"])
    run.interrupt()
    assert run.wait().state == "stopped"
    with pytest.raises(Interrupted, match="interrupted while it waited for GPUs"):
        run.check()
    assert tickets(local) == []
    assert local.run("x").check().result == {"text/plain": "5"}  # the session goes on
    holder.stop()
    holder.wait()


@pytest.mark.slow
def test_a_detached_run_waits_without_a_link(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    other = local.open()
    run = other.run_script("b.py", SEEN, gpus=1, wait=True)
    waits_for(run)
    run.detach()
    other.close()
    asked = len(fake_gpus.calls())
    holder.stop()
    holder.wait()
    again = local.remote.attach(run.id).wait().check()
    assert again.state == "finished"
    # Nobody asks the driver as long as all are leased.
    assert len(fake_gpus.calls()) - asked <= 6


@pytest.mark.slow
def test_a_killed_holder_and_a_killed_waiter_are_in_nobodys_way(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    waiter = local.remote.run_script("b.py", SEEN, gpus=2, wait=True)
    waits_for(waiter)
    last = local.remote.run_script("c.py", SEEN, gpus=1, wait=True)
    assert "1 before it" in waits_for(last)
    supervisor_of(waiter).kill()
    supervisor_of(holder).kill()
    events: list[Event] = []
    last.wait(events.append).check()
    assert fake_gpus.uuid(0) in "".join(event.text for event in events)
    assert tickets(local) == []
    assert waiter.wait().state == holder.wait().state == "lost"
    local.remote.end_remains()


@pytest.mark.slow
def test_a_driver_that_fails_meanwhile_costs_nobody_the_place(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    run = local.remote.run_script("b.py", SEEN, gpus=2, wait=True)
    waits_for(run)
    fake_gpus.scenario("no-driver")
    holder.stop()
    holder.wait()
    while "NVIDIA-SMI has failed" not in waits_for(run):
        pass
    assert len(tickets(local)) == 1
    fake_gpus.scenario("h100")
    run.wait().check()


@pytest.mark.slow
def test_a_killed_seeker_is_told(fake_gpus: FakeGpus, local: Place) -> None:
    holder = start(local, gpus=2)
    waiter = local.remote.run_script("b.py", SEEN, gpus=2, wait=True)
    waits_for(waiter)
    (seeker,) = supervisor_of(waiter).children()
    seeker.kill()
    with pytest.raises(LaunchError, match="the process that was to get GPUs has ended"):
        waiter.wait().check()
    holder.stop()
    holder.wait()


COMPETE = """
import os, sys, time
began = time.monotonic()
time.sleep(0.15)
with open(sys.argv[1], 'a') as file:
    file.write(f"{os.environ['CUDA_VISIBLE_DEVICES']} {began} {time.monotonic()} {sys.argv[2]}\\n")
"""


@pytest.mark.slow
def test_ten_compete_for_two_and_come_in_their_order(
    fake_gpus: FakeGpus, local: Place, tmp_path: Path
) -> None:
    holder = start(local, gpus=2)
    runs = []
    for number in range(10):
        run = local.remote.run_script(
            "compete.py", COMPETE, [str(tmp_path / "log"), str(number)], gpus=1, wait=True, sync=False
        )
        waits_for(run)  # it has its place in the line
        runs.append(run)
    supervisor_of(holder).kill()
    for run in runs:
        run.wait().check()
    rows = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(rows) == 10
    for gpu in {row[0] for row in rows}:
        spans = sorted((float(row[1]), float(row[2])) for row in rows if row[0] == gpu)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))
    # Two run at a time, so each may begin one place before or after its own.
    begun = [int(row[3]) for row in sorted(rows, key=lambda row: float(row[1]))]
    assert all(abs(place - number) <= 1 for place, number in enumerate(begun)), begun
    assert tickets(local) == []
    local.remote.end_remains()
    holder.wait()
