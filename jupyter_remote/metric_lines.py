"""Metrics in lines of text: a line in, what it says out. Pure; knows no run and no file.

Three forms count:

- ``RESULT_NAME key=value …``: every number of it, as ``NAME.key``; or ``RESULT_NAME value``, as ``NAME``.
- A JSON object, when one of its names is a usual one for a metric or a step.
- ``key=value`` and ``key: value`` anywhere in a line, and ``loss 0.3``: all of them, when one of the names
  is a usual one, or one of the names that were asked for.

The step is what the line says (``step=100``, ``Epoch 3/10``, a progress bar's ``40/100``). Words with a value
that is no number are tags of all metrics of the line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

_LOSSES = "loss losses nll mse mae rmse mape elbo perplexity ppl bpc bpb wer cer fid"
_SCORES = "acc accuracy auc auroc f1 precision recall r2 bleu rouge iou miou"
_MORE = "dice psnr ssim map map50 top1 top5 score reward"
_RATES = "lr throughput tflops gflops mfu bandwidth latency speedup"
METRIC_WORDS = frozenset(f"{_LOSSES} {_SCORES} {_MORE} {_RATES} learning_rate grad_norm".split())
_STEPS = "step steps iteration iterations iter epoch batch round episode timestep timesteps"
STEP_WORDS = frozenset(_STEPS.split())
# What the agent looks for in a log (bytes): lines that may say something, and a word that one of ours has.
# Each begins with a character or word that is seldom, so a log is passed over at a GB a second.
_SAYS = r" {0,3}[-+]?(?:\d|\.\d|nan|inf|NaN|Inf)"
PATTERNS = (f"={_SAYS}", rf":(?<![\s:T]\d\d:){_SAYS}", "RESULT_", r"poch\W{0,3}\d", r"oss\s+[-+]?\d")
WORDS = "RESULT_|(?i:" + "|".join(sorted(METRIC_WORDS | STEP_WORDS)) + ")"
BAR = r"\d%\|.*\d+/\d+|\d+/\d+ ?[\[\x1b\xe2]|(?i:epoch|step|iter|batch|round)\w*\W{0,3}\d+ ?(?:/|of) ?\d"

NUMBER = (
    r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?|NaN|NAN|Inf(?:inity)?|INF)"
)
_UNIT = (
    r"%|[nuµm]?s|sec|min|[KMGT]i?B(?:/s)?|[KMGTP]?FLOPS?(?:/s)?|[KMGT]?(?:it|tok|tokens|samples|img|images)/s"
    r"|[kMG]?Hz|[kM]?W|x"
)
_OF = r"(?:[Tt]rain(?:ing)?|[Vv]al(?:id(?:ation)?)?|[Tt]est|[Ee]val|[Dd]ev|[Aa]verage|[Aa]vg|[Mm]ean)"
_PAIR = re.compile(
    rf"(?<![\w./-])(?:(?P<of>{_OF})[ _])?(?P<key>[A-Za-z_][\w./@-]{{0,99}})[\"')]?"
    rf"(?:\s{{0,3}}[=:]\s{{0,5}}(?P<number>{NUMBER})(?:{_UNIT})?(?![\w:/]|[.-]\d)"
    r"|=(?P<text>\"[^\"]*\"|'[^']*'|[^\s,;\"']+)|['\"]: ?(?P<quoted>\"[^\"]*\"|'[^']*'))",
)
_WORD = re.compile(
    rf"(?<![\w./-])(?:(?P<of>{_OF})[ _])?(?P<key>[Ll]oss|[Aa]cc(?:uracy)?(?:@\d)?|ppl|lr)\s+"
    rf"(?P<number>{NUMBER})%?(?![\w:/]|[.-]\d)"
)
_COUNT = re.compile(
    r"(?:\b|_)(?P<what>[Ee]poch|[Ss]tep|[Ii]ter(?:ation)?|[Bb]atch|[Rr]ound|[Ee]pisode|[Tt]imestep|EPOCH|STEP)s?[\"']?\s*[:=#]?\s*[\[(]?\s*"
    r"(?P<n>\d+(?:\.\d+)?)(?:\s*(?:/|of)\s*(?P<total>\d+))?(?![\w-])"
)
_OF_BAR = re.compile(r"(?:\||^|\[)\s*(\d+)/(\d+)(?=\s*[\[(━\]]|\s\()")
_PERCENT = re.compile(r"(\d+)%\|")
_RESULT = re.compile(r"RESULT_(?P<name>[A-Za-z0-9][\w.-]*)\s*[:=]?\s*(?P<rest>.*)")
_BARE = re.compile(rf"(?P<number>{NUMBER})(?:\s?(?:{_UNIT}))?(?![\w.])")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
_INNER = frozenset(("step", "iter", "iteration", "batch", "bar", "timestep"))
MOMENTS = ("wall_time", "timestamp", "_timestamp", "time", "ts")
# What bars say of themselves.
_NO_METRICS = frozenset(("ETA", "eta", "v_num"))
_NONE: Mapping[str, Any] = {}
LONGEST_TEXT = 200
_DEEPEST = 3


@dataclass(frozen=True)
class Found:
    """One number that a line says.

    Args:
        name: of the metric.
        value: the number; may be NaN or infinite.
        step: of the training, or None.
        tags: what else the line says.
        time: seconds since the epoch, where the line says it.
    """

    name: str
    value: float
    step: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    time: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run has come, as its output says.

    Args:
        fraction: 0 to 1; None when only a count is known.
        text: as ``epoch 3/10, 40/100``.
    """

    fraction: float | None
    text: str


class LineParser:
    """Lines of one source, in order.

    Args:
        names: patterns of names (as of files: ``gflops*``) that count as usual ones too.
        regexes: with a group ``value`` (and ``name``, ``step``), or groups called as their metrics.
        every: whether the lines are known to be metrics: all names count.

    Raises:
        re.error: one of them is none.
    """

    def __init__(self, names: Sequence[str] = (), regexes: Sequence[str] = (), every: bool = False) -> None:
        self._names = tuple(names)
        self._regexes = [re.compile(regex) for regex in regexes]
        self._every = every
        self.epoch: tuple[float, float | None] | None = None

    def line(self, text: str) -> list[Found]:
        """What a line says; an empty list for nothing, whatever it holds."""
        text = ANSI.sub("", text).strip()
        if not self._regexes:
            return self._usual_forms(text)
        own = [found for regex in self._regexes for found in _by_regex(regex, text)]
        named = {one.name for one in own}
        return [*own, *(one for one in self._usual_forms(text) if one.name not in named)]

    def _usual_forms(self, text: str) -> list[Found]:
        form, content = form_of(text)
        if form == "result":
            return _result(content["name"], content["rest"])
        if form == "json":
            return self.mapping(content)
        return self._pairs(text) if form == "pairs" else []

    def mapping(self, values: Mapping[str, object]) -> list[Found]:
        """What a JSON object says."""
        numbers, tags = flat(values)
        if not self._every and not any(map(self._usual, numbers)):
            return []
        at = next((key for key in by_priority(numbers) if math.isfinite(numbers[key])), None)
        moment = next((numbers[key] for key in MOMENTS if 1e9 < numbers.get(key, 0) < 1e11), None)
        step = numbers[at] if at is not None else None
        found = [(k, v) for k, v in numbers.items() if k != at and not (moment is not None and k in MOMENTS)]
        return [Found(name, value, step, tags, moment) for name, value in found if self._taken(name, found)]

    def _pairs(self, text: str) -> list[Found]:
        counts = counts_in(text)
        if "epoch" in counts:
            self.epoch = counts["epoch"]
        numbers: dict[str, float] = {}
        tags: dict[str, str] = {}
        for regex in (_PAIR, _WORD) if "=" not in text else (_PAIR,):
            for match in regex.finditer(text):
                parts = match.groupdict()
                key = parts["key"].strip("./-")
                if parts["number"] is None:
                    tags[key] = (parts["text"] or parts["quoted"]).strip("'\"")[:LONGEST_TEXT]
                elif key and key not in _NO_METRICS and last_word(key) not in STEP_WORDS:
                    of = (parts["of"] or "").replace(" ", "_")
                    numbers.setdefault(f"{of}_{key}" if of else key, number(parts["number"]))
        named = list(numbers.items())
        if not named or not (counts or self._every or any(map(self._usual, numbers))):
            return []
        step = step_of(counts, self.epoch)
        return [Found(name, value, step, tags) for name, value in named if self._taken(name, named, counts)]

    def _usual(self, name: str) -> bool:
        return is_usual(name) or any(fnmatchcase(name, pattern) for pattern in self._names)

    def _taken(self, name: str, all_: Sequence[tuple[str, float]], counts: Mapping[str, Any] = _NONE) -> bool:
        """Of a line that counts only because of names that were asked for, only those count."""
        if self._every or not self._names or counts or any(is_usual(other) for other, _ in all_):
            return True
        return any(fnmatchcase(name, pattern) for pattern in self._names)


def form_of(text: str) -> tuple[str, Any]:
    """Which of the forms a line has that is stripped of blanks and colours.

    Returns:
        ``result`` and the match; ``json`` and the dict; ``pairs``; or ``half`` for half of a JSON object.
    """
    if "RESULT_" in text and (match := _RESULT.search(text)):
        return "result", match
    if text.startswith("{"):
        if not text.endswith("}"):
            return "half", None  # half of it is missing, perhaps of a number too
        try:
            return "json", json.loads(text)
        except (ValueError, RecursionError):
            pass  # Python's own way to write a dict, or none
    return "pairs", None


def progress(text: str, epoch: tuple[float, float | None] | None = None) -> Progress | None:
    """How far a line says that the run has come: a bar of tqdm or Keras, ``epoch 3/10``, ``step 10 of 100``.

    Args:
        text: the line.
        epoch: as earlier lines said it, and of how many.
    """
    text = ANSI.sub("", text)
    counts = counts_in(text)
    epoch = counts.pop("epoch", None) or epoch
    inner = next(
        (counts[kind] for kind in ("bar", "step", "iteration", "iter", "batch") if kind in counts), None
    )
    percent = _PERCENT.search(text)
    if inner is None and percent is not None:
        inner = float(percent[1]), 100.0
    part = inner[0] / inner[1] if inner and inner[1] else None
    words = []
    fraction = part
    if epoch is not None and epoch[1]:
        words.append(f"epoch {epoch[0]:g}/{epoch[1]:g}")
        done = epoch[0] if part is None else max(epoch[0] - 1, 0) + part
        fraction = done / epoch[1]
    if inner is not None and inner[1]:
        words.append(f"{inner[0]:g}/{inner[1]:g}")
    if not words:
        return None
    return Progress(None if fraction is None else min(max(fraction, 0.0), 1.0), ", ".join(words))


@lru_cache(4096)
def is_usual(name: str) -> bool:
    """Whether a metric or step is often called so: ``val_loss``, ``train/acc``, ``evalF1``, ``rouge1``."""
    words = re.findall(r"[a-z]+\d*", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return (
        any(word in _ALL or word.rstrip("0123456789") in METRIC_WORDS for word in words)
        or name in METRIC_WORDS
    )


_ALL = METRIC_WORDS | STEP_WORDS


@lru_cache(4096)
def last_word(name: str) -> str:
    """The last word of a name, in lower case: ``step`` of ``trainer/global_step``."""
    return re.split(r"[^a-z0-9]", name.lower())[-1]


def number(text: str) -> float:
    """A number as it is written; one that is too large is infinite."""
    return float(text)


def _result(name: str, rest: str) -> list[Found]:
    numbers: dict[str, float] = {}
    tags = {"result": name}
    for match in _PAIR.finditer(rest):
        key = match["key"].strip("./-")
        if match["number"] is not None:
            numbers.setdefault(f"{name}.{key}", number(match["number"]))
        else:
            tags[key] = (match["text"] or match["quoted"]).strip("'\"")[:LONGEST_TEXT]
    if not numbers and (bare := _BARE.match(rest)):
        numbers[name] = number(bare["number"])
    step = next((numbers.pop(key) for key in list(numbers) if key.rpartition(".")[2] in STEP_WORDS), None)
    return [Found(key, value, step, tags) for key, value in numbers.items()]


def _by_regex(regex: re.Pattern[str], text: str) -> Iterator[Found]:
    for match in regex.finditer(text):
        groups = {key: value for key, value in match.groupdict().items() if value is not None}
        try:
            step = float(groups.pop("step")) if "step" in groups else None
            if "value" in groups:
                yield Found(groups.get("name", "value"), float(groups["value"]), step)
                continue
            for name, value in groups.items():
                yield Found(name, float(value), step)
        except ValueError:
            pass  # it matches what is no number


def counts_in(text: str) -> dict[str, tuple[float, float | None]]:
    """What a line counts (``epoch``, ``step``, ``bar`` …): how far, and of how many."""
    counts: dict[str, tuple[float, float | None]] = {}
    for match in _COUNT.finditer(text):
        total = match["total"]
        counts.setdefault(match["what"].lower(), (float(match["n"]), float(total) if total else None))
    bar = _OF_BAR.search(text) if "/" in text else None
    if bar is not None and all(total != float(bar[2]) for _, total in counts.values()):
        counts["bar"] = float(bar[1]), float(bar[2])
    return counts


def step_of(
    counts: Mapping[str, tuple[float, float | None]], epoch: tuple[float, float | None] | None
) -> float | None:
    """One number that grows: the count within an epoch goes on where the epoch before ended."""
    inner = next((counts[kind] for kind in ("step", "iteration", "iter", "timestep") if kind in counts), None)
    if inner is not None and (inner[1] is None or epoch is None):
        return inner[0]
    inner = inner or counts.get("batch") or counts.get("bar")
    if inner is not None and inner[1] and epoch is not None:
        return (epoch[0] - (1 if epoch[1] else 0)) * inner[1] + inner[0]
    if inner is not None:
        return inner[0]
    return next((counts[kind][0] for kind in ("epoch", "round", "episode") if kind in counts), None)


def by_priority(numbers: Iterable[str]) -> Iterator[str]:
    """Those of the names that may be a step's, the likeliest first."""
    wanted: Sequence[Callable[[str], bool]] = (
        lambda word: word in ("step", "steps", "iteration", "iterations", "iter", "timestep", "timesteps"),
        lambda word: word in ("batch", "epoch", "round", "episode"),
    )
    for suits in wanted:
        yield from (key for key in numbers if suits(last_word(key)))


def flat(values: Mapping[str, object]) -> tuple[dict[str, float], dict[str, str]]:
    """The numbers and the other values of a JSON object; those of an object in it as ``a/b``."""
    numbers: dict[str, float] = {}
    tags: dict[str, str] = {}
    stack = [("", values, 0)]
    while stack:
        above, level, depth = stack.pop()
        for key, value in level.items():
            name = f"{above}{key}"
            if isinstance(value, (bool, str)):
                tags[name] = str(value)[:LONGEST_TEXT]
            elif isinstance(value, (int, float)):
                numbers[name] = as_float(value)
            elif isinstance(value, dict) and depth < _DEEPEST:
                stack.append((f"{name}/", value, depth + 1))
    return numbers, tags


def as_float(value: float) -> float:
    """An int of any size as a float; infinite when it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
