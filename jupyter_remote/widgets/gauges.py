"""One host as gauges, in HTML and in words: pure, from the last news of it and its trend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..agent.choosing import units, why_busy
from ..call import format_size
from ..gpu_words import COLUMNS, gpu_rows, who
from .looks import Html, box, escaped, meter, state_html, table_html

if TYPE_CHECKING:
    from .sampler import News
    from .trend import Trend

Facts = Mapping[str, Any]

HOST_COLUMNS = ("HOST", "STATE", "CPUS", "LOAD", "CPU USE", "MEMORY FREE", "DISK FREE", "GPUS FREE")
_COLUMNS = ("", "Use", "Last 10 minutes", "Memory", "Temp.", "Power", "Who")
_NUMBERS = (4, 5)


def host_html(host: str, news: News, trend: Trend, paused: str = "") -> Html:
    """Return the gauges of a host; grey, with the last values, while it can't be reached.

    Args:
        host: its name.
        news: how it is.
        trend: its last ten minutes.
        paused: why it is not looked at now, "" while it is.
    """
    state = state_html("paused", paused) if paused else state_html(news.state, news.why)
    facts = news.facts
    small = []
    if facts.get("load"):
        small.append("load " + " ".join(f"{value:.1f}" for value in facts["load"]))
    if facts.get("gpus"):
        small.append(f"{gpus_free(facts)} GPUs free")
    head = f'<div><span class="jr-title">{escaped(host)}</span>{state} '
    head += f'<span class="jr-small jr-fades">{escaped(" · ".join(small))}</span></div>'
    parts = [Html(head)]
    if facts:
        rows = [*_host_rows(facts, trend), *_gpu_rows(facts, trend)]
        parts.append(Html(f'<div class="jr-fades">{table_html(_COLUMNS, rows, _NUMBERS)}</div>'))
        if facts.get("gpu_error"):
            parts.append(Html(f"<div>{state_html('failed', str(facts['gpu_error']))}</div>"))
    return box(*parts, gone=news.state != "ready" or bool(paused))


def _host_rows(facts: Facts, trend: Trend) -> Iterator[tuple[object, ...]]:
    cpu, memory = facts.get("cpu"), facts.get("memory") or {}
    use = "" if cpu is None else meter(cpu / 100, f"{cpu:.0f} %", "CPU use")
    name = Html(f'<span class="jr-words">{escaped(facts.get("cpu_count"))} CPUs</span>')
    yield name, use, trend.spark("cpu"), _used(memory.get("available"), memory.get("total"), "memory")
    disk = (facts.get("disk") or {}).get("home") or {}
    if disk:
        yield (
            Html('<span class="jr-words">Disk of the home</span>'),
            "",
            "",
            _used(disk.get("free"), disk.get("total"), "disk"),
        )


def _gpu_rows(facts: Facts, trend: Trend) -> Iterator[tuple[object, ...]]:
    for gpu in facts.get("gpus") or ():
        index = str(gpu.get("index"))
        yield _gpu_row(f"GPU {index}", gpu, trend.spark(f"gpu {index}"), divided=bool(gpu.get("mig")))
        for part in gpu.get("mig") or ():
            yield _gpu_row(f"GPU {index}:{part.get('index')}", part, "")


def _gpu_row(name: str, gpu: Facts, curve: object, *, divided: bool = False) -> tuple[object, ...]:
    use, warm, power = (gpu.get(key) for key in ("utilization", "temperature", "power"))
    return (
        Html(f'<span class="jr-words" title="{escaped(gpu.get("name"))}">{escaped(name)}</span>'),
        "" if use is None else meter(use / 100, f"{use:.0f} %", f"{name} use"),
        "" if use is None else curve,
        _used(gpu.get("memory_free"), gpu.get("memory_total"), f"{name} memory"),
        "" if warm is None else f"{warm:.0f} °C",
        "" if power is None else f"{power:.0f} W",
        "" if divided else "; ".join(who(gpu, {})),
    )


def _used(free: float | None, total: float | None, name: str) -> object:
    if free is None or not total:
        return ""
    return meter(1 - free / total, f"{format_size(total - free)} of {format_size(total)}", name, fills=True)


def gpus_free(facts: Facts) -> str:
    """Return how many GPUs are free of how many: `6 of 8`; "" where there is none."""
    free, found = count_free(facts)
    return f"{free} of {found}" if found else ""


def count_free(facts: Facts) -> tuple[int, int]:
    """Return how many GPUs, or parts of divided ones, nobody has leased or uses, and how many there are."""
    found = units(facts.get("gpus") or ())
    free = [one for one in found if one.get("lease") is None and not why_busy(one, {}, 0)]
    return len(free), len(found)


def host_words(host: str, news: News) -> tuple[object, ...]:
    """Return a host's row of a table with `HOST_COLUMNS`."""
    facts = news.facts
    state = f"{news.state}: {news.why}" if news.why else news.state
    if not facts:
        return host, state
    load, cpu = facts.get("load"), facts.get("cpu")
    memory, disk = facts.get("memory") or {}, (facts.get("disk") or {}).get("home") or {}
    return (
        host,
        state,
        facts.get("cpu_count"),
        f"{load[0]:.1f}" if load else "",
        "" if cpu is None else f"{cpu:.0f} %",
        _free(memory.get("available"), memory.get("total")),
        _free(disk.get("free"), disk.get("total")),
        gpus_free(facts),
    )


def words_of(hosts: Mapping[str, News]) -> str:
    """Return hosts and their GPUs as tables of plain text."""
    from ..tables import table_text

    told = table_text(HOST_COLUMNS, [host_words(host, news) for host, news in hosts.items()])
    gpus = [row for host, news in hosts.items() for row in gpu_rows(host, news.facts)]
    return f"{told}\n\n{table_text(COLUMNS, gpus)}" if gpus else told


def _free(free: float | None, total: float | None) -> str:
    return "" if free is None or total is None else f"{format_size(free)} of {format_size(total)}"
