"""Reports: what they say, and that nothing that a run says can do anything in them."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest
from runs_side_by_side import curves, made, run_id

from jupyter_remote import report_overview, reports
from jupyter_remote.errors import UsageError
from jupyter_remote.report_blocks import Block, Code, Facts, Heading, Picture, Table, Text
from jupyter_remote.report_html import render as html
from jupyter_remote.report_markdown import render as markdown
from jupyter_remote.report_run import blocks_of
from jupyter_remote.report_sources import Told, readable

HOSTILE = "</code><script>alert(1)</script><img src=x onerror=alert(2)>"
HOSTILE += "\"'`````|[a](javascript:b) \x00\x1b[31m\ud800"
DOT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EVERY: list[Block] = [
    Heading(1, HOSTILE),
    Text(HOSTILE),
    Facts(((HOSTILE, HOSTILE),)),
    Table((HOSTILE, "b"), ((HOSTILE, "1"),), frozenset({(0, 0)})),
    Code(HOSTILE, "python"),
    Code(HOSTILE, summary=HOSTILE),
    Picture(HOSTILE, DOT),
]


class Elements(HTMLParser):
    """The elements of a page, and the attributes that could do something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.active: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.active += [
            f"{name}={value}" for name, value in attrs if name in ("src", "href") or name[:2] == "on"
        ]


def test_nothing_in_a_page_is_run_or_loaded() -> None:
    page = html(HOSTILE, EVERY)
    found = Elements(page)
    known = (
        "html head meta title style body h1 p div table thead tbody tr th td pre code details summary figure"
    )
    assert found.names <= {*known.split(), "img", "figcaption"}
    (picture,) = found.active
    assert picture.startswith("src=data:image/png;base64,")
    assert "default-src &#x27;none&#x27;" in page
    page.encode("utf-8")
    assert "\x00" not in page


def test_markdown_holds_hostile_words_as_words() -> None:
    text = markdown(EVERY, {6: "a b_files/001.png"})
    text.encode("utf-8")
    lines = text.splitlines()
    fences = [line for line in lines if re.fullmatch(r"`{4,}(python)?", line)]
    assert fences == ["``````python", "``````", "``````", "``````"]
    outside = re.sub(r"(?s)``````.*?\n``````\n", "", text)
    assert re.search(r"(?<!\\)<(?!/?(details|summary)>)", outside) is None
    outside = re.sub(r"<summary>.*", "", outside)  # a block of HTML, where Markdown means nothing
    assert re.search(r"(?<!\\)\[a\]", outside) is None
    assert "![" in text
    assert "(a%20b_files/001.png)" in text
    rows = [line for line in lines if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("val_loss", "val_loss"), ("_a_ *b*", r"\_a\_ \*b\*"), ("# a", r"\# a"), ("1. a", r"1\. a"),
        ("0.5 s", "0.5 s"), ("- a", r"\- a"),
        ("a - b", "a - b"), ("a\nb", "a b"), ("$x$", r"\$x\$"), ("--lr 1", "--lr 1"),
    ],
)  # fmt: skip
def test_markdown_escapes_what_means_something(said: str, shown: str) -> None:
    assert markdown([Text(said)], {}) == f"{shown}\n"


def test_a_run_is_told_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSED", "passed-on-1")
    record = {
        "argv": ["{python}", "{script}", "--key", "tok-123456"], "script": "train.py", "in_env": "plots 1234",
        "env": {"API_TOKEN": "tok-123456", "MODE": "fast"}, "pass_env": ["PASSED"], "ended": 1100.0,
        "command": "%%remote dgx01 --env API_TOKEN=tok-123456", "kind": "program",
        "used": {"cpu_seconds": 61, "peak_memory": 1 << 30},
        "gpus": [{"index": 0, "name": "H100", "driver": "550", "memory_total": 80 << 30}, "broken"],
        "leased": [{"index": "0"}], "git": {"commit": "abc", "branch": "main", "dirty": True, "untracked": 2},
        "settings": {"type": "ssh", "hostname": "gpu-server-01", "launcher": "process"},
    }  # fmt: skip
    told = Told(
        made(0, label="base", params={"lr": "0.1"}, exit_code=1),
        record,
        "print('tok-123456')",
        {
            "python": "3.12.1",
            "executable": "/e/python",
            "platform": "Linux",
            "packages": {"b": "2", "a": "1"},
        },
        "/state/runs/x",
        "passed-on-1 and tok-123456\nlast line",
        (),
        ("out/a.csv", "out/b.csv"),
        {"out/a.csv": "/here/out/a.csv"},
    )
    blocks = [
        *blocks_of(told, {"loss": (0.1, 0.05, 2.0)}, [Picture("curves", DOT)], "Run x", 1, {"gpu_count": 8})
    ]
    for text in (html("x", blocks), markdown(blocks, {})):
        assert "tok-123456" not in text
        assert "passed-on-1" not in text
        for said in (
            "API_TOKEN=•••, MODE=fast", "PASSED", "lr=0.1", "train.py", "1 min 01.0 s", "1.0 GiB", "H100",
            "550", "80.0 GiB", "leased", "abc (main), with changes (2 files untracked)", "gpu-server-01",
            "plots 1234", "3.12.1", "/e/python", "2 packages, digest ", "a==1\nb==2", "out/b.csv",
            "last line",
            "/here/out/a.csv", "1970-01-01 00:16:40 UTC", "1970-01-01 00:18:20 UTC", "0.05", "curves",
            "gpu count", "1 min 02.5 s",
        ):  # fmt: skip
            assert said in text, said


def test_what_is_not_known_is_not_said() -> None:
    blocks = [*blocks_of(Told(made(0), {}, why="it is down"), {}, [], "Run x", 1, {})]
    assert [block.text for block in blocks if isinstance(block, Heading)] == ["Run x", "What ran", "Where"]
    assert "it is down" in markdown(blocks, {})


def test_the_states_of_a_campaign_are_a_matrix() -> None:
    states = {("a", "one"): ("finished", 0), ("a", "two"): ("failed", 3), ("b", "two"): ("skipped", None)}
    assert report_overview.matrix(states) == Table(
        ("step", "one", "two"), (("a", "✓ finished", "✗ failed (3)"), ("b", "", "skipped"))
    )


def test_runs_side_by_side_come_first_and_each_has_a_section() -> None:
    compared, points = curves(2)
    told = [Told(run, {}) for run in compared]
    blocks = [*report_overview.blocks("2 runs", compared, told, points, {("a", "one"): ("finished", 0)}, {})]
    headings = [(block.level, block.text) for block in blocks if isinstance(block, Heading)]
    assert headings[:4] == [(1, "2 runs"), (2, "States"), (2, "Side by side"), (2, "dgx01")]
    assert (2, "dgx02") in headings
    (table,) = (block for block in blocks if isinstance(block, Table) and block.columns[0] == "RUN")
    assert len(table.strong) == 3
    captions = [block.caption for block in blocks if isinstance(block, Picture)]
    assert captions[:2] == ["metrics of all runs: val_loss, accuracy", "metrics of all runs: epoch_time_s"]
    assert captions[2:] == ["metrics of the run: val_loss, accuracy"] * 2


def test_markdown_has_its_pictures_beside_it(tmp_path: Path) -> None:
    report = reports.Report("x", [run_id(0)], (Heading(1, "x"), Picture("p", DOT), Picture("q", DOT)), [])
    written = report.save(tmp_path / "a.md")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "a.md",
        "a_files/001.png",
        "a_files/002.png",
    ]
    assert written[1].read_bytes() == DOT
    assert "![p](a_files/001.png)" in written[0].read_text(encoding="utf-8")
    assert report.save(tmp_path / "a.html") == [tmp_path / "a.html"]
    assert report._repr_markdown_().count("(picture: ") == 2
    for path, why in (
        (tmp_path / "a.pdf", r"end in \.html or \.md"),
        (tmp_path / "no" / "a.md", "can't write"),
    ):
        with pytest.raises(UsageError, match=why):
            report.save(path)


def test_a_log_is_read_as_a_terminal_leaves_it() -> None:
    printed = b"\x1b[1mbold\x1b[0m\r\n10%\r50%\r100%\nhalf \xc3\x1b]0;title\x07\n"
    assert readable(printed) == "bold\n100%\nhalf �\n"
