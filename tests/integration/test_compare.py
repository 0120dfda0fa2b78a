"""Runs side by side on real hosts: found, refreshed, drawn and written down, by every word there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hosts import await_true
from two_hosts import Bench

import jupyter_remote
from jupyter_remote import history
from jupyter_remote.campaigns.campaign import Campaign
from jupyter_remote.errors import UsageError
from jupyter_remote.run import Run

TRAIN = """
import os, sys
lr = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
for step in range(4):
    print(f"step={step} loss={1 / (1 + lr * step):.3f} name=toy", flush=True)
print(f"RESULT_BENCH gflops={1000 * lr}")
"""
PICTURE = """
import base64
from IPython.display import Image, display
png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
display(Image(base64.b64decode(png)))
print("loss=0.5 step=1"); print("<script>alert(1)</script>")
open("dot.png", "wb").write(base64.b64decode(png))
"""


def trained(bench: Bench, lr: str, host: str = "one", **options: str) -> Run:
    words = ["python3", "train.py", "--lr", lr]
    (bench.workspace / "train.py").write_text(TRAIN)
    return bench.remote(host).run_program(words, **options).wait().check()


def test_runs_are_compared_and_drawn(bench: Bench) -> None:
    slow, fast = trained(bench, "0.1"), trained(bench, "2", "two")
    document = bench.ask("compare", slow.id, fast.id, "--plot", "a.svg")
    assert [run["metrics"] for run in document["runs"]] == [
        {"loss": 0.769, "BENCH.gflops": 100.0},
        {"loss": 0.143, "BENCH.gflops": 2000.0},
    ]
    assert [run["params"] for run in document["runs"]] == [
        {"name": "toy", "lr": "0.1"},
        {"name": "toy", "lr": "2"},
    ]
    assert [one["best"] for one in document["metrics"]] == [[fast.id], [fast.id]]
    assert document["differs"] == ["lr"]
    assert (bench.workspace / "a.svg").read_bytes().startswith(b"<?xml")
    code, out, err = bench.call("compare", slow.id, fast.id, "--metric", "BENCH*", "--best", "min")
    assert (code, err) == (0, "")
    assert re.search(
        rf"{slow.id} +one .* 0\.1 +100 \*\n{fast.id} +two .* 2 +2000\n\* best: BENCH.gflops \(min\)", out
    )
    for words, says in (
        ([], "no run is named"),
        ([slow.id, "--metric", "los"], "did you mean loss?"),
        ([slow.id, "--plot", "a.jpg"], "has to end in .png, .svg or .pdf"),
        ([slow.id, "--plot", "a.png", "--by", "host", "--kind", "pie"], "valid: auto, line, bar"),
        (["--campaign", "none"], "no run of a campaign none is known"),
        (["g20261122-014500-7f3a"], "no run of the group"),
    ):
        code, _, err = bench.call("compare", *words)
        assert code == 2, err
        assert says in err


def test_python_has_the_same_and_takes_runs_as_it_finds_them(bench: Bench) -> None:
    runs = {host: trained(bench, "0.1", host) for host in ("one", "two")}
    compared = jupyter_remote.compare(runs)
    assert compared.titles == {runs["one"].id: "one", runs["two"].id: "two"}
    assert compared.best == {"loss": (), "BENCH.gflops": ()}  # equal
    assert compared.to_pandas()["loss"].tolist() == [0.769, 0.769]
    figure = jupyter_remote.plot([runs["one"]], runs["two"].id, metric="loss", x="time", by="host")
    assert [axes.get_title() for axes in figure.axes] == ["host = one", "host = two"]
    assert [round(float(y), 3) for y in figure.axes[0].lines[0].get_ydata()] == [1.0, 0.909, 0.833, 0.769]
    with pytest.raises(UsageError, match="is no run"):
        jupyter_remote.compare(1)


def test_the_runs_of_one_call_are_a_group(bench: Bench) -> None:
    (bench.workspace / "train.py").write_text(TRAIN)
    code, _, err = bench.call("run", "one,two", "--", "python3", "train.py")
    assert code == 0, err
    (group,) = {row["options"]["group"] for row in bench.ask("runs")["runs"]}
    document = bench.ask("compare", group)
    assert sorted(run["host"] for run in document["runs"]) == ["one", "two"]
    assert document["differs"] == []
    assert all(run["metrics"]["loss"] == 0.769 for run in document["runs"])


def test_a_run_that_goes_on_is_compared_as_it_stands(bench: Bench) -> None:
    code = "import time\nprint('loss=0.5 step=1', flush=True)\nwhile True: time.sleep(0.05)"
    run = bench.remote().run_cell(code, fresh=True)
    run.detach()
    try:
        document = await_true(lambda: (d := bench.ask("compare", run.id)) and d["metrics"] and d)
        assert document["runs"][0]["state"] in ("starting", "running")
        assert document["runs"][0]["seconds"] is None
        page = jupyter_remote.report(run.id).markdown()  # does not wait for the end
        assert "loss=0.5 step=1" in page
    finally:
        bench.call("runs", "stop", run.id)


def test_a_host_that_is_away_is_named_and_its_runs_are_as_they_were(bench: Bench) -> None:
    here = trained(bench, "0.1")
    away = {"id": "20261122-014500-7f3a", "host": "gone", "state": "finished", "metrics": '{"loss": "nan"}'}
    history.note([away])
    code, out, err = bench.call("compare", here.id, str(away["id"]))
    assert code == 0, err
    assert re.search(r"20261122-014500-7f3a +gone +finished .*nan\n", out)
    assert re.search(r"gone: .*; its runs are as they were when last seen\n", out)
    document = bench.ask("compare", here.id, str(away["id"]))
    assert document["runs"][1]["metrics"] == {"loss": "nan"}
    assert [one["host"] for one in document["unreachable"]] == ["gone"]
    made = jupyter_remote.report(str(away["id"]))
    assert made.missing
    assert "its host was not asked" in made.markdown()
    assert jupyter_remote.compare(str(away["id"]), local=True).silent == ()


def test_a_report_has_what_the_run_was_made_of_and_what_it_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSED", "handed-over-1")
    run = bench.remote().run_cell(
        f"{PICTURE}\nimport os; print(os.environ['PASSED'], os.environ['API_TOKEN'])",
        env={"API_TOKEN": "tok-123456"},
        pass_env=["PASSED"],
        label="dot",
        fresh=True,
        notes={"pull": ["*.png"], "command": "%%remote one --env API_TOKEN=tok-123456"},
    )
    run.wait().check()
    code, out, err = bench.call("runs", "report", run.id, "--output", "r.html", "--tail", "3")
    assert (code, err) == (0, "")
    assert out == "report of 1 run written to r.html\n"
    page = Path("r.html").read_text(encoding="utf-8")
    for said in (
        f"Run {run.id}: dot",
        "dot.png",
        "&lt;script&gt;alert(1)",
        "PASSED",
        "packages, digest",
        "one",
    ):
        assert said in page
    assert "<script" not in page
    assert "tok-123456" not in page
    assert "handed-over-1" not in page
    assert page.count("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB") == 2  # shown, and in a file
    assert not (bench.workspace / "dot.png").exists()
    told = bench.ask("runs", "report", run.id, "--output", "r.md")
    assert told["files"][1:] == ["r_files/001.png", "r_files/002.png"]
    code, out, err = bench.call("runs", "report", run.id)
    assert out.startswith(f"# Run {run.id}: dot\n")
    assert bench.call("runs", "report", run.id, "--output", "r.txt")[0] == 2


@pytest.mark.slow
def test_a_campaign_is_compared_by_its_steps_and_reported_with_its_states(bench: Bench) -> None:
    (bench.workspace / "train.py").write_text(TRAIN)
    steps = [
        {"name": "train", "script": "train.py", "args": ["--lr", "{lr}"], "matrix": {"lr": [0.1, 2]}},
        {
            "name": "fail",
            "shell": "test -e again || { touch again; exit 3; }",
            "retries": 1,
            "retry_wait": 0.1,
        },
        {"name": "broken", "shell": "exit 4"},
        {"name": "never", "shell": "true", "after": "broken"},
    ]
    jupyter_remote.campaign({"name": "sweep", "steps": steps}, "one,two").wait()
    document = bench.ask(
        "compare", "--campaign", "sweep", "--best", "loss=max", "--plot", "c.png", "--by", "lr"
    )
    assert sorted(run["step"] for run in document["runs"]) == [
        "broken",
        "fail",
        "train[lr=0.1]",
        "train[lr=2]",
    ]
    assert sorted(run["state"] for run in document["runs"]) == ["failed"] + ["finished"] * 3
    assert document["differs"] == ["lr", "name"] or document["differs"] == ["name", "lr"]
    (best,) = next(one["best"] for one in document["metrics"] if one["name"] == "loss")
    assert next(run["params"]["lr"] for run in document["runs"] if run["id"] == best) == "0.1"
    page = jupyter_remote.report(campaign="sweep", output="c.html").html()
    assert "<h1>Campaign sweep</h1>" in page
    table = page[page.index("<h2>States</h2>") : page.index("<h2>Side by side</h2>")]
    assert (table.count("✓ finished"), table.count("✗ failed (4)"), table.count("skipped")) == (3, 1, 1)


def test_of_campaigns_of_one_name_the_newest_is_compared_and_an_older_one_by_id(bench: Bench) -> None:
    def start(*lrs: float) -> Campaign:
        shell = "echo loss={lr} step=1"
        steps = [{"name": "train", "shell": shell, "matrix": {"lr": list(lrs)}}]
        campaign = jupyter_remote.campaign({"name": "sweep", "steps": steps}, "one")
        assert isinstance(campaign, Campaign)
        assert campaign.wait().ok
        return campaign

    def losses(word: str) -> list[float]:
        return sorted(run["metrics"]["loss"] for run in bench.ask("compare", "--campaign", word)["runs"])

    older = start(0.1, 0.2)
    assert losses("sweep") == [0.1, 0.2]
    newer = start(0.3)
    assert losses("sweep") == [0.3]
    assert len(older.runs) == 2 and len(newer.runs) == 1
    before = str(older.runs[0]["id"])
    assert losses(older.id) == losses(older.id[:8]) == losses(before) == [0.1, 0.2]
    page = jupyter_remote.report(campaign=before).html()
    assert "<h1>Campaign sweep</h1>" in page and "train[lr=0.3]" not in page
    run = bench.remote().run_cell("1").wait()
    code, _, err = bench.call("compare", "--campaign", run.id)
    assert code == 2 and "is no step of a campaign" in err
