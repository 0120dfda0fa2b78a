"""What outputs and pages are told of a run, for programs."""

from __future__ import annotations

from typing import Any, cast

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from jupyter_remote import default_host, live_line
from jupyter_remote.display import show_status
from jupyter_remote.host_areas import AreasView
from jupyter_remote.marks import mark, tell_pages
from jupyter_remote.notebook import cell_id
from jupyter_remote.run import Run


class Known:
    """What is told of a run."""

    host, id, state = "dgx01", "20261122-014500-7f3a", "running"
    done, exit_code, seconds, label, reason, left, in_env = True, 0, 1.0, None, None, None, None


RUN = cast(Run, Known())
SAID = {"host": "dgx01", "run": "20261122-014500-7f3a", "state": "running"}


def test_the_line_that_says_how_it_ended_names_the_run(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        show_status(RUN, kernel=True)
    assert captured.outputs[0].metadata == {"jupyter_remote": SAID}


def test_a_line_that_changes_says_of_which_run_it_is_now(shell: InteractiveShell) -> None:
    of: list[Run] = []
    with capture_output() as captured:
        write = live_line._display("line", lambda: mark(of[0] if of else None))
        write("connecting")
        of.append(RUN)
        write("running")
    assert [output.metadata for output in captured.outputs] == [{}, {}, {"jupyter_remote": SAID}]


def test_the_area_of_each_host_names_its_run() -> None:
    told: dict[int, Any] = {}

    def make(about: live_line.About) -> live_line.Write:
        number = len(told)
        told[number] = None

        def write(text: str) -> None:
            told[number] = about()

        return write

    view = AreasView(["dgx01", "dgx02"], False, make)
    view.started("dgx01", RUN)
    view.settle(last=True)
    assert told == {0: {"jupyter_remote": SAID}, 1: {}}


def test_pages_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page:
        def __init__(self) -> None:
            self.heard: list[Any] = []

        def send(self, data: Any) -> None:
            self.heard.append(data)

    page = Page()
    monkeypatch.setattr(default_host, "_pages", {"1": page})
    tell_pages(RUN)
    assert page.heard == [{"run": {**SAID, "cell": None}}]


@pytest.mark.parametrize(
    ("metadata", "known"), [({"cellId": "ab12"}, "ab12"), ({"cellId": 3}, None), ({}, None)]
)
def test_a_cell_is_known_by_the_id_that_its_front_end_tells(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any], known: str | None
) -> None:
    class Kernel:
        def get_parent(self, channel: str) -> dict[str, Any]:
            return {"metadata": metadata}

    assert cell_id() is None
    monkeypatch.setattr(shell, "kernel", Kernel(), raising=False)
    assert cell_id() == known
