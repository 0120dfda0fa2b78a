"""The shape (see `metric_shapes.py`) of a line: what is the same in all that differ in their numbers only.

Most of what a run prints is one `print` in a loop. What the first line of a shape says is found in the
thorough way of `metric_lines.py`, and so is which of its numbers is what: each number is replaced by others,
and the line is parsed again. The regular expressions there tell apart digits from other characters but not
one digit from another, and what must not vary (names, tags, half of a name) varies in such a probe or stays
part of the shape. So lines of one shape say the same, but for the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from .metric_lines import ANSI, MOMENTS, NUMBER, STEP_WORDS, Found, counts_in, flat, form_of, last_word
from .metric_shapes import Shape

_LONGEST = 600
_MOST_TOKENS = 30
_TOKEN = re.compile(
    r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?"
    r"|(?<![\w.])[-+]?(?:nan|inf(?:inity)?|NaN|NAN|Inf(?:inity)?|INF)(?!\w)"
)
_DIGITS = re.compile("[0-9]+")
_RUN = "[0-9]{1,18}"
_JSON_RUN = "(?:0|[1-9][0-9]{0,17})"
_JSON_NUMBER = (
    rf"(?:0|-?[1-9][0-9]{{0,17}}|-?{_JSON_RUN}(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
    "|NaN|-?Infinity)"
)
# Of a name that is a moment where the number is one (from 1e9 to 1e11), and of such a moment.
_NO_MOMENT = r"(?:0|-?0\.[0-9]+|-?[1-9][0-9]{0,7}(?:\.[0-9]+)?)"
_MOMENT = r"(?:1[1-9]|[2-9][0-9])[0-9]{8}(?:\.[0-9]+)?"
# What may follow on a number of any form: nothing that the number before it could be a part of.
_END = re.compile(r"[ ,;)\]}|%\t]|$")
_NAME_END = re.compile(r"[\"')]?\s{0,3}[=:]")

Said = tuple[list[Found], dict[str, tuple[float, float | None]]]


def learn(line: str, parse: Callable[[str], list[Found]]) -> Shape | None:
    """The shape of a line; None when it has none that is sure to be right.

    Args:
        line: without its end.
        parse: what a line says, whatever came before it.
    """
    text = line.strip()
    form = form_of(text)[0]
    tokens = [] if len(line) > _LONGEST or ANSI.search(line) or "\n" in line else [*_TOKEN.finditer(line)]
    if not 0 < len(tokens) <= _MOST_TOKENS or form == "half":
        return None
    truth = _said(line, form, parse)
    if not _is_plain(text, form, truth[0]):
        return None
    known_as = _structure(truth)

    def varies(number: int) -> bool:
        # One digit, because of `Acc@1`.
        probes = (_probe(line, tokens, [number], length)[0] for length in (8, 1))
        return all(_structure(_said(probe, form, parse)) == known_as for probe in probes)

    free = [number for number in range(len(tokens)) if varies(number)]
    places: list[list[int]] = []
    for length in (8, 3):
        probe, known = _probe(line, tokens, free, length)
        said = _said(probe, form, parse)
        if _structure(said) != known_as:
            return None
        places.append([known.get(value, -1) for value in _numbers(said)])
    if places[0] != places[1] or -1 in places[0]:
        return None
    shape = _shape(line, tokens, free, places[0], truth, form)
    return shape if shape is not None and shape.match(line + "\n") else None


def _is_plain(text: str, form: str, found: Sequence[Found]) -> bool:
    """Whether what a line says does not hang on how large its numbers are."""
    if form == "pairs":
        if text.startswith("{") and text[1:2] != "'":
            return False  # other numbers may make it JSON
        # A bar is one unless it is as long as something else that is counted.
        counts = counts_in(text)
        return "bar" not in counts or all(of is None for kind, (_, of) in counts.items() if kind != "bar")
    if form == "json":
        numbers = flat(form_of(text)[1])[0]
        if any(last_word(name) in STEP_WORDS and not math.isfinite(value) for name, value in numbers.items()):
            return False
        moments = [name for name in numbers if name in MOMENTS]
        told = [one.name for one in found]
        return not moments or (
            len(moments) == 1 and (moments[0] in told or any(one.time is not None for one in found))
        )
    return True


def _said(line: str, form: str, parse: Callable[[str], list[Found]]) -> Said:
    text = line.strip()
    if form_of(text)[0] != form:
        return [], {"another form": (0.0, None)}
    return parse(line), counts_in(text) if form == "pairs" else {}


def _structure(said: Said) -> object:
    found, counts = said
    return (
        [(one.name, one.step is None, one.time is None, one.tags) for one in found],
        [(kind, total is None) for kind, (_, total) in counts.items()],
    )


def _numbers(said: Said) -> Iterator[float]:
    """All numbers that matter, in the order in which `_shape` takes them."""
    found, counts = said
    yield from (one.value for one in found)
    for n, total in counts.values():
        yield n
        if total is not None:
            yield total
    if found and not counts and found[0].step is not None:
        yield found[0].step
    if found and found[0].time is not None:
        yield found[0].time


def _probe(
    line: str, tokens: Sequence[re.Match[str]], chosen: Sequence[int], length: int
) -> tuple[str, dict[float, int]]:
    """The line with other numbers in these places, all different, and which is where."""
    pieces, known, at = [], {}, 0
    for number in chosen:
        token = tokens[number]
        text = token[0]
        digits = str(2 * 10 ** (length - 1) + number * 3) if length > 1 else "7"
        first = _DIGITS.search(text)
        if first is None:
            text = digits + ".5"
        elif _is_moment(text):
            text = str(1_500_000_000 + number * 3) + text[first.end() :]
        else:
            text = text[: first.start()] + digits + text[first.end() :]
        known[float(text)] = -1 if float(text) in known else number  # both are infinite
        pieces += [line[at : token.start()], text]
        at = token.end()
    return "".join([*pieces, line[at:]]), known


def _is_moment(text: str) -> bool:
    return re.fullmatch(_MOMENT, text) is not None


def _shape(
    line: str,
    tokens: Sequence[re.Match[str]],
    free: Sequence[int],
    places: Sequence[int],
    truth: Said,
    form: str,
) -> Shape | None:
    found, counts = truth
    needed = sorted(set(places))
    names = dict(zip(places, (one.name for one in found), strict=False))
    if len(names) < len(found):
        return None
    moment = places[-1] if found and found[0].time is not None else -1
    pieces: list[str] = []
    group_of: dict[int, int] = {}
    at = 0
    for number in free:
        token = tokens[number]
        name = names.get(number)
        piece = _piece(token, line[token.end() :], name, form, number == moment, number in needed)
        if piece is None:
            return None
        pieces += [re.escape(line[at : token.start()]), f"({piece})" if number in needed else piece]
        if number in needed:
            group_of[number] = len(group_of)
        at = token.end()
    groups = iter([group_of[number] for number in places])
    values = [next(groups) for _ in found]
    counted = {kind: (next(groups), None if of is None else next(groups)) for kind, (_, of) in counts.items()}
    step: int | dict[str, tuple[int, int | None]] | None = _simple_step(counted)
    if not counts and found and found[0].step is not None:
        step = next(groups)
    time = next(groups) if moment >= 0 else None
    tags = found[0].tags if found else {}
    return Shape(
        "".join([*pieces, re.escape(line[at:])]),
        [one.name for one in found],
        tags,
        values,
        step,
        counted.get("epoch"),
        time,
    )


def _simple_step(
    counted: dict[str, tuple[int, int | None]],
) -> int | dict[str, tuple[int, int | None]] | None:
    """As `step_of`: the group that is the step whatever the epoch, or all that are counted."""
    for kind in ("step", "iteration", "iter", "timestep"):
        if kind in counted:
            return counted[kind][0] if counted[kind][1] is None else counted
    if not counted.keys() & {"batch", "bar"}:
        return next((counted[kind][0] for kind in ("epoch", "round", "episode") if kind in counted), None)
    return counted


def _piece(
    token: re.Match[str], rest: str, name: str | None, form: str, is_moment: bool, needed: bool
) -> str | None:
    """What may stand in the place of a number; None when that can't be said."""
    text = token[0]
    if is_moment:
        return _MOMENT if _is_moment(text) else None
    if name is not None and form == "json":
        return _NO_MOMENT if name in MOMENTS else _JSON_NUMBER
    if name is not None and _END.match(rest) and not _NAME_END.match(rest):
        return f"(?:{NUMBER})"
    if not text[-1:].isdigit() and "." not in text:
        return None if needed else re.escape(text)
    if needed and name is None and ("e" in text.lower() or text.startswith("-")):
        return None  # a step that may be infinite, or JSON's -0, which is 0
    run = _RUN
    first = _DIGITS.search(text)
    if form == "json" and first is not None and (first[0] == "0" or first[0][0] != "0"):
        run = _JSON_RUN
    head, _, tail = re.sub("[0-9]+", "0", text).partition("0")
    return re.escape(head) + run + re.escape(tail).replace("0", _RUN)
