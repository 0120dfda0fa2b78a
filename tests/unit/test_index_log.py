"""The file of the index: torn anywhere, made anew, written by several, it says what a model says."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import apply, assert_no_leftovers, content_of, entry_of, put, states

from jupyter_remote.agent import index_log
from jupyter_remote.agent.commit import Commit
from jupyter_remote.agent.entry import Entry
from jupyter_remote.agent.index_log import IndexLog, is_settled
from jupyter_remote.agent.mirror_index import Record
from jupyter_remote.agent.pack import Change
from jupyter_remote.agent.tree import Mirror

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))

names = st.sampled_from(["a", "b", "d/a", "d/b", 'q"],["', "é\n", "\udcff"])
change_sets = st.dictionaries(names, st.none() | st.integers(0, 9), min_size=1, max_size=4)


def record(number: int) -> Record:
    return Record(Entry("file", 0o644, number, f"{number:040x}"), "me", number, number, 0o644)


def log_in(folder: Path) -> IndexLog:
    return IndexLog(os.fsencode(folder))


def commit(log: IndexLog, changes: dict[str, Record | None], otherwise: dict[str, Record | None]) -> None:
    memory = log.load()
    records = {**memory.records, **changes, **otherwise}
    log.end(log.begin(memory, changes), {path: r for path, r in records.items() if r is not None}, otherwise)


steps = st.lists(
    st.tuples(st.integers(0, 1), change_sets, change_sets | st.just({}), st.booleans()), max_size=12
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=steps, few=st.integers(0, 12))
def test_agents_that_take_turns_read_what_a_model_says(
    steps: list[tuple[int, dict[str, int | None], dict[str, int | None], bool]], few: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_log, "_FEW_ROWS", few)
        logs = [log_in(Path(folder)), log_in(Path(folder))]
        model: dict[str, Record] = {}
        generations = [0]
        for who, numbers, others, is_read in steps:
            changes = {path: None if n is None else record(n) for path, n in numbers.items()}
            otherwise = {path: None if n is None else record(n) for path, n in others.items()}
            commit(logs[who], changes, otherwise)
            after = {**model, **changes, **otherwise}
            model = {path: known for path, known in after.items() if known is not None}
            generations.append(logs[who].load().generation)
            # Otherwise the other reads the work of several at once, and of files in between that are gone.
            for log in logs if is_read else [logs[who]]:
                memory = log.load()
                assert (memory.records, is_settled(memory)) == (model, True)
                assert memory.generation == generations[-1]
        assert log_in(Path(folder)).load()[:3] == (generations[-1], model, None)
        assert generations == sorted(set(generations))
        assert not steps or [file.name for file in Path(folder).iterdir()] == ["index"]


def test_cut_at_every_byte_it_says_what_was_true_before(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    file = tmp_path / "index"
    # What is known at each size at which a block ends: the records, and whether a commit is under way.
    known: dict[int, tuple[dict[str, Record], dict[str, Record | None] | None]] = {0: ({}, None)}
    commits: list[tuple[dict[str, Record | None], dict[str, Record | None]]] = [
        ({"a": record(1), "é\n": record(2)}, {}),
        ({"a": None, "b": record(3)}, {"é\n": None}),
        ({"b": record(4)}, {"b": record(3)}),
    ]
    for changes, otherwise in commits:
        before = log.load()
        begun = log.begin(before, changes)
        known[file.stat().st_size] = before.records, changes
        after = {**before.records, **changes, **otherwise}
        records = {path: r for path, r in after.items() if r is not None}
        log.end(begun, records, otherwise)
        known[file.stat().st_size] = records, None
    data = file.read_bytes()
    known[data.index(b"begin")] = {}, None
    for size in range(len(data) + 1):
        whole = max(end for end in known if end <= size)
        content = data[:size] + (b"", bytes(3), b"begin 1 2 00000000\n[]")[size % 3]
        file.write_bytes(content)
        memory = log_in(tmp_path).load()
        assert (memory.records, memory.journal) == known[whole]
        assert memory.intact == (len(content) == whole)
        assert log.load() == memory, "what was known from before the cut is forgotten"
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        memory = log_in(tmp_path).load()
        assert (memory.records, memory.journal) == known[max(end for end in known if end <= at)]
        assert not memory.intact


def test_one_change_is_one_row_and_a_reader_reads_no_more(tmp_path: Path) -> None:
    one, two = log_in(tmp_path), log_in(tmp_path)
    commit(one, {f"f{n}": record(n) for n in range(2000)}, {})
    two.load()
    size = (tmp_path / "index").stat().st_size
    kept = two.load().records["f7"]
    commit(one, {"f1": record(7)}, {})
    assert (tmp_path / "index").stat().st_size < size + 300
    # The very same object: the rows before have not been read again.
    assert two.load().records["f7"] is kept
    assert two.load().records["f1"] == record(7)


def test_rows_that_are_out_of_date_are_given_up(tmp_path: Path) -> None:
    one, two = log_in(tmp_path), log_in(tmp_path)
    sizes = []
    for n in range(1300):
        commit(one, {"a": record(n)}, {})
        sizes.append((tmp_path / "index").stat().st_size)
        if n % 100 == 0:
            assert two.load().records == {"a": record(n)}
    assert sizes[-1] < max(sizes) / 2
    assert two.load().records == log_in(tmp_path).load().records == {"a": record(1299)}


deaths = st.tuples(st.just("bytes"), st.integers(0, 900)) | st.tuples(st.just("files"), st.integers(0, 4))


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), deaths=st.lists(deaths, min_size=1, max_size=3))
def test_killed_at_any_step_the_mirror_tells_the_truth(seed: int, deaths: list[tuple[str, int]]) -> None:
    chance = random.Random(seed)
    with TemporaryDirectory() as folder:
        root = Path(folder, "mirror")
        mirrors = [Mirror(str(root)), Mirror(str(root))]
        put(mirrors[0], {"a": b"0", "d/b": b"0"})
        for what, budget in deaths:
            change_and_die(mirrors[0], chance, what, budget)
            for mirror in mirrors:
                # Nothing looks like an edit, what is there is known, and what is known is there.
                told = states(mirror)
                assert set(told.values()) <= {"same"}
                assert set(told) == {path for path, what in content_of(root).items() if what[0] == "file"}
                assert mirror.generation() > 0
            assert change(mirrors[chance.randrange(2)], chance) == 0
        assert_no_leftovers(root)


def change(mirror: Mirror, chance: random.Random) -> int:
    """Some files are put, some deleted. Returns how many were in the way."""
    contents = {path: b"%d" % chance.randrange(10**9) for path in ("a", "d/b", "d/c", "e")}
    deleted = {path for path in contents if chance.random() < 0.3}
    changes = [
        Change("delete", path) if path in deleted else Change("put", path, entry_of(content))
        for path, content in contents.items()
    ]
    return len(apply(mirror, changes, contents).kept)


def change_and_die(mirror: Mirror, chance: random.Random, what: str, budget: int) -> None:
    """A process changes the mirror, and is gone when so many bytes of the index, or files, are in place."""
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        return
    left = budget

    def write(descriptor: int, data: bytes) -> None:
        nonlocal left
        os.write(descriptor, data[:left])
        left -= len(data)
        if left < 0:
            os._exit(0)

    def dying(step: Callable[..., None]) -> Callable[..., None]:
        def last(*values: Any) -> None:
            nonlocal left
            if not left:
                os._exit(0)
            left -= 1
            step(*values)

        return last

    try:
        if what == "bytes":
            index_log._write = write
        else:
            Commit._put = dying(Commit._put)  # type: ignore[method-assign]
            Commit._delete = dying(Commit._delete)  # type: ignore[method-assign]
        change(mirror, chance)
        os._exit(0)
    finally:
        os._exit(1)
