"""Ids of runs, and what the history shows of a run that nobody knows."""

from __future__ import annotations

from pathlib import Path

from jupyter_remote.history_store import Query, Store
from jupyter_remote.ordering import new_run_id


def test_ids_sort_as_they_were_made() -> None:
    made = [new_run_id() for _ in range(400)]
    assert sorted(made) == made and len(set(made)) == 400


def test_what_is_noted_of_an_unknown_run_is_no_run_yet(tmp_path: Path) -> None:
    store = Store(tmp_path / "history.db")
    store.write([{"id": "20261122-014500-7f3a", "metrics": "{}"}])
    assert store.find(Query()) == [] == store.with_prefix("20261122")
    store.write([{"id": "20261122-014500-7f3a", "host": "gpu1", "state": "running"}])
    assert [row["host"] for row in store.find(Query())] == ["gpu1"]
