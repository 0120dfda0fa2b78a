"""One question to many hosts, some at a time, and an answer or an error of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import jupyter_remote

from .errors import RemoteError

if TYPE_CHECKING:
    from .remote import Remote

T = TypeVar("T")

# Hosts asked at the same time: a sleeping one costs its whole time-out, and should cost it only once.
AT_ONCE = 8


def ask_all(hosts: Sequence[str], question: Callable[[Remote], T]) -> list[tuple[str, T | RemoteError]]:
    """The answer or the error of each host, in order."""

    def ask(host: str) -> T | RemoteError:
        try:
            return question(jupyter_remote.connect(host))
        except RemoteError as error:
            return error

    if len(hosts) == 1:
        # In this thread a host may ask about its key, and an interrupt ends the waiting.
        return [(hosts[0], ask(hosts[0]))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(hosts, pool.map(ask, hosts), strict=True))
