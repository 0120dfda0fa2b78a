"""Which runs somebody means: ids, beginnings of them, groups, campaigns, objects; and how they stand now.

The local history is asked first, then the hosts of those runs. How they compare is not decided here.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from . import history, records
from .compared import cards
from .config import Config
from .errors import RemoteError, UsageError
from .history_rows import Row, document_of, row_of
from .history_store import Query
from .many import ask_all
from .runs import Unreachable, listing, settled
from .whereabouts import find_run, learn

if TYPE_CHECKING:
    from .remote import Remote
    from .run import Run

_RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]*")
_CAMPAIGN_ID = re.compile(r"[0-9a-f]{6,16}")
_GROUP = re.compile(r"g(\d{8}-\d{6})-[0-9a-f]+")
# How much later than the first run of a call the last one may have started: its host had to wake up.
_TOGETHER_S = 3600.0


@dataclass(frozen=True)
class Chosen:
    """Runs, in the order in which they were named; those of a campaign or of a group, the oldest first.

    Args:
        rows: of the local history.
        gpus: in words, by run, as far as known.
        silent: the hosts that could not be asked; their runs are as they were when last seen.
        objects: the `Run` objects that were given, by id.
        campaign: the name of the one that was asked for, and its id; "" where there is none.
    """

    rows: list[Row]
    gpus: Mapping[str, str] = field(default_factory=dict)
    silent: Sequence[Unreachable] = ()
    objects: Mapping[str, Run] = field(default_factory=dict)
    campaign: tuple[str, str] = ("", "")


def chosen(words: Iterable[object], campaign: str | None = None, *, ask: bool = True) -> Chosen:
    """The runs that are meant, each once.

    Args:
        words: ids or unique beginnings of them, groups (``g20261122-014500-7f3a``: the runs of one call on
            several hosts), `Run` objects, and lists or mappings of these, like `_run` of a notebook.
        campaign: all its steps, of each step the last try. Of several that had this name the newest; an older
            one by its id, or by the id of a run that was a step of it.
        ask: False takes what the local history says.

    Raises:
        UsageError: none is named, or one of the words means no run, or several.
        HistoryError: the local history can't be read.
    """
    rows: dict[str, Row] = {}
    silent: list[Unreachable] = []
    objects: dict[str, Run] = {}
    which = ("", "")
    for word in _flat(words):
        if not isinstance(word, str):
            objects[word.id] = word
        for row in _of_word(word):
            rows.setdefault(row["id"], row)
    if campaign is not None:
        found, silent, which = _of_campaign(campaign, ask)
        rows.update((row["id"], row) for row in found)
    if not rows:
        raise UsageError("no run is named: give ids of runs, a group, or --campaign NAME")
    if not ask:
        return Chosen([*rows.values()], _by_facts(rows.values()), objects=objects, campaign=which)
    gpus, unheard = _asked([*rows.values()])
    known = {one.host for one in silent}
    silent += [one for one in unheard if one.host not in known]
    fresh = _again(rows)
    return Chosen(fresh, {**_by_facts(fresh), **gpus}, silent, objects, which)


def _flat(words: Iterable[object]) -> Iterator[str | Run]:
    for word in words:
        if isinstance(word, str) or hasattr(word, "record"):
            yield cast("str | Run", word)
        elif isinstance(word, Mapping):
            yield from _flat(word.values())
        elif isinstance(word, Iterable):
            yield from _flat(word)
        else:
            raise UsageError(f"{word!r} is no run: give ids, Run objects, or lists of them")


def _of_word(word: str | Run) -> list[Row]:
    if not isinstance(word, str):
        row = next(iter(history.store().with_prefix(word.id, 1)), None)
        return [row if row is not None else _complete(row_of(word.record, word.host))]
    if (group := _GROUP.fullmatch(word)) is not None:
        return _of_group(word, timegm(time.strptime(group[1], "%Y%m%d-%H%M%S")))
    found = find_run(word)
    return [_complete(found.row)]


def _of_group(group: str, moment: float) -> list[Row]:
    before = time.strftime("%Y%m%d-%H%M%S", time.gmtime(moment + _TOGETHER_S))
    near = history.store().find(Query(since=moment, before=before, limit=None))
    rows = [row for row in near if (document_of(row)["options"] or {}).get("group") == group]
    if not rows:
        raise UsageError(f"no run of the group {group} is known here", hint="`runs list` shows the groups.")
    return rows[::-1]


def _of_campaign(word: str, ask: bool) -> tuple[list[Row], list[Unreachable], tuple[str, str]]:
    name, wanted = _campaign_named(word)
    rows, silent = listing(Query(campaign=name, limit=None), ask=ask)
    if not rows:
        told = f"; not answering: {', '.join(one.host for one in silent)}" if silent else ""
        raise UsageError(
            f"no run of a campaign {name} is known{told}", hint="`campaign list` shows those there are."
        )
    # Two tries within one second have ids in any order.
    rows.sort(key=lambda row: (row["started"] or row["created"] or 0.0, row["id"]))
    if not wanted:
        # One that has ended is replaced by the next of its name, and its runs stay.
        wanted = list(dict.fromkeys(map(_campaign_id, rows)))[-1]
    last = {(row["host"], row["step"] or row["id"]): row for row in rows if _campaign_id(row) == wanted}
    return sorted(last.values(), key=lambda row: str(row["id"])), silent, (name, wanted)


def _campaign_named(word: str) -> tuple[str, str]:
    """The name of a campaign, and its id where that was said; else ""."""
    store = history.store()
    if store.find(Query(campaign=word, limit=1)):
        return word, ""
    if _RUN.fullmatch(word):
        row = find_run(word).row
        if not row.get("campaign"):
            raise UsageError(f"run {row['id']} is no step of a campaign")
        return str(row["campaign"]), _campaign_id(row)
    known = store.campaigns_by_id(word) if _CAMPAIGN_ID.fullmatch(word) else {}
    if len(known) > 1:
        raise UsageError(f"the ids of several campaigns begin with {word}: {', '.join(sorted(known))}")
    return next(((name, whole) for whole, name in known.items()), (word, ""))


def _campaign_id(row: Row) -> str:
    return str((document_of(row).get("options") or {}).get("campaign_id") or "")


def _asked(rows: Sequence[Row]) -> tuple[dict[str, str], list[Unreachable]]:
    """What the hosts say of these runs: noted in the history; the GPUs of each, and who did not answer."""
    by_host: dict[str, list[str]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row["id"])
    gpus: dict[str, str] = {}

    def look(remote: Remote) -> list[records.Record]:
        ids = by_host[remote.host.name]
        seen = settled(remote, list(records.records(remote, len(ids), ids=ids)))
        learn(remote, seen)
        return seen

    silent = []
    for host, answer in ask_all(list(by_host), look):
        if isinstance(answer, RemoteError):
            silent.append(Unreachable(host, answer, None))
        else:
            gpus.update((str(record["id"]), cards(record)) for record in answer)
    return {run: words for run, words in gpus.items() if words}, silent


def _again(rows: Mapping[str, Row]) -> list[Row]:
    """The same rows as the history has them now."""
    known = history.store().rows(rows)
    return [_complete(known.get(run, row)) for run, row in rows.items()]


def _by_facts(rows: Iterable[Row]) -> dict[str, str]:
    """The GPUs of each run's host, as `setup` has noted them in the configuration."""
    from pathlib import Path

    hosts: dict[str, str] = {}
    found = {}
    config: Config | None = None
    for row in rows:
        host = row["host"]
        if host not in hosts:
            try:
                config = config or Config.load(Path.cwd())
                hosts[host] = _noted(config.host(host).facts)
            except RemoteError:
                hosts[host] = ""  # a host of before, or a file that is told about elsewhere
        if hosts[host]:
            found[row["id"]] = hosts[host]
    return found


def _noted(facts: Mapping[str, Any]) -> str:
    name, number = str(facts.get("gpu_info") or ""), facts.get("gpu_count")
    return f"{number} × {name}" if name and isinstance(number, int) and number > 1 else name


def _complete(row: Row) -> Row:
    """A row with all columns: one that comes from a host has only those that are known."""
    from .history_rows import COLUMNS

    return {**dict.fromkeys(COLUMNS), **row}
