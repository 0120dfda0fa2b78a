"""The local history: many writers, migrations, answers from an index, and that no run fails of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_remote import history
from jupyter_remote.errors import HistoryError
from jupyter_remote.history_rows import UNFINISHED, document_of, row_of
from jupyter_remote.history_schema import MIGRATIONS, VERSION
from jupyter_remote.history_store import Query, Store

ROWS = 500
# Writes rows of its own, one transaction each, and says so after each.
WRITER = """
import sys
from pathlib import Path
from jupyter_remote.history_store import Store
store = Store(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    store.write([{"id": f"20261122-0145{number // 100:02d}-{sys.argv[2]}{number:04x}", "host": sys.argv[2]}])
    print(number, flush=True)
"""


def writer(path: Path, name: str, rows: int = ROWS) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(path), name, str(rows)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def ids(store: Store, **conditions: object) -> list[str]:
    return [row["id"] for row in store.find(Query(**{"limit": None, **conditions}))]  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "remote" / "history.db")


@pytest.mark.slow
def test_processes_that_write_at_once_lose_nothing(store: Store) -> None:
    # Both find no file, so making it is part of the race.
    both = [writer(store.path, name) for name in ("aa", "bb")]
    for process in both:
        assert process.communicate()[0].split()[-1] == str(ROWS - 1)
    assert len(ids(store, host="aa")) == len(ids(store, host="bb")) == ROWS


def test_what_a_killed_process_has_written_stays_and_others_go_on(store: Store) -> None:
    with writer(store.path, "aa", 100_000) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    store.write([{"id": "20261122-014500-ffff", "host": "bb"}])
    assert len(ids(store, host="aa")) >= len(said)
    assert ids(store, host="bb") == ["20261122-014500-ffff"]


def test_a_store_that_holds_its_connection_notices_that_the_file_was_moved_away(store: Store) -> None:
    holding = Store(store.path, hold=True)
    holding.write([{"id": "20261122-014500-0001", "host": "h"}])
    assert ids(store, host="h") == ["20261122-014500-0001"]  # others see it at once
    holding.close()
    holding.write([{"id": "20261122-014500-0002", "host": "h"}])
    store.path.rename(store.path.with_suffix(".old"))
    for end in ("-wal", "-shm"):
        Path(f"{store.path}{end}").unlink(missing_ok=True)
    holding.write([{"id": "20261122-014500-0003", "host": "h"}])
    assert ids(store, host="h") == ["20261122-014500-0003"]
    holding.close()


def test_a_file_of_an_older_version_is_brought_up_with_its_rows(store: Store) -> None:
    store.path.parent.mkdir()
    with sqlite3.connect(store.path) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO runs (id, host, state) VALUES ('20261122-014500-7f3a', 'h', 'running')")
    db.close()
    store.write([{"id": "20261122-014500-7f3a", "state": "finished", "gpu_memory": 5}])
    (row,) = store.find(Query())
    assert (row["host"], row["state"], row["gpu_memory"]) == ("h", "finished", 5)
    with sqlite3.connect(store.path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    db.close()


def test_a_file_of_a_newer_version_is_left_alone_and_said(store: Store) -> None:
    store.write([{"id": "20261122-014500-7f3a"}])
    with sqlite3.connect(store.path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    for use in (lambda: store.find(Query()), lambda: store.write([{"id": "20261122-014501-7f3a"}])):
        with pytest.raises(
            HistoryError, match=rf"newer jupyter_remote \(schema {VERSION + 1}, this one knows"
        ):
            use()


CONDITIONS = [
    {},
    {"host": "h"},
    {"states": ("failed",)},
    {"host": "h", "states": ("failed",)},
    {"host": "h", "states": UNFINISHED},
    {"notebook": "n"},
    {"label": "l"},
    {"campaign": "c"},
    {"since": 1e9},
    {"before": "2026"},
    {"deleted": True},
]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_every_listing_is_answered_from_an_index(store: Store, conditions: dict[str, object]) -> None:
    store.write([{"id": "20261122-014500-7f3a"}])
    text, values = Query(**conditions).sql("*")  # type: ignore[arg-type]
    with sqlite3.connect(store.path) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    db.close()
    assert "USING INDEX" in plan[0]
    assert "campaign" not in conditions or "runs_campaign" in plan[0]
    # Only the few that have not ended are sorted.
    assert len(plan) == 1 or conditions.get("states") == UNFINISHED


def test_pages_follow_on_each_other(store: Store) -> None:
    names = [f"20261122-01450{number}-7f3a" for number in range(7)]
    store.write([{"id": name, "host": "h"} for name in names])
    first = ids(store, limit=3)
    second = ids(store, limit=3, before=first[-1])
    third = ids(store, limit=3, before=second[-1])
    assert first + second + third == names[::-1]


def test_since_is_about_the_start(store: Store) -> None:
    store.write([{"id": "20261122-014459-ffff", "host": "h"}, {"id": "20261122-014500-0000", "host": "h"}])
    assert ids(store, since=1795311900.0) == ["20261122-014500-0000"]


def test_what_is_known_better_is_not_forgotten(store: Store) -> None:
    name = "20261122-014500-7f3a"
    store.write([{"id": name, "host": "dgx01", "state": "finished", "exit_code": 0, "ended": 5.0}])
    store.write([{"id": name, "host": "alias", "state": "running", "label": "late", "deleted": 1}])
    store.write([{"id": name, "source": "1 + 1"}])
    (row,) = store.with_prefix("20261122")
    assert (row["host"], row["state"], row["exit_code"], row["ended"]) == ("dgx01", "finished", 0, 5.0)
    assert (row["label"], row["deleted"], row["source"]) == ("late", 1, "1 + 1")
    assert ids(store) == []
    assert ids(store, deleted=True) == [name]


def test_hosts_are_found_with_the_time_they_were_heard_of(store: Store) -> None:
    store.write([{"id": f"20261122-01450{n}-7f3a", "host": f"h{n % 3}", "seen": float(n)} for n in range(6)])
    store.write([{"id": "20261122-014509-7f3a", "host": "h1", "seen": 9.0, "state": "running"}])
    assert store.hosts() == {"h0": 3.0, "h1": 9.0, "h2": 5.0}
    assert list(store.hosts(unfinished=True)) == ["h1"]


def test_a_record_becomes_a_row_and_a_document() -> None:
    record = {
        "id": "20261122-014500-7f3a",
        "host": "there",
        "workspace": "~/m",
        "used": {"cpu_seconds": 1.5, "peak_memory": 10},
        "git": {"commit": "abc", "dirty": True},
        "argv": ["sh"],
        "env": {},
        "pass_env": ["TOKEN"],
        "supervisor": {"pid": 1},
    }
    row = row_of(record, "here", "x" * 100_000)
    assert (row["host"], row["mirror"], row["cpu_seconds"], row["git_dirty"]) == ("here", "~/m", 1.5, 1)
    assert len(row["source"]) == 1 << 16
    assert "supervisor" not in row
    document = document_of({**dict.fromkeys(("metrics", "remote_command", "deleted")), **row})
    assert document["options"] == {"argv": ["sh"], "pass_env": ["TOKEN"]}
    assert document["git_dirty"] is True


# From the notes of a process to the file.


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The history that this process writes to."""
    history.flush()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return Store(history.history_file())


def test_a_note_is_written_in_the_background_and_on_demand(own: Store) -> None:
    history.started({"id": "20261122-014500-7f3a", "host": "h", "state": "running"}, "1 + 1")
    history.ended("20261122-014500-7f3a", {"state": "failed", "exit_code": 1, "seconds": 2.0}, 7.0)
    (row,) = history.store().find(Query(), source=True)
    assert (row["state"], row["exit_code"], row["ended"], row["source"]) == ("failed", 1, 7.0, "1 + 1")
    history.forget(["20261122-014500-7f3a"])
    assert history.store().find(Query()) == []


def test_a_process_that_ends_at_once_has_written_its_notes(tmp_path: Path) -> None:
    noted = "{'id': '20261122-014500-7f3a', 'host': 'h'}"
    program = f"from jupyter_remote import history; history.note([{noted}])"
    env = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=env, check=True)
    assert ids(Store(tmp_path / "remote" / "history.db")) == ["20261122-014500-7f3a"]


def test_a_forked_child_notes_for_itself(own: Store) -> None:
    history.note([{"id": "20261122-014500-0001", "host": "h"}])
    child = os.fork()
    if child == 0:
        history.note([{"id": "20261122-014500-0002", "host": "h"}])
        history.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    history.flush()
    assert ids(own) == ["20261122-014500-0002", "20261122-014500-0001"]


def test_a_history_that_cannot_be_written_is_said_once_and_fails_nothing(
    own: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "_warned", False)
    own.path.parent.mkdir(parents=True)
    own.path.write_bytes(b"no database, " * 1000)
    for number in range(3):
        history.note([{"id": f"20261122-01450{number}-7f3a"}])
        history.flush()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("jupyter_remote: runs are not noted in the local history: ")
    assert str(own.path) in said[0]
    with pytest.raises(HistoryError, match="Move it away"):
        history.store().find(Query())


# What `%load_ext` says.


def test_loading_says_what_of_this_notebook_has_not_ended(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/train.ipynb")
    assert history.still_running({}) is None
    rows = [
        {"id": "20261122-014500-7f3a", "host": "dgx01", "state": "running", "notebook": "/work/train.ipynb"},
        {"id": "20261122-014501-7f3a", "host": "dgx02", "state": "running", "notebook": "/work/other.ipynb"},
        {"id": "20261122-014502-7f3a", "host": "dgx01", "state": "failed", "notebook": "/work/train.ipynb"},
    ]
    own.write(rows)
    said = history.still_running({})
    assert said is not None
    assert "1 unfinished run: 20261122-014500-7f3a on dgx01." in said
    assert "runs stop 20261122-014500-7f3a" in said
    own.write([{"id": "20261122-014500-7f3a", "state": "stopped"}])
    assert history.still_running({}) is None
    monkeypatch.delenv("JPY_SESSION_NAME")
    own.write(rows[:1])
    assert history.still_running({}) is None, "outside of a notebook nothing is looked up"


def test_times_are_of_this_moment(store: Store) -> None:
    before = time.time()
    store.write([{"id": "20261122-014500-7f3a", "host": "h"}])
    assert before <= store.find(Query())[0]["seen"] <= time.time()
    json.dumps(store.find(Query()))
