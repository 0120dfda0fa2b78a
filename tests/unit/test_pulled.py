"""What pulls remember: rows that survive a kill, several writers, and nonsense on the disk."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_remote.sync.pulled import Pulled


def test_a_row_is_there_before_it_is_saved(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    killed = Pulled(folder)
    with killed.locked():
        killed.add("a", ["h:m", 1, 2, 3, 4, "d", 0o644])
    assert Pulled(folder).rows() == {"a": ["h:m", 1, 2, 3, 4, "d", 0o644]}
    with (tmp_path / "state/pulled.log").open("a") as log:
        log.write('["half')
    assert set(Pulled(folder).rows()) == {"a"}


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    folder = str(tmp_path)
    one, two = Pulled(folder), Pulled(folder)
    for number in range(20):
        for pulled, name in ((one, "one"), (two, "two")):
            with pulled.locked():
                pulled.add(f"{name}{number}", ["h:m"])
        if number % 7 == 0:
            one.save()
    assert len(one.rows()) == len(two.rows()) == 40
    two.save()
    one.save()
    assert len(Pulled(folder).rows()) == len(one.rows()) == 40
    assert {path.name for path in tmp_path.iterdir()} == {"pulled.json", "pulled.log", ".gitignore"}


def test_what_is_forgotten_does_not_come_back(tmp_path: Path) -> None:
    pulled = Pulled(str(tmp_path))
    with pulled.locked():
        pulled.add("a", ["h:m"])
        pulled.add("b", ["h:m"])
    pulled.forget(["a", "never"])
    pulled.save()
    assert set(pulled.rows()) == set(Pulled(str(tmp_path)).rows()) == {"b"}


def test_nonsense_on_the_disk_is_nothing(tmp_path: Path) -> None:
    for nonsense in ("", "[]", '{"a": 5, "b": [], "c": ["h:m"]}', "\xff", "{"):
        (tmp_path / "pulled.json").write_text(nonsense)
        (tmp_path / "pulled.log").write_text(f'5\n[1, 2]\n["d", 5]\nnothing\n{json.dumps(["e", ["h:m"]])}\n')
        rows = Pulled(str(tmp_path)).rows()
        assert set(rows) <= {"c", "e"} and "e" in rows
