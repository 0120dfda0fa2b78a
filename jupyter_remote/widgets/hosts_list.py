"""The lines of the host picker: hosts and groups with how they are, as a list and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..call import format_size
from ..hosts.registry import KINDS
from .gauges import count_free
from .looks import Html, mark_of, state_html, table_html
from .sampler import News

if TYPE_CHECKING:
    from ..config import Config

COLUMNS = ("", "HOST", "STATE", "GPUS FREE", "LOAD", "MEMORY FREE", "WHAT")
ALIAS = "an alias of ~/.ssh/config"
NOT_ASKED = News("not asked", {})
# Spaces that a list doesn't fold.
_SPACE = "\N{NO-BREAK SPACE}"
_HERE = "→"


@dataclass(frozen=True)
class Line:
    """A host or a group.

    Attributes:
        spec: how `%%remote` takes it: `gpu1`, `@gpus`.
        hosts: whose it is made of.
        what: what it is, in words.
        power: whether it can be started and stopped.
    """

    spec: str
    hosts: tuple[str, ...]
    what: str
    power: bool = False


def lines_of(config: Config) -> list[Line]:
    """Return the hosts that have an entry, the groups, and the aliases of the ssh configuration."""
    found = []
    for name in config.names():
        kind = KINDS[config.host(name).type] if _complete(config, name) else None
        what = kind.summary if kind else "incomplete: see `%remote show`"
        found.append(Line(name, (name,), what, kind is not None and kind.machine is not None))
    for group in config.groups:
        hosts = tuple(config.expand_hosts(f"@{group}"))
        found.append(Line(f"@{group}", hosts, ", ".join(hosts)))
    return [*found, *(Line(name, (name,), ALIAS) for name in config.aliases())]


def _complete(config: Config, name: str) -> bool:
    from ..errors import ConfigError

    try:
        config.host(name)
    except ConfigError:
        return False
    return True


def matching(lines: Iterable[Line], words: str) -> list[Line]:
    """Return the lines that have each of the words, in whatever case."""
    wanted = words.lower().split()
    return [line for line in lines if all(word in f"{line.spec} {line.what}".lower() for word in wanted)]


def best(specs: Sequence[str], words: str) -> str | None:
    """Return which of the lines that match is meant most likely: by its name, else the first."""
    text = words.strip().lower()
    ranks = (lambda one: one == text, lambda one: one.startswith(text), lambda one: text in one)
    for fits in ranks:
        if (found := next((one for one in specs if fits(one.lower())), None)) is not None:
            return found
    return specs[0] if specs else None


def cells(line: Line, news: Mapping[str, News], chosen: str | None) -> tuple[str, ...]:
    """Return the cells of a line, as `COLUMNS` has them."""
    told = [news.get(host, NOT_ASKED) for host in line.hosts]
    here = _HERE if line.spec == chosen else ""
    return (here, line.spec, state(told), _gpus(told), _load(told), _memory(told), line.what)


def state(told: Sequence[News]) -> str:
    """Return the state of one host, or of a group: theirs when they agree, else how many are ready."""
    states = {one.state for one in told}
    if len(states) == 1:
        return states.pop()
    return f"{sum(one.state == 'ready' for one in told)} of {len(told)} ready"


def options(lines: Sequence[Line], news: Mapping[str, News], chosen: str | None) -> list[tuple[str, str]]:
    """Return what a list shows, in columns of a fixed-width font, with the value of each."""
    rows = [_worded(*cells(line, news, chosen)) for line in lines]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(COLUMNS))]
    widths[0] = len(_HERE)
    found = []
    for line, row in zip(lines, rows, strict=True):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width)
        found.append((text.rstrip().replace(" ", _SPACE), line.spec))
    return found


def _worded(here: str, name: str, now: str, gpus: str, load: str, memory: str, what: str) -> tuple[str, ...]:
    """The cells of a list, which has no headings."""
    return (
        here,
        name,
        f"{mark_of(now)} {now}",
        f"{gpus} GPUs free" if gpus else "",
        f"load {load}" if load else "",
        f"{memory} free" if memory else "",
        what,
    )


def table_of(lines: Sequence[Line], news: Mapping[str, News], chosen: str | None) -> Html:
    """Return the same as a table of HTML."""
    rows = []
    for line in lines:
        here, name, now, *rest = cells(line, news, chosen)
        why = news[name].why if name in news else ""
        rows.append((here, name, state_html(now, why), *rest))
    return table_html(COLUMNS, rows)


def text_of(lines: Sequence[Line], news: Mapping[str, News], chosen: str | None) -> str:
    """Return the same as plain text."""
    from ..tables import table_text

    return table_text(COLUMNS, [cells(line, news, chosen) for line in lines])


def _gpus(told: Sequence[News]) -> str:
    counts = [count_free(one.facts) for one in told]
    free, found = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return f"{free}/{found}" if found else ""


def _load(told: Sequence[News]) -> str:
    loads = [one.facts["load"][0] for one in told if one.facts.get("load")]
    processors = sum(one.facts.get("cpu_count") or 0 for one in told if one.facts.get("load"))
    return f"{sum(loads):.1f}/{processors}" if loads else ""


def _memory(told: Sequence[News]) -> str:
    free = [(one.facts.get("memory") or {}).get("available") for one in told]
    known = [one for one in free if one is not None]
    return format_size(sum(known)) if known else ""
