"""Gauges, sparklines, the lines of the picker and the notebook's own host: pure, or without a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote import default_host
from jupyter_remote.config import Config
from jupyter_remote.errors import UsageError
from jupyter_remote.widgets import audience, gauges, hosts_list, trend
from jupyter_remote.widgets.looks import Html, meter, sparkline, state_html, table_html
from jupyter_remote.widgets.sampler import News

GIB = 1 << 30
CARD: dict[str, Any] = {
    "index": 0, "uuid": "GPU-1", "name": "NVIDIA H100", "vendor": "nvidia", "mig": None, "utilization": 87,
    "temperature": 61, "power": 302.4, "memory_free": 20 * GIB, "memory_total": 80 * GIB,
    "memory_used": 60 * GIB, "lease": None,
    "processes": [{"user": "<b>eve", "name": "python", "pid": 7, "memory": GIB, "supervisor": None}],
}  # fmt: skip
FACTS: dict[str, Any] = {
    "cpu": 43.0, "cpu_count": 32, "load": [12.3, 4.0, 1.0], "gpu_error": None,
    "memory": {"total": 64 * GIB, "available": 16 * GIB},
    "disk": {"home": {"total": 100 * GIB, "free": 5 * GIB}},
    "gpus": [CARD, {**CARD, "index": 1, "uuid": "GPU-2", "processes": [], "memory_used": 0, "utilization": 0}]
}  # fmt: skip


def test_gauges_say_all_that_is_known_and_escape_it() -> None:
    page = gauges.host_html("<gpu>", News("ready", FACTS, "", 1.0), trend.Trend())
    for word in ("&lt;gpu&gt;", "43 %", "87 %", "61 °C", "302 W", "60.0 GiB of 80.0 GiB", "1 of 2 GPUs free"):
        assert word in page
    assert "&lt;b&gt;eve" in page and "<b>" not in page and "jr-gone" not in page
    # A disk that is full is bad; a GPU that works is not.
    assert page.count("jr-full") == 1


def test_a_lost_host_is_grey_and_keeps_its_last_values() -> None:
    page = gauges.host_html("gpu1", News("unreachable", FACTS, "switched off", 1.0), trend.Trend())
    assert "jr-gone" in page and "unreachable: switched off" in page and "87 %" in page
    never = gauges.host_html("gpu1", News("unreachable", {}, "no route"), trend.Trend())
    assert "no route" in never and "<table" not in never


def test_what_is_not_known_is_left_out() -> None:
    card = {**dict.fromkeys(CARD), "index": 0, "processes": []}
    bare = {"gpus": [card], "load": [], "cpu_count": 4}
    page = gauges.host_html("a", News("ready", bare, "", 1.0), trend.Trend())
    assert "None" not in page and "GPU 0" in page


def test_words_for_a_terminal() -> None:
    text = gauges.words_of({"a": News("ready", FACTS), "b": News("unreachable", {}, "gone")})
    lines = text.splitlines()
    assert lines[0].split()[:2] == ["HOST", "STATE"]
    assert "1 of 2" in lines[1] and "unreachable: gone" in lines[2]
    assert "NVIDIA H100" in text and "pid 7" in text


def test_a_meter_stays_in_its_bounds() -> None:
    assert "width:100%" in meter(1.7, "x") and "width:0%" in meter(-3, "x")
    assert "jr-meter" not in meter(math.nan, "?") and "jr-meter" not in meter(None, "?")


def test_a_sparkline_has_gaps_where_nothing_is_known() -> None:
    svg = sparkline([(0, 0.0), (1, 1.0), (2, None), (3, math.nan), (4, 9.0)], (0, 4), width=40, height=20)
    assert 'd="M0 19L10 1M40 1"' in svg


def test_ten_minutes_are_kept_and_no_more() -> None:
    kept = trend.Trend()
    for second in range(0, 3000):
        if not 2700 <= second < 2760:  # a host that was lost for a minute
            kept.add(float(second), {**FACTS, "cpu": second % 100})
    points = kept.points("cpu")
    assert 100 < len(points) <= 121
    assert points[-1] == (599.0, 0.97)  # the mean of 95 to 99
    assert points[0][0] >= 599 - 120
    assert sum(value is None for _, value in points) == 1
    assert kept.spark("cpu") is kept.spark("cpu")


def test_tables_and_states_escape_what_they_are_given() -> None:
    page = table_html(("a", "b"), [("<i>", Html("<b>x</b>")), ("short",)], {1})
    assert "&lt;i&gt;" in page and "<b>x</b>" in page and page.count("<td") == 4
    assert "&lt;s&gt;: &lt;w&gt;" in state_html("<s>", "<w>")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    hosts = {
        "gpu1": {"hostname": "a"},
        "cloud": {"type": "ec2", "ec2": {"instance_id": "i-1"}},
        "bad": {"type": "command"},
    }
    document = {"hosts": hosts, "groups": {"all": ["gpu1", "cloud"]}}
    (tmp_path / "hosts.yaml").write_text(json.dumps(document))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    return Config.load(tmp_path)


def test_the_list_has_hosts_and_groups(config: Config) -> None:
    lines = hosts_list.lines_of(config)
    assert [line.spec for line in lines[:5]] == ["gpu1", "cloud", "bad", "local", "@all"]
    assert [line.power for line in lines[:5]] == [False, True, False, False, False]
    assert "incomplete" in lines[2].what
    news = {"gpu1": News("ready", FACTS), "cloud": News("unreachable", {}, "it is stopped")}
    assert hosts_list.cells(lines[0], news, "gpu1")[:5] == ("→", "gpu1", "ready", "1/2", "12.3/32")
    assert hosts_list.cells(lines[4], news, None)[2:4] == ("1 of 2 ready", "1/2")
    shown = hosts_list.options(lines, news, "gpu1")
    assert [value for _, value in shown] == [line.spec for line in lines]
    # Columns of a list: the same words begin at the same place.
    assert len({label.index("GPUs") for label, _ in shown if "GPUs" in label}) == 1
    assert " " not in shown[0][0]  # a page folds them
    assert "it is stopped" in hosts_list.table_of(lines, news, None)
    assert [line.spec for line in hosts_list.matching(lines, "CLOUD gpu")] == ["@all"]
    assert hosts_list.options([], {}, None) == []


def test_what_is_typed_means_the_nearest_name() -> None:
    specs = ["gpu10", "@gpus", "gpu1", "my-gpu"]
    assert hosts_list.best(specs, "gpu1") == "gpu1"
    assert hosts_list.best(specs, "my") == "my-gpu"
    assert hosts_list.best(specs, "zzz") == "gpu10"  # it matched by another word
    assert hosts_list.best([], "x") is None


class Page:
    """A comm as ipykernel has them, with a page at its other end."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.comm_id = name
        self.sent: list[Any] = []
        self._heard: Any = None
        self._closed: Any = None
        default_host._opened(self, {"content": {"data": data}})

    def on_msg(self, told: Any) -> None:
        self._heard = told

    def on_close(self, told: Any) -> None:
        self._closed = told

    def send(self, data: Any) -> None:
        self.sent.append(data)

    def says(self, **data: Any) -> None:
        self._heard({"content": {"data": data}})

    def closes(self) -> None:
        self._closed({})


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (
        ("_chosen", None),
        ("_read", None),
        ("_known", False),
        ("_pages", {}),
        ("_hidden", {}),
        ("_told", []),
    ):
        monkeypatch.setattr(default_host, name, value)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield


def test_page_and_kernel_agree_on_the_notebooks_host(fresh: None) -> None:
    assert default_host.get() is None
    page = Page("one", {"host": "gpu1"})
    assert default_host.get() == "gpu1" and default_host.kept()
    default_host.set("@gpus")
    page.says(host="gpu2")
    assert default_host.get() == "gpu2"
    assert page.sent == [{"host": "@gpus"}]
    # A page that comes later is told; what can't be a host is not taken.
    later = Page("two", {"host": "--bash"})
    later.says(host="a b")
    later.says(host=7)
    assert (later.sent, default_host.get()) == ([{"host": "gpu2"}], "gpu2")
    page.closes(), later.closes()
    assert not default_host.kept()
    with pytest.raises(UsageError, match="is no host"):
        default_host.set("--bash")


def test_hidden_pages(fresh: None) -> None:
    assert not default_host.page_hidden()
    one, two = Page("one", {"hidden": True}), Page("two", {})
    assert default_host.page_hidden()
    two.says(hidden=False)
    assert not default_host.page_hidden()
    two.closes()
    assert default_host.page_hidden()
    one.closes()
    assert not default_host.page_hidden()


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"metadata": {"jupyter_remote": 3}}', '{"metadata": {"jupyter_remote": {"host": "-x"}}}'],
)
def test_a_notebook_that_says_none(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "a.ipynb").write_text(content)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    assert default_host.get() is None


def test_who_looks(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import ipywidgets

    now = [0.0]
    monkeypatch.setattr(audience.time, "monotonic", lambda: now[0])
    came: list[float] = []
    box = ipywidgets.VBox()
    who = audience.Audience(box, lambda: came.append(now[0]))
    assert who.away() == ""
    now[0] = 31.0
    assert who.away() == "no page shows it"
    box._view_count = 1
    assert (who.away(), came) == ("", [31.0])
    box._view_count = 0
    assert who.away() == "it is shown nowhere"
    box._view_count = 2
    assert who.away() == ""
    who._counts = True  # as in a kernel whose ipykernel lets us hear the ticks
    who._ticked({"value": 1})
    now[0] += audience.GONE_S + 1
    assert who.away() == "the page is closed or asleep"
    who._ticked({"value": 1})
    assert (who.away(), came[-1]) == ("", now[0])
    Page("one", {"hidden": True})
    assert who.away() == "the page is hidden"
