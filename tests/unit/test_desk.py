"""Questions of several threads at one desk: asked by the thread that may; one password for all if it is."""

from __future__ import annotations

import threading

import pytest

from jupyter_remote.desk import Desk
from jupyter_remote.errors import AuthenticationError, PromptCancelled, RemoteError
from jupyter_remote.transports import Prompter

HOSTS = ("a", "b", "c")


class User:
    """Answers by what the question contains; keeps what was asked, and in which thread."""

    def __init__(self, **answers: str | BaseException) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.threads: set[threading.Thread] = set()

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append(prompt)
        self.threads.add(threading.current_thread())
        for word, answer in self.answers.items():
            if word in prompt:
                if isinstance(answer, BaseException):
                    raise answer
                return answer
        return None


def log_in(right: dict[str, str]):  # type: ignore[no-untyped-def]
    def work(host: str, ask: Prompter) -> str:
        for tries in range(3):
            answer = ask.ask(f"Password of me@{host}: ", secret=True)
            if answer == right[host]:
                return f"in after {tries + 1}"
        raise AuthenticationError("refused", host=host)

    return work


def test_one_password_for_all_is_asked_for_once() -> None:
    user = User(same="yes", hosts="pw")
    found = Desk(user).run(HOSTS, log_in(dict.fromkeys(HOSTS, "pw")))
    assert found == dict.fromkeys(HOSTS, "in after 1")
    assert len(user.asked) == 2
    assert user.threads == {threading.current_thread()}


def test_where_it_is_not_right_that_hosts_own_is_asked_for() -> None:
    user = User(same="yes", hosts="pw", **{"me@b": "other"})
    found = Desk(user).run(HOSTS, log_in({"a": "pw", "b": "other", "c": "pw"}))
    assert found == {"a": "in after 1", "b": "in after 2", "c": "in after 1"}
    assert [prompt for prompt in user.asked if "me@" in prompt] == ["Password of me@b: "]


def test_no_password_is_sent_to_another_host_without_being_asked() -> None:
    user = User(same="no", **{f"me@{host}": host for host in HOSTS})
    found = Desk(user).run(HOSTS, log_in({host: host for host in HOSTS}))
    assert found == dict.fromkeys(HOSTS, "in after 1")


def test_one_that_is_cancelled_stops_no_other() -> None:
    user = User(same="no", **{"me@b": PromptCancelled("Password of me@b: "), "me@": "pw"})
    found = Desk(user).run(HOSTS, log_in(dict.fromkeys(HOSTS, "pw")))
    assert found["a"] == found["c"] == "in after 1"
    assert isinstance(found["b"], PromptCancelled) and found["b"].host == "b"


def test_an_interrupt_ends_all_of_it() -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        Desk(User(same=KeyboardInterrupt())).run(HOSTS, log_in(dict.fromkeys(HOSTS, "pw")))
    started = set(threading.enumerate()) - before
    assert not [thread for thread in started if thread.name.startswith("jupyter-remote ")]


def test_a_fault_is_that_hosts_own() -> None:
    def work(host: str, ask: Prompter) -> str:
        if host == "b":
            raise ValueError("oops")
        return host

    found = Desk(User()).run(HOSTS, work)
    assert isinstance(found["b"], RemoteError) and "oops" in str(found["b"])
    assert found["a"] == "a"
