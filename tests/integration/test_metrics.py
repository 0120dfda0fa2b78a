"""Metrics of real runs: while they run, afterwards, from another client, killed, and in numbers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hosts import Place, await_true

from jupyter_remote import history, metrics, runs
from jupyter_remote.metric_store import MetricFile
from jupyter_remote.metrics import Metrics
from jupyter_remote.run_results import gather

# It goes on when a file is there.
STEPS = """
import os, sys, time
print("RESULT_GEMM dtype=fp16 tflops=812.5")
for step in range(1, 4):
    print(f"step {step}/3 loss={1 / step:.2f} host=a")
    with open("metrics.jsonl", "a") as file:
        file.write(f'{{"step": {step}, "val_loss": {1 / step}}}\\n')
    while not os.path.exists(f"go{step}"):
        time.sleep(0.01)
"""


def asked(what: Metrics, ready: Callable[[], Any]) -> None:
    """Asks until it is so: how soon a question may be put again depends on what the last one took."""
    await_true(lambda: (what.refresh() and ready()) or ready())


def mirror(place: Place) -> Path:
    return Path(place.remote.mirror).expanduser()


def test_they_come_while_it_runs_and_stay(local: Place) -> None:
    run = local.remote.run_cell(STEPS)
    found = run.metrics
    asked(found, lambda: found.finals().get("loss") == 1.0 and found.finals().get("val_loss") == 1.0)
    assert not found.complete and run.metrics is found
    (mirror(local) / "go1").touch()
    asked(found, lambda: found.finals()["loss"] == 0.5)
    told = found.progress()
    assert told is not None and told.text == "2/3"
    for step in (2, 3):
        (mirror(local) / f"go{step}").touch()
    run.wait().check()
    ended = run.metrics
    assert ended.complete and ended.finals() == {"GEMM.tflops": 812.5, "loss": 0.33, "val_loss": 1 / 3}
    assert (ended.series("loss").steps, ended.series("loss").values) == ([1, 2, 3], [1, 0.5, 0.33])
    assert ended.params() == {"dtype": "fp16", "result": "GEMM", "host": "a"}
    times = ended.series("loss").times
    assert times == sorted(times) and times[0] < times[-1]
    table = ended.to_pandas()
    assert list(table[table.name == "loss"]["value"]) == [1, 0.5, 0.33]
    assert set(table.source) == {"output", "metrics.jsonl"}
    # A list of runs has the last values without asking anybody.
    history.flush()
    row = history.store().with_prefix(run.id)[0]
    assert metrics.finals_of(row) == ended.finals()
    # And here they stay, whatever becomes of the host.
    kept = Metrics(run.id)
    assert kept.complete and kept.records() == ended.records() and kept.refresh()


def test_a_detached_run_is_read_by_another_client_over_ssh(place: Place) -> None:
    run = place.remote.run_cell(
        "print('loss=1')\nprint('loss=0.5', flush=True)\nopen('metrics.csv', 'w').write('acc\\n7\\n')"
    )
    run.detach()
    os.environ["JUPYTER_DATA_DIR"], here = str(place.workspace / "other"), os.environ["JUPYTER_DATA_DIR"]
    try:
        other = place.open()
        seen = other.attach(run.id)
        assert len(Metrics(run.id)) == 0
        await_true(lambda: seen.metrics.refresh() and seen.metrics.complete)
        assert seen.metrics.finals() == {"loss": 0.5, "acc": 7}
        seen.wait()
        history.flush()
    finally:
        os.environ["JUPYTER_DATA_DIR"] = here
    assert len(Metrics(run.id)) == 0  # the first client did not ask
    assert run.wait().metrics.finals() == {"loss": 0.5, "acc": 7}


def test_a_run_that_is_killed_in_the_middle(local: Place) -> None:
    code = (
        "import os, signal, sys\nprint('step=1 loss=0.5')\nprint('step=2 loss=0.1', end='', flush=True)\n"
        "os.write(1, b'23')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    run = local.run(code)
    assert run.state in ("failed", "lost") and run.metrics.complete
    assert run.metrics.finals() == {"loss": 0.5}


def test_a_run_whose_supervisor_is_killed_is_over_too(local: Place) -> None:
    run = local.remote.run_cell("print('loss=0.5', flush=True)\nimport time\ntime.sleep(60)")
    asked(run.metrics, lambda: len(run.metrics) == 1)
    (session,) = local.remote.sessions()
    os.kill(session["pid"], signal.SIGKILL)
    run.wait()
    assert run.state == "lost" and run.metrics.complete and run.metrics.finals() == {"loss": 0.5}
    os.kill(session["worker"], signal.SIGKILL)


def test_whatever_it_prints_it_ends_well(local: Place) -> None:
    code = r"""
import os, sys
out = sys.stdout.buffer
out.write(os.urandom(1 << 20)); out.write(b"\n")
out.write(b"loss=" * (2 << 20) + b"\n")
out.write(b"loss=nan\nloss=inf\nloss=" + b"9" * 5000 + b"\nloss=1e999\nloss=-1e-999\nloss=True\n")
out.write(b'{"loss": ' + b"9" * 4000 + b'}\n{"loss": {"a": [1]}, "step": "x"}\n{"loss": 1\n')
out.write("loss: ½ loss=0x10\n".encode()); out.flush()
for step in range(20_000):
    print(f"step={step} loss={step}")
open("metrics.csv", "wb").write(b"step,loss\n" + os.urandom(100_000))
open("metrics.jsonl", "wb").write(b"{" * 3_000_000)
open("events.out.tfevents.1", "wb").write(os.urandom(100_000))
"""
    run = local.run(code).check()
    found = run.metrics
    assert found.complete, found.error
    series = found.series("loss", 10**6)
    assert series.values[-20_000:] == [float(step) for step in range(20_000)]
    assert [repr(v) for v in series.values[:-20_000]] == ["nan", "inf", "inf", "-0.0", "inf"]
    few = found.series("loss", 100)
    assert len(few.values) <= 100 and few.values[-1] == 19_999
    history.flush()
    document = json.loads(history.store().with_prefix(run.id)[0]["metrics"])
    assert document["loss"] == 19_999


def test_nan_at_the_end_is_kept_and_is_json(local: Place) -> None:
    run = local.run("print('loss=nan acc=inf lr=0.1')")
    gather(run)
    history.flush()
    row = history.store().with_prefix(run.id)[0]
    assert json.loads(row["metrics"]) == {"loss": "nan", "acc": "inf", "lr": 0.1}
    assert repr(metrics.finals_of(row)) == "{'loss': nan, 'acc': inf, 'lr': 0.1}"


def test_two_at_once_keep_each_point_once(local: Place) -> None:
    code = "for step in range(2000):\n    print(f'step={step} loss={step}')"
    run = local.run(code).check()
    one, two = (Metrics(run.id, local.remote.link) for _ in range(2))
    while not (one.complete and two.complete):
        one.refresh(seconds=0)
        two.refresh(seconds=0)
    for found in (one, two, Metrics(run.id)):
        assert found.series("loss", 10**6).values == [float(step) for step in range(2000)]


def test_wishes_go_with_the_run_and_its_repetition(local: Place) -> None:
    code = "print('copied 30 GB in 2.5 s')\nprint('speed=12')\nopen('own.csv', 'w').write('a\\n1\\n')"
    wishes = {"metrics": [r"in (?P<seconds>[\d.]+) s", "speed"], "metric_files": ["own.csv"]}
    run = local.run(code, **wishes)
    assert run.metrics.finals() == {"seconds": 2.5, "speed": 12, "a": 1}
    record = {**run.record, "kind": "cell"}
    again = runs.repeat(local.remote, record, code).wait()
    assert again.record["metric_wishes"] == run.record["metric_wishes"]
    assert again.metrics.finals() == run.metrics.finals()


def test_a_host_that_is_away_leaves_what_was_seen(local: Place) -> None:
    run = local.remote.run_cell(STEPS)
    asked(run.metrics, lambda: len(run.metrics) >= 2)
    seen = len(run.metrics)
    for step in (1, 2, 3):
        (mirror(local) / f"go{step}").touch()
    run.detach()
    local.remote.close()
    found = Metrics(run.id, local.remote.link)
    assert not found.refresh(connect=False) and len(found) == seen
    await_true(lambda: found.refresh() and found.complete)
    assert found.finals()["loss"] == 0.33


def test_what_is_purged_is_forgotten_here(local: Place) -> None:
    run = local.run("print('loss=1')")
    assert len(run.metrics) == 1 and MetricFile(run.id).path.exists()
    runs.forget_on_host([run.id])
    assert not MetricFile(run.id).path.exists()
