"""Runs that were started before, on two hosts: listed, described, deleted, run again, compared."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from hosts import alive, await_true, holding
from two_hosts import Bench, Document

from jupyter_remote import history, records
from jupyter_remote.history_store import Query


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time and content of everything in a folder, and of itself."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime_ns, content)
    return found


def stored(state: Path) -> list[str]:
    """What a host keeps of runs, all of it."""
    kinds = ("runs", "trash", "manifests", "environments", "diffs")
    return sorted(str(p.relative_to(state)) for kind in kinds for p in (state / kind).glob("*"))


# The record.


def test_a_run_knows_what_it_was_made_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.workspace / "a.py").write_text("x = 1\n")
    (bench.workspace / "book.ipynb").write_text("{}")
    bench.git("init", "-q")
    bench.git("add", ".")
    bench.git("commit", "-qm", "first")
    commit = bench.git("rev-parse", "HEAD")
    (bench.workspace / "a.py").write_text("x = 2\n")
    (bench.workspace / "book.ipynb").write_text('{"a": 1}')
    monkeypatch.setenv("TOKEN", "tok-8731")
    code = "import os; block = bytearray(64 << 20); sum(range(3_000_000))"
    run = bench.remote().run_cell(code, pass_env=["TOKEN"], notes={"command": "%%remote one"}).wait().check()
    second = bench.remote().run_cell("1").wait()

    def complete() -> Document | None:
        told = records.whole(bench.remote(), run.id)
        return told if told["environment"] and told["diff"] and told["manifest"] else None

    told = await_true(complete)
    record = told["record"]
    assert record["git"] == {
        "commit": commit,
        "branch": record["git"]["branch"],
        "dirty": True,
        "untracked": 0,
    }
    assert "-x = 1\n+x = 2\n" in told["diff"]
    assert "book.ipynb" not in told["diff"]
    assert list(told["manifest"]) == ["a.py"]
    assert (record["env_names"], record["pass_env"], record["gpus"]) == (["TOKEN"], ["TOKEN"], [])
    assert record["command"] == "%%remote one"
    assert record["used"]["peak_memory"] > 64 << 20
    assert record["used"]["cpu_seconds"] > 0
    assert record["settings"]["workspace"] == str(bench.root / "mirror-one")
    assert told["environment"]["executable"]
    assert "pip" in {name.lower() for name in told["environment"]["packages"]}
    assert told["code"] == code
    # The next run of an unchanged workspace names the same, once kept.
    again = await_true(lambda: records.whole(bench.remote(), second.id)["diff"] and second)
    whole = records.whole(bench.remote(), again.id)["record"]
    assert {k: whole[k] for k in ("manifest", "diff")} == {k: record[k] for k in ("manifest", "diff")}
    assert holding(bench.root, b"tok-8731") == []
    # Both sides know what it used and what it was.
    history.flush()
    (row,) = history.store().with_prefix(run.id)
    assert (row["git_commit"], row["git_dirty"], row["command"]) == (commit, 1, "%%remote one")
    assert row["peak_memory"] == record["used"]["peak_memory"]


def test_a_commit_or_an_edit_is_seen_by_the_next_run(bench: Bench) -> None:
    bench.git("init", "-q")
    bench.git("commit", "-qm", "first", "--allow-empty")
    states: list[Document] = []
    for step in ("", "edit", "commit"):
        if step == "edit":
            (bench.workspace / "new.py").write_text("1")
        elif step == "commit":
            bench.git("add", ".")
            bench.git("commit", "-qm", "second")
        for _ in range(2):  # asked for the first, remembered for the second
            run = bench.remote().run_cell("1").wait()
            whole = await_true(lambda run=run: records.whole(bench.remote(), run.id)["record"].get("git"))
            states.append(whole)
    assert [(state["dirty"], state["untracked"]) for state in states] == [(False, 0)] * 2 + [
        (True, 1)
    ] * 2 + [(False, 0)] * 2
    assert states[0]["commit"] == states[3]["commit"] != states[4]["commit"] == states[5]["commit"]


def test_a_program_knows_what_it_used_and_what_was_started(bench: Bench) -> None:
    run = bench.remote().run_script("s.py", "import sys; sum(range(2_000_000))", ["a"]).wait().check()
    record = records.whole(bench.remote(), run.id)["record"]
    assert record["remote_command"][1:] == [str(bench.folder(run) / "script" / "s.py"), "a"]
    assert 0 < record["used"]["cpu_seconds"] < 60
    assert record["used"]["peak_memory"] > 1 << 20


# Listing.


def test_the_list_is_in_pages_and_newest_first(bench: Bench) -> None:
    names = [f"20251122-0145{number:02d}-7f3a" for number in range(9)]
    for number, name in enumerate(names):
        folder = bench.state() / "runs" / name
        folder.mkdir(parents=True)
        state = "failed" if number % 2 else "finished"
        (folder / "run.json").write_text(json.dumps({"id": name, "state": state, "label": "l"}))
    (bench.state() / "runs" / "not-a-run").mkdir()
    remote = bench.remote()
    assert [r["id"] for r in records.records(remote, 4)] == names[:4:-1]
    assert [r["id"] for r in records.records(remote, None)] == names[::-1]
    assert [r["id"] for r in records.records(remote, None, before=names[3])] == names[2::-1]
    assert [r["id"] for r in records.records(remote, 2, state="failed")] == [names[7], names[5]]
    # Runs of another client are learned of, and then known here without the host.
    assert bench.listed("--host", "one", "--limit", "3") == names[:-4:-1]
    assert bench.listed("--local", "--state", "failed") == [names[7]]


def test_only_what_is_shown_is_read(bench: Bench) -> None:
    for number in range(20):
        folder = bench.state() / "runs" / f"20251122-0145{number:02d}-7f3a"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"id": folder.name, "state": "finished"}))
    # Whoever opens an older record waits for ever.
    older = bench.state() / "runs" / "20251122-014510-7f3a" / "run.json"
    older.unlink()
    os.mkfifo(older)
    assert len(list(records.records(bench.remote(), 9))) == 9


def test_hosts_that_do_not_answer_are_named_and_their_runs_shown(bench: Bench) -> None:
    bench.remote().run_cell("1").wait()
    history.note([{"id": "20251122-014500-7f3a", "host": "gone", "state": "running", "seen": 1e9}])
    document = bench.ask("runs")
    assert [row["host"] for row in document["runs"]] == ["one", "gone"]
    assert [(one["host"], one["as_of"]) for one in document["unreachable"]] == [("gone", 1e9)]
    code, out, err = bench.call("runs", "list")
    assert code == 0
    assert "running" in out
    assert err.startswith("gone: `/no/such` can't be started")
    assert "its runs are shown as of 2001-09-0" in err


def test_the_end_of_a_run_nobody_watched_is_learned(bench: Bench) -> None:
    marker = bench.root / "go"
    run = bench.remote().run_bash(f"while [ ! -e {marker} ]; do sleep 0.01; done; exit 5")
    bench.remote().close()
    assert [row["state"] for row in bench.ask("runs")["runs"]] == ["running"]
    marker.touch()
    await_true(lambda: bench.ask("runs")["runs"][0]["exit_code"] == 5)
    assert bench.ask("runs", "list", "--local")["runs"][0]["state"] == "failed"
    # One that its host has no more was lost, whoever took it away.
    history.note([{"id": "20251122-014500-7f3a", "host": "one", "state": "running"}])
    (lost,) = bench.ask("runs", "--state", "lost")["runs"]
    assert (lost["id"], lost["reason"]) == ("20251122-014500-7f3a", "one does not have it any more")
    assert run.id in bench.listed()


# One run.


def test_a_run_is_found_by_a_unique_beginning(bench: Bench) -> None:
    ids = [f"20251122-01450{number}-7f3a" for number in range(2)]
    history.note([{"id": one, "host": "gone", "state": "finished"} for one in ids])
    code, _, err = bench.call("runs", "info", "20251122-0145")
    assert code == 2
    assert "several runs begin with 20251122-0145: 20251122-014501-7f3a on gone, 2025" in err
    code, _, err = bench.call("runs", "info", "2024")
    assert code == 2
    assert "no run 2024 on " in err and "--host names another host" in err
    told = bench.ask("runs", "info", ids[0][:15])
    assert told["record"]["id"] == ids[0], "its host does not answer, so this is what is known here"
    run = bench.remote().run_cell("1").wait()
    history.forget([run.id])
    assert bench.ask("runs", "info", run.id[:-1], "--host", "one")["record"]["id"] == run.id


def test_labels(bench: Bench) -> None:
    run = bench.remote().run_cell("1", label="first").wait()
    bench.ask("runs", "label", run.id, "second try")
    assert bench.listed("--label", "second try") == [run.id]
    assert bench.listed("--label", "first") == []
    assert records.whole(bench.remote(), run.id)["record"]["label"] == "second try"


def test_delete_restore_and_purge(bench: Bench) -> None:
    bench.git("init", "-q")
    (bench.workspace / "a.py").write_text("x = 1\n")
    bench.git("add", ".")
    bench.git("commit", "-qm", "first")
    (bench.workspace / "a.py").write_text("x = 2\n")
    run = bench.remote().run_cell("print('x' * 100)\ndisplay({'text/plain': 'y' * 99999}, raw=True)").wait()

    def complete() -> bool:
        record = records.whole(bench.remote(), run.id)["record"]
        return {"manifest", "environment", "diff"} <= record.keys()

    await_true(complete)
    bench.remote().stop_sessions()
    before = tree(bench.folder(run))
    assert len(before) >= 6
    code, _, err = bench.call("runs", "purge", run.id)
    assert code == 1
    assert f"`runs delete {run.id}` does that" in err
    assert bench.ask("runs", "delete", run.id) == {
        "runs": [{"id": run.id, "host": "one", "ok": True, "error": None}]
    }
    assert not bench.folder(run).exists()
    assert bench.listed() == []
    assert bench.listed("--deleted") == [run.id]
    assert tree(bench.folder(run, "trash")) == before
    bench.ask("runs", "restore", run.id)
    assert tree(bench.folder(run)) == before
    assert bench.listed() == [run.id]
    bench.ask("runs", "delete", run.id)
    bench.ask("runs", "purge", run.id)
    assert stored(bench.state()) == []
    assert bench.listed() == bench.listed("--deleted") == []


def test_what_two_runs_share_stays_with_the_other(bench: Bench) -> None:
    (bench.workspace / "a.py").write_text("x = 1\n")
    one, two = (bench.remote().run_cell("1").wait() for _ in range(2))
    for run in (one, two):
        await_true(lambda run=run: records.whole(bench.remote(), run.id)["manifest"])
    bench.ask("runs", "delete", one.id)
    bench.ask("runs", "purge", one.id)
    assert list(records.whole(bench.remote(), two.id)["manifest"]) == ["a.py"]


def test_a_running_run_is_not_deleted_and_can_be_stopped(bench: Bench) -> None:
    run = bench.remote().run_bash("echo $$; exec sleep 600")
    first = next(event for event in run.events() if event.kind == "stdout")
    code, _, err = bench.call("runs", "delete", run.id)
    assert code == 1
    assert f"it is running; `runs stop {run.id}` ends it" in err
    assert bench.folder(run).exists()
    bench.ask("runs", "stop", run.id)
    assert not alive(int(first.text))
    assert bench.ask("runs")["runs"][0]["state"] == "stopped"
    bench.ask("runs", "stop", run.id)
    bench.ask("runs", "delete", run.id)
    run.wait()


def test_a_run_whose_supervisor_was_killed_is_lost_and_can_be_cleaned_up(bench: Bench) -> None:
    run = bench.remote().run_bash("echo $$; exec sleep 600")
    first = next(event for event in run.events() if event.kind == "stdout")
    os.kill(run.record["supervisor"]["pid"], signal.SIGKILL)
    await_true(lambda: not alive(run.record["supervisor"]["pid"]))
    assert bench.ask("runs")["runs"][0]["state"] == "lost"
    bench.ask("clean", "one", "--dry-run")
    told = bench.ask("clean", "one")
    assert not alive(int(first.text))
    assert told["sessions"] == [run.record["session"]]
    assert any(f"(pid {int(first.text)})" in process for process in told["processes"])
    assert bench.listed() == [run.id], "runs are not leftovers"


# Again, and compared.


def test_rerun_on_another_host(bench: Bench) -> None:
    (bench.workspace / "a.py").write_text("x = 1\n")
    code = "import os, a; print(a.x, os.environ['A'], os.getcwd())"
    first = bench.remote().run_cell(code, fresh=True, env={"A": "b"}, label="try").wait().check()
    (bench.workspace / "a.py").write_text("x = 2\n")
    made = bench.ask("runs", "rerun", first.id, "--host", "two")
    assert (made["host"], made["state"], made["rerun_of"], made["label"]) == (
        "two",
        "finished",
        first.id,
        "try",
    )
    log = (bench.state("two") / "runs" / made["id"] / "output.log").read_text()
    assert log == f"2 b {bench.root / 'mirror-two'}\n"
    script = bench.remote().run_script("s.py", "import sys; print(sys.argv[1:])", ["p", "q"]).wait().check()
    assert bench.call("runs", "rerun", script.id, "--host", "two", "--quiet")[:2] == (0, "['p', 'q']\n")
    document = bench.ask("runs", "diff", first.id, made["id"])
    assert document["code"] == []
    assert document["call"]["host"] == ["one", "two"]
    assert list(document["workspace"]["changed"]) == ["a.py"]


def test_rerun_without_its_host(bench: Bench) -> None:
    run = bench.remote().run_bash("echo $A; exit 3", env={"A": "kept"}).wait()
    bench.remote().close()
    config = bench.root / "config" / "hosts.yaml"
    hosts = json.loads(config.read_text())
    hosts["hosts"]["one"]["command"] = ["/no/such"]
    kept = config.read_text()
    config.write_text(json.dumps(hosts))
    assert bench.call("runs", "rerun", run.id, "--host", "two", "--quiet")[:2] == (3, "kept\n")
    config.write_text(kept)


# The history.


def test_the_history_can_be_rebuilt(bench: Bench) -> None:
    (bench.workspace / "a.py").write_text("x = 1\n")
    bench.remote("one").run_cell("1 / 0", label="l").wait()
    bench.remote("one").run_program(["sh", "-c", "exit 4"]).wait()
    deleted = bench.remote("two").run_bash("echo hi").wait()
    bench.ask("runs", "delete", deleted.id)
    for host in ("one", "two"):
        for record in records.records(bench.remote(host), None):
            await_true(lambda h=host, r=record: records.whole(bench.remote(h), r["id"])["manifest"])
    bench.listed("--host", "one")

    def rows() -> list[Document]:
        found = [
            *history.store().find(Query(limit=None), source=True),
            *history.store().find(Query(limit=None, deleted=True), source=True),
        ]
        # What belongs to the time of asking, and what a host found out after the row was last written.
        return [{k: v for k, v in row.items() if k not in ("seen", "workspace_digest")} for row in found]

    before = rows()
    assert len(before) == 3
    history.history_file().unlink()
    for suffix in ("-wal", "-shm"):
        Path(f"{history.history_file()}{suffix}").unlink(missing_ok=True)
    code, _, err = bench.call("history", "--rebuild", "--host", "one")
    assert (code, err) == (0, "one: 2 runs\n")
    code, _, err = bench.call("history", "--rebuild")
    assert code == 4, "a host that does not answer"
    assert "two: 1 run\n" in err
    assert rows() == before
    target = bench.root / "all.json"
    assert bench.call("history", "--export", str(target))[0] == 0
    assert len(json.loads(target.read_text())) == 2


# Cleaning.


def test_clean_takes_leftovers_and_nothing_else(bench: Bench) -> None:
    (bench.workspace / "pkg").mkdir()
    (bench.workspace / "pkg" / "a.py").write_text("x = 1\n")
    (bench.workspace / "b.txt").write_text("b")
    run = bench.remote().run_cell("open('made.csv', 'w').write('1'); open('b.txt', 'w').write('z')").wait()
    mirror = bench.root / "mirror-one"
    cache = bench.root / "cache" / "jupyter-remote"
    for name in ("agent-0123", "agent-4567"):
        (cache / name).mkdir()
    os.utime(cache / "agent-0123", (1e9, 1e9))
    running = set(cache.iterdir()) - {cache / "agent-0123"}
    told = bench.ask("clean", "one", "--all", "--dry-run")
    assert told["agents"] == [str(cache / "agent-0123")]
    assert "works there" in told["in_use"][0], "the session is alive"
    bench.remote().stop_sessions()
    told = bench.ask("clean", "one", "--all", "--dry-run")
    assert sorted(told["kept"]) == ["b.txt", "made.csv"]
    assert (mirror / "pkg" / "a.py").exists()
    bench.ask("clean", "one", "--all")
    assert set(cache.iterdir()) == running
    assert sorted(path.name for path in mirror.rglob("*")) == ["b.txt", "made.csv"]
    assert bench.listed() == [run.id]
    bench.remote().run_cell("import pkg.a; pkg.a.x").wait().check()
    bench.remote().stop_sessions()
    bench.ask("clean", "one", "--unarchived")
    assert stored(bench.state()) == []
    assert bench.listed() == []
