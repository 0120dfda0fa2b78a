"""What a host decides about a campaign: an honest queue whatever steps come to, a journal that survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.agent.campaigns import ACTIVE, SKIPPED, WAITING, Book, decide, is_failure
from jupyter_remote.agent.paths import write_json

ENDS = ("finished", "failed", "stopped", "lost")


def plan_of(after: list[list[int]], concurrency: int = 1, *, stop: bool = False) -> dict[str, Any]:
    steps = [{"key": str(n), "after": [str(one) for one in before]} for n, before in enumerate(after)]
    return {"name": "x", "steps": steps, "concurrency": concurrency, "stop_on_failure": stop}


AFTER = st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=8).map(
    lambda drawn: [sorted(one for one in before if one < number) for number, before in enumerate(drawn)]
)


@given(AFTER, st.integers(1, 4), st.booleans(), st.data())
def test_the_queue_always_ends_and_keeps_its_promises(
    after: list[list[int]], concurrency: int, stop: bool, data: st.DataObject
) -> None:
    plan = plan_of(after, concurrency, stop=stop)
    steps: dict[str, dict[str, Any]] = {step["key"]: {"state": WAITING} for step in plan["steps"]}
    began: list[str] = []
    for _ in range(4 * len(after) + 1):
        starts, skips = decide(plan, steps, 0.0)
        assert not set(starts) & set(skips)
        for key in starts:
            assert all(steps[str(one)]["state"] == "finished" for one in after[int(key)])
            assert not (stop and any(is_failure(one) for one in steps.values()))
            assert key not in began
            began.append(key)
            steps[key] = {"state": ACTIVE}
        for key, why in skips.items():
            assert why
            steps[key] = {"state": SKIPPED, "reason": why}
        active = [key for key, one in steps.items() if one["state"] == ACTIVE]
        assert len(active) <= concurrency
        if not active and not any(one["state"] == WAITING for one in steps.values()):
            break
        if active:
            ended = data.draw(st.sampled_from(active))
            steps[ended] = {"state": data.draw(st.sampled_from(ENDS)), "exit_code": 1}
    else:
        pytest.fail("it does not end")
    # What was skipped has a reason that is true; everything else was run.
    for key, one in steps.items():
        if one["state"] == SKIPPED:
            before = [steps[str(other)]["state"] for other in after[int(key)]]
            assert any(s != "finished" for s in before) or (stop and any(map(is_failure, steps.values())))
        else:
            assert key in began


def test_a_step_over_its_time_is_a_failure_and_one_that_was_stopped_is_none() -> None:
    assert is_failure({"state": "stopped", "exit_code": 124})
    assert not is_failure({"state": "stopped", "exit_code": 143})


def test_a_retry_waits_for_its_time() -> None:
    plan = plan_of([[], []], 2)
    steps = {"0": {"state": WAITING, "until": 10.0}, "1": {"state": WAITING}}
    assert decide(plan, steps, 9.0) == (["1"], {})
    assert decide(plan, steps, 10.0) == (["0", "1"], {})


def test_a_host_that_was_told_so_starts_no_more() -> None:
    plan = plan_of([[], [0], []], 1)
    steps: dict[str, dict[str, Any]] = {
        "0": {"state": ACTIVE},
        "1": {"state": WAITING},
        "2": {"state": WAITING},
    }
    assert decide(plan, steps, 0.0, "x failed on one") == ([], dict.fromkeys("12", "x failed on one"))


def test_the_journal_is_read_on_and_a_torn_line_is_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "campaigns" / "x"
    folder.mkdir(parents=True)
    write_json(str(folder / "plan.json"), plan_of([[], []]))
    book = Book(str(tmp_path), "x")
    book.note("0", state=ACTIVE, run="r1")
    assert book.steps()["0"]["runs"] == ["r1"]
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"key": "0", "sta')
        assert book.steps()["0"]["state"] == ACTIVE
        file.write(b'te": "failed", "exit_code": 3}\nnonsense\n{"key": "9", "state": "lost"}\n')
    book.note("0", state=ACTIVE, run="r2")
    one = book.steps()["0"]
    assert (one["runs"], one["tries"], one.get("exit_code")) == (["r1", "r2"], 2, None)
    book.note("0", state=WAITING, tries=0)
    assert book.steps()["0"]["tries"] == 0
    assert book.steps() == Book(str(tmp_path), "x").steps()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "x" * 200])
def test_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be the name"):
        Book(str(tmp_path), name)
