"""Durations as people type them, to seconds. Nothing else belongs here."""

from __future__ import annotations

import re

from .errors import UsageError

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PARTS = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds that `text` names: `90`, `30s`, `10m`, `1h30m`, `2d` or `01:30:00`.

    Raises:
        UsageError: it is not a duration, or it is zero.
    """
    word = text.strip().lower()
    seconds = 0.0
    if _NUMBER.fullmatch(word):
        seconds = float(word)
    elif clock := _CLOCK.fullmatch(word):
        hours, minutes, rest = (int(part) for part in clock.groups())
        seconds = hours * 3600.0 + minutes * 60 + rest
    elif word and (parts := _PARTS.fullmatch(word)):
        seconds = sum(
            float(part) * unit
            for part, unit in zip(parts.groups(), _UNITS.values(), strict=True)
            if part is not None
        )
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"{text!r} is not a duration; valid are 90 (seconds), 30s, 10m, 1h30m, 2d and 01:30:00"
        )
    return seconds


def format_duration(seconds: float) -> str:
    """Return `seconds` for a reader: `42.1 s`, `12 min 03.4 s`, `2 h 05 min 03.4 s`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    if minutes == 0:
        return f"{rest / 10:.1f} s"
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes} min {rest / 10:04.1f} s"
    return f"{hours} h {minutes:02d} min {rest / 10:04.1f} s" if hours else text
