"""The output of a run, as pages read it: what is new to each, and nothing lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_remote.events import Event
from jupyter_remote.server import contract
from jupyter_remote.server.output import FEW, Output

RUN = "20261122-014500-7f3a"


@pytest.fixture
def output() -> Iterator[Output]:
    made = Output(RUN, "running", 1 << 24)
    yield made
    made.close()


def said(number: int, text: str, kind: str = "stdout") -> Event:
    return Event(number, 0.0, kind, text, text.encode())


def event(kind: str, **data: Any) -> Event:
    return Event(1, 0.0, kind, data=data)


class Reader:
    """A page: keeps the lines that it was told of, and reads what is only counted."""

    def __init__(self, output: Output, settled: int = 0, lines: list[str] | None = None) -> None:
        self.output = output
        self.lines = lines or []
        self.version = 0
        self.settled = settled

    def look(self) -> None:
        told = self.output.news(self.version, self.settled)
        if told is None:
            return
        contract.check(contract.schema("OutputEvent"), told)
        self.version, self.settled = self.output.version, told["settled"]
        lines = told.get("lines")
        if lines is None:
            page = self.output.page(told["from_line"], told["total"])
            contract.check(contract.schema("Output"), page)
            lines = page["lines"]
        assert told["from_line"] <= len(self.lines), "a line was left out"
        self.lines[told["from_line"] :] = [line["text"] for line in lines]


def test_pages_that_look_at_any_moment_see_the_same(output: Output) -> None:
    choose = random.Random(7)
    pages = [Reader(output) for _ in range(3)]
    wanted: list[str] = []
    for number in range(400):
        size = choose.choice([1, 1, 3, 300])
        output.take(said(number, "".join(f"{number}.{line}\n" for line in range(size))))
        wanted += [f"{number}.{line}" for line in range(size)]
        for page in pages:
            if choose.random() < 0.3:
                page.look()
                if choose.random() < 0.2:  # its link is cut, and it comes back with its settled lines
                    kept = page.lines[: page.settled]
                    page.__init__(output, len(kept), kept)  # type: ignore[misc]
    output.take(event("end", state="finished"))
    for page in pages:
        page.look()
        assert page.lines == wanted
        assert output.news(page.version, page.settled) is None


def test_what_changes_is_told_from_the_first_line_that_has(output: Output) -> None:
    page = Reader(output)
    output.take(said(1, "".join(f"line {number}\n" for number in range(50)) + "0%"))
    page.look()
    output.take(said(2, "\r50%"))
    told = output.news(page.version, page.settled)
    assert told is not None
    assert (told["from_line"], told["total"], told["lines"]) == (50, 51, [{"text": "50%"}])


def test_of_a_flood_only_the_numbers_are_told(output: Output) -> None:
    output.take(said(1, "x\n" * 10_000))
    told = output.news(0, 0)
    assert told is not None
    assert (told["from_line"], told["total"], "lines" in told) == (0, 10_000, False)
    output.take(said(2, "y\n" * (FEW + 1)))
    told = output.news(output.version - 1, told["settled"])
    assert told is not None and told["from_line"] == 10_000, told


def test_displays_and_errors_are_what_a_notebook_keeps(output: Output) -> None:
    output.take(said(1, "before\n"))
    output.take(event("display", data={"text/plain": "<Figure>", "image/png": "aGk="}, metadata={}))
    output.take(said(2, "warned\n", "stderr"))
    output.take(event("result", data={"text/plain": "42"}, metadata={}))
    output.take(event("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: no"]))
    output.take(event("end", state="failed"))
    page = output.page(0, 100)
    contract.check(contract.schema("Output"), page)
    assert [line["text"] for line in page["lines"]] == [
        "before",
        "<Figure>",
        "warned",
        "42",
        "\x1b[31mValueError\x1b[0m: no",
    ]
    assert page["lines"][1]["mime"] == ["image/png", "text/plain"]
    assert page["lines"][4]["stream"] == "stderr"
    assert output.display(0) == {"data": {"text/plain": "<Figure>", "image/png": "aGk="}, "metadata": {}}
    assert output.display(7) is None
    kinds = [one["output_type"] for one in output.cell()["outputs"]]
    assert kinds == ["stream", "display_data", "stream", "execute_result", "error"]


def test_a_long_text_keeps_its_ends_in_a_cell(output: Output) -> None:
    output.take(said(1, "".join(f"{number}\n" for number in range(50_000))))
    [text] = [one["text"] for one in output.cell()["outputs"]]
    assert text.startswith("0\n1\n") and text.endswith("49998\n49999\n")
    assert "49,600 lines are left out" in text


def test_a_cell_begins_after_what_was_cleared(output: Output) -> None:
    output.take(said(1, "old\n"))
    output.take(event("clear_output", wait=False))
    output.take(said(2, "new\n"))
    assert [one["text"] for one in output.cell()["outputs"]] == ["new\n"]
    assert output.page(0, 9)["total"] == 2
