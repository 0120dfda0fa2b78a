"""The widgets of runs on a real host: what they show while runs go on, what buttons do, what is sent."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import await_true
from ipywidgets.widgets.widget import _instances
from widget_page import Page, page

import jupyter_remote
from jupyter_remote import history
from jupyter_remote.campaigns.campaign import Campaign
from jupyter_remote.errors import UsageError
from jupyter_remote.remote import Remote
from jupyter_remote.widgets.run_view import RunView
from jupyter_remote.widgets.runs_feed import FEED
from jupyter_remote.widgets.shown import Shown

__all__ = ["page"]

WAITS = "import time\nfrom pathlib import Path\nwhile not Path('go').exists():\n    time.sleep(0.02)\n"

# Nobody listens there.
GONE = {"hostname": "127.0.0.1", "port": 1, "transport": "paramiko"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """The host `local`, with runs and a history of its own; tests close their widgets."""
    history.flush()
    config = tmp_path / "config"
    for folder in (config, tmp_path / "data", tmp_path / "project"):
        folder.mkdir()
    (config / "hosts.yaml").write_text(
        json.dumps({"hosts": {"local": {"workspace": str(tmp_path / "mirror")}, "gone": GONE}})
    )
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", tempfile.mkdtemp(dir=os.environ["XDG_STATE_HOME"]))
    monkeypatch.chdir(tmp_path / "project")
    remote = jupyter_remote.connect("local")
    yield remote
    await_true(lambda: not FEED.looking)
    await_true(lambda: not [t for t in threading.enumerate() if t.name.startswith("jupyter-remote view")])
    remote.stop_sessions()
    remote.close()
    history.flush()


def said(widget: Shown) -> str:
    """What the page shows of a widget, with all that is in it."""
    texts, open_ones = [], [widget.widget]
    while open_ones:
        one = open_ones.pop(0)
        texts += [str(getattr(one, name, "")) for name in ("value", "description")]
        open_ones += getattr(one, "children", ())
    return "\n".join(texts)


def usable(view: RunView) -> list[str]:
    """The buttons that can be pressed, as they are called now."""
    return [str(one.description) for one in view._bar._buttons.values() if not one.disabled]


def shows(widget: Shown, text: str) -> None:
    await_true(lambda: text in said(widget))


def test_runs_are_stopped_run_again_and_labelled_from_the_table(here: Remote) -> None:
    run = here.run_cell(WAITS, label="first")
    run.detach()
    table = jupyter_remote.runs_table()
    shows(table, "running")
    stop = table._bar._buttons["stop"]
    assert stop.disabled
    table.select(run.id)
    assert not stop.disabled
    table.act("stop")
    shows(table, f"{run.id}: stopped")
    await_true(lambda: table.rows[0]["state"] == "stopped")
    await_true(lambda: stop.disabled)  # there is nothing to be stopped any more
    (Path.cwd() / "go").touch()
    table.act("rerun")
    await_true(lambda: {one["state"] for one in table.rows} == {"stopped", "finished"})
    assert table.selected == [table.rows[0]["id"]]
    table.act("label")
    table._bar._words.value = "second"
    table._bar._enter()
    await_true(lambda: table.rows[0]["label"] == "second")
    table.act("logs")
    shows(table, "nothing printed yet")
    # What was looked at is gone from kernel and page when something else is.
    models = len(_instances)
    for _ in range(3):
        table.act("open")
        assert isinstance(table._details, RunView)
        shows(table, f"run {table.selected[0]} on local")
        table._details.act("detach")
    assert len(_instances) <= models
    # An error says what to do next.
    table.act("pull")
    table._bar._enter()
    shows(table, "names no files to pull")
    assert "sync.pull" in said(table)
    table.close()


def test_the_table_sees_runs_of_others(here: Remote) -> None:
    table = jupyter_remote.runs_table(state="unfinished")
    assert table.text() == "no runs"
    assert table.widget is not None
    run = here.run_cell(WAITS, label="theirs")
    shows(table, "theirs")
    (here.workspace / "go").touch()
    here.run_cell("", session="other")  # brings `go` there
    run.wait()
    await_true(lambda: table.rows == [])
    # The menus have what there is, and what is chosen stays.
    await_true(lambda: "local" in table._menus["host"].options[1])
    assert [menu.value for menu in table._menus.values()] == ["", "unfinished", "", "newest first"]
    table._menus["state"].value = "finished"
    table._menus["host"].value = "local"
    assert [row["label"] for row in table.rows] == [None, "theirs"]
    table._text.value = "their"
    assert [row["label"] for row in table.rows] == ["theirs"]
    table.close()


def test_a_view_shows_bars_metrics_pictures_and_the_end(here: Remote) -> None:
    code = (
        "for epoch in range(1, 4):\n    print(f'\\repoch {epoch}/3', end='')\n"
        "print()\nfor step in range(5):\n    print(f'step={step} loss={1 / (step + 1)} acc=nan')\n"
        "from IPython.display import Image, display\n"
        "display(Image(b'\\x89PNG\\r\\n\\x1a\\n' + bytes(100), format='png'))\n" + WAITS + "1 / 0"
    )
    run = here.run_cell(code)
    run.detach()
    view = jupyter_remote.run_view(run)
    shows(view, "epoch 3/3")
    shows(view, 'class="jr-path"')
    assert "epoch 1/3" not in said(view)
    assert usable(view) == ["interrupt", "detach", "pull", "rerun", "label"]
    await_true(lambda: len(view._gallery._row.children) == 1)
    (here.workspace / "go").touch()
    here.run_cell("", session="other")
    shows(view, "ZeroDivisionError")
    await_true(lambda: usable(view) == ["close", "pull", "rerun", "label"])
    await_true(lambda: view._follower.looked)
    # What is left when there are no widgets.
    assert "failed (exit 1)" in view.text() and "ZeroDivisionError" in view.text()
    assert 'class="jr-path"' in view.html() and "data:image/png" in view.html()
    again = jupyter_remote.run_view(run.id[:-1])
    assert "epoch 3/3" in again.text() and 'class="jr-path"' in again.html()
    shows(again, 'class="jr-path"')
    again.close()
    view.close()


def ended_runs(number: int) -> None:
    history.note(
        {
            "id": f"20261122-{at // 60:04}{at % 60:02}-7f3a",
            "host": "far",
            "state": "finished",
            "label": f"run {at}",
        }
        for at in range(number)
    )
    history.flush()


def test_of_1000_runs_a_page_is_sent_and_then_what_changes(here: Remote, page: Page) -> None:
    ended_runs(1000)
    table = jupyter_remote.runs_table()
    assert len(table.rows) == 1000 and table.widget is not None
    made = len(page.sent)
    assert page.bytes < 250_000
    shows(table, "1–25 of 1,000")
    assert len(table._list._list.children) == 25
    table.select("20261122-001639-7f3a")
    shows(table, "run 999")
    page.forget()
    history.note([{"id": "20261122-001638-7f3a", "label": "another name"}])
    FEED.hurry()
    shows(table, "another name")
    assert page.bytes < 2000
    # One more at the top: it gets the row of the one that has left the page.
    history.note([{"id": "20261123-001638-7f3a", "host": "far", "state": "lost", "label": "newest"}])
    shows(table, "newest")
    table.turn(1)
    table.turn(1)
    shows(table, "51–75 of 1,000")
    assert sum(kind == "comm_open" for kind, _ in page.sent) == 0 < made
    assert table.selected == ["20261122-001639-7f3a"]
    assert len(said(table).split("select: run")) == 26
    table.close()


def test_what_can_not_be_drawn_is_said_in_the_view_which_goes_on(here: Remote) -> None:
    table = jupyter_remote.runs_table()
    assert table.widget is not None
    row = {"id": "20261122-001638-7f3a", "host": "far", "state": "finished", "label": "odd"}
    history.note([{**row, "started": "soon"}])  # no program of ours writes that
    shows(table, "✗</span> TypeError")
    history.note([{**row, "started": 1.0, "seconds": 2.0}])
    shows(table, "1–1 of 1 runs")
    await_true(lambda: "TypeError" not in said(table))
    assert "finished" in said(table)
    table.close()


def test_a_host_that_does_not_answer_is_named_and_asked_less_and_less(here: Remote) -> None:
    row = {"id": "20261122-001638-7f3a", "host": "gone", "state": "running", "started": time.time()}
    history.note([row])
    table = jupyter_remote.runs_table()
    shows(table, "not answering: gone")
    shows(table, "jr-stale")
    view = jupyter_remote.run_view(row["id"])
    shows(view, "gone")
    await_true(lambda: view._follower.error is not None)
    assert "running" in view.text()
    view.close()
    history.note([{"id": row["id"], "state": "lost"}])
    FEED.hurry()
    await_true(lambda: table.rows[0]["state"] == "lost")
    table.close()
    # Who looks later has hosts asked at once, whatever they did before.
    await_true(lambda: not FEED.looking and not FEED._asking)
    assert FEED._fails.get("gone")
    again = jupyter_remote.runs_table()
    again.resume()
    assert not FEED._fails and not FEED.silent
    again.close()


def test_the_ladder_of_a_view(here: Remote) -> None:
    stubborn = (
        "while True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        print('no')\n"
    )
    view = jupyter_remote.run_view(here.run_cell(f"import time\nprint('ready')\n{stubborn}"))
    shows(view, "ready")
    view.act("interrupt")
    shows(view, "ready\nno")
    view.act("interrupt")
    shows(view, "stopped")
    view.close()


def test_a_flood_is_few_and_bounded_messages(here: Remote, page: Page) -> None:
    here.run_cell("").wait()
    run = here.run_cell(
        "import time\nfor step in range(150):\n    print(f'step={step} loss={1 / (step + 1)}')\n"
        "    time.sleep(0.01)\nprint('x' * 3_000_000)"
    )
    run.detach()
    began = time.monotonic()
    view = jupyter_remote.run_view(run)
    assert view.widget is not None
    page.forget()
    await_true(lambda: view._follower.looked)
    # Half a second apart, and each draws five parts at most; the log is the largest, and cut.
    draws = 3 + 2 * (time.monotonic() - began)
    assert len(page.sent) <= 8 * draws
    assert max(size for _, size in page.sent) < 100_000
    assert len(view.html()) < 200_000
    view.close()


def test_a_lost_link_is_told_and_the_view_goes_on(here: Remote) -> None:
    run = here.run_cell("print('before', flush=True)\n" + WAITS + "print('after')")
    run.detach()
    view = jupyter_remote.run_view(run)
    shows(view, "before")
    os.kill(here.info["pid"], signal.SIGKILL)
    (here.workspace / "go").touch()
    here.run_cell("", session="other")
    shows(view, "after")
    await_true(lambda: view._follower.over)
    view.close()


def test_a_campaign_on_a_board(here: Remote) -> None:
    steps = [
        {"name": "good", "shell": "echo fine", "matrix": {"n": [1, 2]}},
        {"name": "bad", "shell": "exit 3", "after": "good"},
        {"name": "never", "shell": "true", "after": "bad"},
    ]
    campaign = jupyter_remote.campaign({"name": "small", "steps": steps}, "local")
    board = jupyter_remote.campaign_board("small")
    shows(board, "✗ failed")
    await_true(lambda: board._ended)
    assert [cell.description for cell in board._cells.values()].count("✓ finished") == 2
    assert "2 finished" in board.text() and "good[n=1]" in board.html()
    board.open("local", "never")
    shows(board, "there is no run of it yet")
    board.open("local", "good[n=2]")
    shows(board, "fine")
    board.close()
    assert isinstance(campaign, Campaign)
    with pytest.raises(UsageError, match="no campaign nothing"):
        jupyter_remote.campaign_board("nothing")
