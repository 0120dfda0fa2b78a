"""`any`: the host with the most free GPU memory. Which words mean that, who is asked, what is said of it."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jupyter_remote

from .call import format_size
from .errors import HostUnreachable, RemoteError
from .gpu_words import free_memory

if TYPE_CHECKING:
    from .config import Config

ANY = "any"
# Who has not answered by then is left out: somebody waits for a cell to start.
PATIENCE_S = 15.0
_AT_ONCE = 16


def among(config: Config, spec: str) -> list[str] | None:
    """The hosts of which one is to be chosen; None when the words name them.

    Args:
        config: the configuration.
        spec: what was typed: `any` for all that have an entry, `any:a,b` or `any:@group` for these.

    Raises:
        UsageError, UnknownHost: the words after `any:` mean no hosts.
    """
    word, colon, rest = spec.strip().partition(":")
    if word != ANY or config.is_known(word) or config.is_known(spec.strip()):
        return None
    if colon:
        return config.expand_hosts(rest)
    return [name for name in config.names() if name != "local"] or ["local"]


def choose(hosts: Sequence[str], *, quiet: bool = False) -> str:
    """The host with the most free GPU memory that nobody has leased; without GPUs, with the most memory.

    Args:
        hosts: the names, at least one.
        quiet: say nothing of which it is, and why.

    Raises:
        HostUnreachable: none of them answers.
    """
    answers, failures = _ask(hosts)
    if not answers:
        told = "; ".join(f"{host}: {why}" for host, why in failures.items())
        raise HostUnreachable(f"no host can be used: {told}", hint="`jupyter remote test HOST` says more.")
    # Of equals the first one that is configured.
    chosen = max(answers, key=lambda host: _merit(answers[host]))
    if not quiet:
        others = [f"{host} {_words(answers[host])}" for host in hosts if host in answers and host != chosen]
        others += [f"{host} left out ({why})" for host, why in failures.items()]
        why = f"; {', '.join(others)}" if others else ""
        print(f"{ANY}: {chosen}, {_words(answers[chosen])}{why}", file=sys.stderr, flush=True)
    return chosen


def _ask(hosts: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    told: queue.SimpleQueue[tuple[str, dict[str, Any] | str]] = queue.SimpleQueue()
    turns = threading.BoundedSemaphore(_AT_ONCE)

    def ask(host: str) -> None:
        with turns:
            try:
                told.put((host, jupyter_remote.connect(host).status()))
            except RemoteError as error:
                told.put((host, error.message.splitlines()[0]))
            except Exception as error:  # a fault of ours: who waits must not wait for ever
                told.put((host, f"{type(error).__name__}: {error}"))

    for host in hosts:
        # Nobody can end a thread that waits for a host which doesn't answer: the process need not.
        threading.Thread(target=ask, args=(host,), name=f"jupyter-remote {host}", daemon=True).start()
    answers: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    until = time.monotonic() + PATIENCE_S
    while len(answers) + len(failures) < len(hosts):
        try:
            host, answer = told.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:
            break
        if isinstance(answer, str):
            failures[host] = answer
        else:
            answers[host] = answer
    silent = [host for host in hosts if host not in answers and host not in failures]
    return answers, {**failures, **dict.fromkeys(silent, f"no answer within {PATIENCE_S:g} s")}


def _merit(facts: dict[str, Any]) -> tuple[int, int]:
    return free_memory(facts), (facts.get("memory") or {}).get("available") or 0


def _words(facts: dict[str, Any]) -> str:
    if facts.get("gpus"):
        return f"{format_size(free_memory(facts))} of GPU memory free"
    available = (facts.get("memory") or {}).get("available") or 0
    why = f" ({facts['gpu_error']})" if facts.get("gpu_error") else ""
    return f"no GPU{why}, {format_size(available)} of memory available"
