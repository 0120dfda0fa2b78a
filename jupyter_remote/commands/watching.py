"""`status --watch`: the hosts as they are, again and again, until interrupted."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jupyter_remote

from ..call import format_size
from ..errors import ConnectionLost, RemoteError
from ..gpu_words import COLUMNS, gpu_rows
from ..live_line import in_kernel
from ..tables import table_text

if TYPE_CHECKING:
    from ..samples import Samples

Facts = dict[str, Any]

_HOST_COLUMNS = ("HOST", "CPUS", "LOAD", "CPU USE", "MEMORY FREE", "GPUS")
# How soon a host is tried again that could not be asked.
_AGAIN_S = 5.0
# Samples of several hosts that come together are shown together.
_TOGETHER_S = 0.2
_TICK_S = 0.5


class Watch:
    """Takes samples of hosts, each in a thread of its own.

    Args:
        hosts: their names.
        interval: seconds between two samples.
    """

    def __init__(self, hosts: Sequence[str], interval: float) -> None:
        self._interval = interval
        self._ended = threading.Event()
        self._open: list[Samples] = []
        self._lock = threading.Lock()
        self.latest: dict[str, Facts | str] = dict.fromkeys(hosts, "connecting")
        self.news: queue.SimpleQueue[tuple[str, Facts | str]] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._follow, args=(host,), name=f"jupyter-remote {host}", daemon=True)
            for host in hosts
        ]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with self._lock:
            samples = list(self._open)
        for one in samples:
            with suppress(RemoteError):
                one.close()
        for thread in self._threads:
            thread.join(_TICK_S)

    def _follow(self, host: str) -> None:
        while not self._ended.is_set():
            try:
                self._take(host)
            except ConnectionLost as error:
                self._tell(host, str(error.message))
            except RemoteError as error:
                self._tell(host, f"{type(error).__name__}: {error.message}")
            self._ended.wait(_AGAIN_S)

    def _take(self, host: str) -> None:
        samples = jupyter_remote.connect(host).samples(self._interval)
        with self._lock:
            self._open.append(samples)
        try:
            if self._ended.is_set():
                return
            for facts in samples:
                self._tell(host, facts)
        finally:
            with self._lock:
                self._open.remove(samples)
            samples.close()

    def _tell(self, host: str, told: Facts | str) -> None:
        self.latest[host] = told
        self.news.put((host, told))

    def changed(self) -> bool:
        """Waits a moment for something new; returns whether there was."""
        try:
            self.news.get(timeout=_TICK_S)
        except queue.Empty:
            return False
        time.sleep(_TOGETHER_S if len(self.latest) > 1 else 0)
        with suppress(queue.Empty):
            while True:
                self.news.get_nowait()
        return True


def watch(hosts: Sequence[str], interval: float, *, as_json: bool) -> None:
    """Show them until interrupted: in place in a terminal and a notebook, one below the other elsewhere.

    Args:
        hosts: names.
        interval: seconds between two looks at a host.
        as_json: a line of JSON for each look.
    """
    with suppress(KeyboardInterrupt), Watch(hosts, interval) as watching:
        if as_json:
            while True:
                with suppress(queue.Empty):
                    host, told = watching.news.get(timeout=_TICK_S)
                    document = (
                        {"host": host, "ok": True, **told} if isinstance(told, dict) else _failed(host, told)
                    )
                    print(json.dumps(document, ensure_ascii=False), flush=True)
        elif in_kernel():
            _in_place(watching, _display())
        elif sys.stdout.isatty():
            _in_terminal(watching)
        else:
            _in_place(watching, lambda text: print(f"{text}\n", flush=True))


def _failed(host: str, told: str) -> Facts:
    return {"host": host, "ok": False, "error": {"message": told}}


def _in_place(watching: Watch, show: Callable[[str], None]) -> None:
    while True:
        if watching.changed():
            show("\n".join(filter(None, (table_text(*table) for table in _tables(watching.latest)))))


def _in_terminal(watching: Watch) -> None:
    from rich.console import Console, Group
    from rich.live import Live

    from ..tables import make_table

    console = Console(file=sys.stdout, force_jupyter=False, highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            if watching.changed():
                tables = [make_table(*table) for table in _tables(watching.latest)]
                live.update(Group(*tables), refresh=True)


def _display() -> Callable[[str], None]:
    from secrets import token_hex

    from IPython.display import publish_display_data

    identity = {"display_id": f"jupyter-remote/status-{token_hex(4)}"}
    shown = False

    def show(text: str) -> None:
        nonlocal shown
        publish_display_data({"text/plain": text}, {}, transient=identity, update=shown)  # type: ignore[no-untyped-call]
        shown = True

    return show


def _tables(latest: dict[str, Facts | str]) -> list[tuple[Sequence[str], list[tuple[object, ...]]]]:
    hosts: list[tuple[object, ...]] = []
    gpus: list[tuple[object, ...]] = []
    for host, told in latest.items():
        if isinstance(told, str):
            hosts.append((host, told))
            continue
        memory, load = told.get("memory") or {}, told.get("load")
        free, total = memory.get("available"), memory.get("total")
        hosts.append(
            (
                host,
                told.get("cpu_count"),
                f"{load[0]:.1f}" if load else "",
                "" if told.get("cpu") is None else f"{told['cpu']:.0f} %",
                "" if free is None or total is None else f"{format_size(free)} of {format_size(total)}",
                len(told.get("gpus") or ()),
            )
        )
        gpus += gpu_rows(host, told)
    return [(_HOST_COLUMNS, hosts), *([(COLUMNS, gpus)] if gpus else ())]
