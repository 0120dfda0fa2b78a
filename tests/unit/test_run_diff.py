"""How two runs differ, as a document and in words; and the history as a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.errors import UsageError
from jupyter_remote.history_rows import COLUMNS
from jupyter_remote.run_diff import compare, describe
from jupyter_remote.run_export import export


def told(run_id: str, **record: Any) -> dict[str, Any]:
    environment = {
        "python": "3.11.9 (main)",
        "executable": "/p",
        "packages": {"numpy": "1.26", "torch": "2.3"},
    }
    return {
        "record": {"id": run_id, "host": "h", "state": "finished", "exit_code": 0, **record},
        "code": "lr = 0.1\ntrain(lr)\n",
        "manifest": {"a.py": ["file", 420, 1, "aa", ""], "b.py": ["file", 420, 1, "bb", ""]},
        "environment": environment,
    }


def test_equal_runs_have_no_difference() -> None:
    assert describe(compare(told("one"), told("two"))) == "no difference"


def test_everything_that_differs_is_named() -> None:
    one, two = told("one", metrics={"loss": 0.5}), told("two", metrics={"loss": 0.4})
    two["record"] |= {"state": "failed", "exit_code": 1, "git": {"commit": "c2"}, "host": "h2"}
    two["record"]["settings"] = {"ssh": {"port": 22}}
    two["record"]["gpus"] = [{"name": "H200", "driver": "550"}]
    two["code"] = "lr = 0.2\ntrain(lr)\n"
    two["manifest"] = {"a.py": ["file", 420, 1, "zz", ""], "c.py": ["file", 420, 1, "cc", ""]}
    two["environment"] = {"python": "3.12.1", "executable": "/p", "packages": {"numpy": "2.0", "jax": "0.4"}}
    document = compare(one, two)
    assert json.loads(json.dumps(document)) == document
    assert document["workspace"]["added"].keys() == {"c.py"}
    assert document["environment"]["packages"]["changed"] == {"numpy": ["1.26", "2.0"]}
    assert describe(document).splitlines() == [
        "--- one/code",
        "+++ two/code",
        "@@ -1,2 +1,2 @@",
        "-lr = 0.1",
        "+lr = 0.2",
        " train(lr)",
        "call: host: h -> h2",
        "settings: ssh.port: None -> 22",
        "gpus: gpus: [] -> ['H200, driver 550']",
        "metrics: loss: 0.5 -> 0.4",
        "result: state: finished -> failed",
        "result: exit_code: 0 -> 1",
        "environment: python: 3.11.9 (main) -> 3.12.1",
        "+ package jax 0.4",
        "- package torch 2.3",
        "~ package numpy 1.26 -> 2.0",
        "git: commit: None -> c2",
        "+ file c.py",
        "- file b.py",
        "~ file a.py",
    ]


def test_what_was_not_recorded_is_not_taken_for_empty() -> None:
    bare = {
        "record": {"id": "two", "host": "h", "state": "finished", "exit_code": 0},
        "code": told("")["code"],
    }
    lines = describe(compare(told("one"), bare)).splitlines()
    assert "environment: not recorded for two" in lines
    assert "workspace: not recorded for two" in lines


@pytest.fixture
def row() -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS),
        "id": "20261122-014500-7f3a",
        "source": "print('ä,\n\"b\"')",
        "deleted": 0,
    }


def test_the_history_as_csv_and_json(tmp_path: Path, row: dict[str, Any]) -> None:
    assert export(tmp_path / "h.csv", [row]) == 1
    with (tmp_path / "h.csv").open(encoding="utf-8", newline="") as file:
        (read,) = csv.DictReader(file)
    assert (read["id"], read["source"], read["host"]) == (row["id"], row["source"], "")
    assert export(tmp_path / "h.json", [row]) == 1
    (document,) = json.loads((tmp_path / "h.json").read_text(encoding="utf-8"))
    assert (document["source"], document["deleted"]) == (row["source"], False)


def test_another_suffix_writes_nothing(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"end in \.csv or \.json"):
        export(tmp_path / "h.xlsx", [row])
    with pytest.raises(UsageError, match="can't write"):
        export(tmp_path / "missing" / "h.csv", [row])
    assert list(tmp_path.iterdir()) == []
