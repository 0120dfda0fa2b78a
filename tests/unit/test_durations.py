"""Durations as people type and read them."""

from __future__ import annotations

import pytest

from jupyter_remote.durations import format_duration, parse_duration
from jupyter_remote.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("1.5", 1.5), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("2d", 172800),
        ("1d1h1m1s", 90061), ("1.5H", 5400), (" 5m ", 300), ("01:30:00", 5400), ("100:00:01", 360001),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1", "soon", "30x", "1m1h", "1:30", "01:60:00", "1e9", "inf", "٣"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration; valid are 90"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (42.12, "42.1 s"),
        (59.96, "1 min 00.0 s"),
        (723.4, "12 min 03.4 s"),
        (7503.44, "2 h 05 min 03.4 s"),
    ],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
