"""Which paths a pattern of a pull means."""

from __future__ import annotations

import pytest

from jupyter_remote.agent.patterns import Patterns

CASES = [
    ("*.png", "a.png results/deep/a.png", "a.pngx png"),
    ("results/**", "results/a results/b/c", "results x/results/a resultsx/a"),
    ("results", "results results/a x/results/a", "resultsx"),
    ("results/", "results/a x/results/a", "results"),
    ("/a", "a a/b", "x/a"),
    ("./r/*.csv", "r/a.csv", "r/d/a.csv x/r/a.csv"),
    ("r/*", "r/a r/a/b", "r"),
    ("r/**/z", "r/z r/a/z r/a/b/z r/a/b/z/w", "r/zz z"),
    ("**/r/z", "r/z a/b/r/z", "r/a/z"),
    ("a?c", "abc", "ac abbc"),
    ("[a-c]1", "a1 c1", "d1 A1"),
    ("[!a-c]1", "d1", "a1"),
    ("[]x]", "] x", "y"),
    (r"\*", "*", "a"),
    (r"a\[b", "a[b", "ab"),
    (".", "a a/b .hidden/c", ""),
    ("a*b*c", "abc aXbXc", "acb"),
]


@pytest.mark.parametrize(("pattern", "matched", "others"), CASES, ids=[case[0] for case in CASES])
def test_patterns(pattern: str, matched: str, others: str) -> None:
    patterns = Patterns([pattern])
    assert [path for path in matched.split() if not patterns.cover(path)] == []
    assert [path for path in others.split() if patterns.cover(path)] == []


def test_the_last_pattern_decides_and_names_may_hold_anything() -> None:
    patterns = Patterns(["r/**", "!*.tmp", "r/keep/x.tmp"])
    assert patterns.cover("r/a") and patterns.cover("r/keep/x.tmp") and patterns.cover("r/new\nline/\udcff")
    assert not patterns.cover("r/a.tmp") and not patterns.cover("x")
    assert not Patterns(["r", "!r/secret/"]).cover("r/secret/a/b")


@pytest.mark.parametrize("bad", ["", "/", "..", "../a", "a/../b", "a//b", "a[", "a\\", "[b-a]", "a\0"])
def test_what_can_match_nothing_is_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        Patterns([bad])


def test_folders_without_a_chance_are_not_entered() -> None:
    patterns = Patterns(["results/*/x", "!data/**"])
    assert patterns.may_match_below(["results"]) and patterns.may_match_below(["results", "a"])
    assert not patterns.may_match_below(["data"]) and not patterns.may_match_below(["results", "a", "x"])
    assert Patterns(["*.png"]).may_match_below(["any", "where"])


def test_no_pattern_takes_long() -> None:
    assert not Patterns(["*a" * 30 + "b"]).cover("a" * 255)
    assert not Patterns(["**/a/" * 30 + "b"]).cover("/".join("a" * 200))
