"""One question to many hosts at the same time, and an answer or an error of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import jupyter_remote

from .errors import AuthenticationError, HostKeyError, PromptCancelled, RemoteError

if TYPE_CHECKING:
    from .remote import Remote

S = TypeVar("S")
T = TypeVar("T")

# Waiting costs a thread and little else, so a slow host holds up no other; the bound is for a thousand hosts.
AT_ONCE = 64


def ask_all(hosts: Sequence[str], question: Callable[[Remote], T]) -> list[tuple[str, T | RemoteError]]:
    """The answer or the error of each host, in order."""
    answers = at_once(hosts, lambda host: question(jupyter_remote.connect(host)))
    return list(zip(hosts, answers, strict=True))


def at_once(
    subjects: Sequence[S], work: Callable[[S], T], why: Callable[[T], object] = lambda answer: None
) -> list[T | RemoteError]:
    """What `work` returns for each, or its error, in order.

    It is called in threads, which may ask the user nothing: where a login or a host's key was refused for
    that reason, it is called again in this thread, one after the other.

    Args:
        subjects: what there is an answer for, each.
        work: finds it.
        why: the error that an answer tells of, where that is not raised.
    """

    def attempt(subject: S) -> T | RemoteError:
        try:
            return work(subject)
        except RemoteError as error:
            return error

    if len(subjects) == 1:
        # In this thread a host may ask about its key, and an interrupt ends the waiting.
        return [attempt(subjects[0])]
    from .transports.prompt import can_ask, handed_over

    with ThreadPoolExecutor(AT_ONCE, initializer=lambda: handed_over.set(True)) as pool:
        answers = list(pool.map(attempt, subjects))
    for number, answer in enumerate(answers):
        error = answer if isinstance(answer, RemoteError) else why(answer)
        if isinstance(error, PromptCancelled):
            continue
        if isinstance(error, (AuthenticationError, HostKeyError)) and can_ask():
            answers[number] = attempt(subjects[number])
    return answers
