"""Runs in archives, as a user has them: pushed, purged on their host, pulled, and looked at here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from s3_server import BUCKET, S3Server
from traitlets.config import Config as Traits
from two_hosts import Bench

from jupyter_remote import history
from jupyter_remote.display import RemoteResult


@pytest.fixture(params=["folder", "s3"])
def lab(request: pytest.FixtureRequest, bench: Bench) -> Bench:
    """Two hosts, and an archive `lab`."""
    if request.param == "folder":
        entry: dict[str, Any] = {"type": "folder", "path": str(bench.root / "lab")}
    else:
        server: S3Server = request.getfixturevalue("s3")
        entry = {"type": "s3", "bucket": BUCKET, "prefix": "me/", "endpoint_url": server.url}
    file = bench.root / "config" / "hosts.yaml"
    settings = json.loads(file.read_text())
    settings["archives"] = {"lab": entry, "bare": {"type": entry["type"]}}
    file.write_text(json.dumps(settings))
    return bench


def test_a_run_is_pushed_purged_on_its_host_and_pulled(lab: Bench) -> None:
    code = "print('said'); open('out.csv', 'w').write('1,2')"
    run = lab.remote().run_cell(code, label="one", notes={"pull": ["*.csv"]}).wait()
    other = lab.remote().run_cell("1").wait()
    lab.remote().stop_sessions()
    (told,) = lab.ask("runs", "push", run.id, "lab")["runs"]
    assert told["ok"] and told["sent_bytes"] == told["size"] and not told["late"]
    (told,) = lab.ask("runs", "push", run.id, "lab")["runs"]
    assert told["sent_bytes"] == 0
    assert not list((lab.root / "data" / "remote" / "outbox").iterdir())
    (listed,) = lab.ask("runs", "list", "--archive", "lab", "--label", "one")["runs"]
    assert (listed["id"], listed["host"], listed["state"]) == (run.id, "one", "finished")
    assert "lab" in next(
        line for line in lab.call("runs", "info", run.id)[1].splitlines() if "archived" in line
    )
    told = lab.ask("clean", "one", "--runs")
    assert told["runs"] == [run.id], "the other one is nowhere else"
    assert other.id in told["in_use"][0] and "--unarchived" in told["in_use"][0]
    assert [path.name for path in (lab.state() / "runs").iterdir()] == [other.id]
    assert lab.ask("clean", "one", "--unarchived")["runs"] == [other.id]
    (row,) = history.store().with_prefix(run.id)
    assert json.loads(row["archives"]) == ["lab"], "the history still knows where it is"
    assert not history.store().with_prefix(other.id)
    (told,) = lab.ask("runs", "pull", run.id[:-1], "lab", "--output", str(lab.root / "back"))["runs"]
    folder = Path(told["folder"])
    assert (folder / "run" / "output.log").read_text() == "said\n"
    assert (folder / "run" / "code").read_text() == code
    assert (folder / "artifacts" / "out.csv").read_text() == "1,2"
    assert json.loads((folder / "whole.json").read_text())["record"]["label"] == "one"
    (artifact,) = json.loads((folder / "artifacts.json").read_text())["files"]
    assert (artifact["path"], artifact["size"], artifact["after_end"]) == ("out.csv", 3, False)
    for word in ("delete", "restore", "delete", "purge"):
        assert lab.call("runs", word, run.id, "--archive", "lab")[0] == 0
    assert lab.ask("runs", "--archive", "lab")["runs"] == []
    assert json.loads(history.store().with_prefix(run.id)[0]["archives"]) == []


def test_what_can_not_be_pushed_is_said(lab: Bench) -> None:
    run = lab.remote().run_bash("exec sleep 600")
    code, _, err = lab.call("runs", "push", run.id, "lab")
    assert code == 2 and "only one that has ended is archived" in err
    run.stop()
    run.wait()
    code, _, err = lab.call("runs", "push", run.id, "lap")
    assert code == 2 and "there is no archive lap; Valid: lab, bare" in err
    code, _, err = lab.call("runs", "push", run.id, "bare")
    assert code == 3 and "archives.bare: `type:" in err
    code, _, err = lab.call("runs", "pull", "../x", "lab")
    assert code == 2 and "is not the id of a run" in err
    code, _, err = lab.call("runs", "pull", run.id, "lab")
    assert code == 2 and "there is no run" in err


@pytest.fixture
def settings(bench: Bench) -> Iterator[dict[str, Any]]:
    """What hosts.yaml says, with an archive `lab`; in the end it is as it was."""
    file = bench.root / "config" / "hosts.yaml"
    before = file.read_text()
    said = json.loads(before) | {"archives": {"lab": {"type": "folder", "path": str(bench.root / "lab")}}}
    file.write_text(json.dumps(said))
    yield said
    file.write_text(before)


@pytest.fixture
def shell(bench: Bench) -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Traits({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "jupyter_remote")
    yield shell
    shell.run_line_magic("unload_ext", "jupyter_remote")
    InteractiveShell.clear_instance()


SHOWS = """
import sys
from IPython.display import HTML, display
print("out")
print("err", file=sys.stderr)
display(HTML("<b>" + "x" * 40_000 + "</b>"))
{"a": 1}
"""


@pytest.mark.slow
def test_what_was_pulled_is_looked_at_here_and_no_host_is_asked(
    bench: Bench, settings: dict[str, Any], shell: InteractiveShell
) -> None:
    shown = bench.remote().run_cell(SHOWS, label="shown").wait()
    failed = bench.remote().run_cell("1 / 0").wait()
    stopped = bench.remote().run_bash("echo begun; exec sleep 600")
    next(event for event in stopped.events() if event.kind == "stdout")
    stopped.stop()
    stopped.wait()
    for run in (shown, failed, stopped):
        bench.ask("runs", "push", run.id, "lab")
    bench.remote().stop_sessions()
    asked = {run.id: bench.call("logs", run.id) for run in (shown, failed, stopped)}
    bench.ask("clean", "one", "--runs")
    bench.remote().close()
    # From now on nobody is there to be asked.
    settings["hosts"]["one"]["command"] = ["/no/such"]
    (bench.root / "config" / "hosts.yaml").write_text(json.dumps(settings))
    assert bench.call("logs", shown.id)[0] != 0
    for run in (shown, failed, stopped):
        bench.ask("runs", "pull", run.id, "lab", "--output", str(bench.root / "back"))
        assert bench.call("logs", run.id) == asked[run.id]
    assert bench.call("logs", shown.id, "--tail", "1")[1:] == ("err\n", "")
    code, out, err = bench.call("logs", shown.id, "--rank", "3")
    assert (code, out) == (2, "") and "has no rank 3, only 0" in err
    code, out, _ = bench.call("runs", "info", shown.id[:-1])
    assert code == 0
    facts = {line.split()[0]: line.split()[-1] for line in out.splitlines()[1:] if line.strip()}
    assert (facts["host"], facts["label"], facts["archived"]) == ("one", "shown", "lab")
    assert str(bench.root / "back" / shown.id) in out and 'display(HTML("<b>"' in out
    document = bench.ask("runs", "info", shown.id)
    assert (document["record"]["id"], document["code"]) == (shown.id, SHOWS)
    # A replay is what was seen then, with the end that it had.
    code, out, err = bench.call("attach", shown.id)
    assert (code, out) == (0, "out\n<IPython.core.display.HTML object>\n{'a': 1}\n")
    assert err.splitlines()[0] == "err" and err.splitlines()[-1].startswith("✓ one · shown · ")
    code, out, err = bench.call("attach", failed.id)
    assert (code, out) == (1, "") and "ZeroDivisionError: division by zero" in err and "✗ one" in err
    code, out, err = bench.call("watch", stopped.id)
    assert (code, out) == (stopped.exit_code, "") and "■ one · stopped" in err
    value = shell.run_line_magic("remote", f"attach {shown.id}")
    assert isinstance(value, RemoteResult) and value.data["text/plain"] == "{'a': 1}"
    assert "runs info" not in bench.call("runs", "diff", shown.id, failed.id)[2]
    # Who asks the host by name asks the host.
    assert "/no/such" in bench.call("logs", shown.id, "--host", "one")[2]


def test_a_run_of_somebody_elses_host_is_found_by_its_folder(
    bench: Bench, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.remote().run_cell("print('theirs')").wait()
    bench.ask("runs", "push", run.id, "lab")
    history.flush()
    (bench.root / "theirs").mkdir()
    (bench.root / "theirs" / "hosts.yaml").write_text(json.dumps({"archives": settings["archives"]}))
    with monkeypatch.context() as another:
        another.setenv("JUPYTER_DATA_DIR", str(bench.root / "mine"))
        another.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(bench.root / "theirs"))
        (told,) = bench.ask("runs", "pull", run.id, "lab")["runs"]
        assert bench.call("logs", run.id)[1] == "theirs\n"
        assert bench.listed("list") == [], "a host that is none here is not asked for its runs"
        folder = Path(told["folder"])
        whole = (folder / "whole.json").read_bytes()
        (folder / "whole.json").write_text("{}")
        _, _, err = bench.call("runs", "info", run.id)
        assert f"whole.json is not what was archived of run {run.id}" in err
        (folder / "whole.json").write_bytes(whole)
        folder.rename(bench.root / "elsewhere")
        code, _, err = bench.call("logs", run.id)
        assert code == 2 and f"no run {run.id}" in err
        history.flush()
