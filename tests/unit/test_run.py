"""What the client makes of the events a host sends: whole characters, whole displays, and no trust."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.wire import Frame
from jupyter_remote.errors import Interrupted, LaunchError, ProtocolError, RunError
from jupyter_remote.events import Event
from jupyter_remote.run import Run

END = {"seq": 9, "t": 1.0, "kind": "end", "state": "finished", "exit_code": 0, "seconds": 2.5}


class Wire:
    """Stands for the stream of a connection: hands out the frames it was given."""

    def __init__(self, *frames: tuple[m.Message, bytes]) -> None:
        self._frames = [Frame(1, message, payload) for message, payload in frames]
        self.closed = False

    def receive(self) -> Frame:
        return self._frames.pop(0)

    def close(self) -> None:
        self.closed = True


def run_of(*batches: tuple[list[Any], bytes]) -> tuple[Run, Wire]:
    wire = Wire(*((m.Events(events), payload) for events, payload in batches))
    connection = SimpleNamespace(host=SimpleNamespace(name="h"), works=lambda: None)
    return Run(cast(Any, connection), {"id": "20261122-014500-7f3a"}, cast(Any, wire)), wire


def out(seq: int, n: int, kind: str = "stdout") -> dict[str, Any]:
    return {"seq": seq, "t": 0.5, "kind": kind, "n": n}


def test_a_character_cut_in_two_comes_whole_and_each_stream_is_its_own() -> None:
    euro = "€".encode()
    run, wire = run_of(
        ([out(1, 1), out(2, 1, "stderr")], euro[:1] + b"!"), ([out(3, 2), dict(END)], euro[1:])
    )
    assert [(e.kind, e.text) for e in run.events()] == [
        ("stdout", ""),
        ("stderr", "!"),
        ("stdout", "€"),
        ("end", ""),
    ]
    assert (run.state, run.exit_code, run.seconds, run.done, wire.closed) == ("finished", 0, 2.5, True, True)


def test_half_a_character_at_the_end_is_not_lost() -> None:
    run, _ = run_of(([out(1, 2), dict(END)], b"a\xe2"))
    assert "".join(event.text for event in run.events()) == "a\N{REPLACEMENT CHARACTER}"


def test_a_large_event_is_put_together_and_counts_when_it_is_whole() -> None:
    content = json.dumps({"data": {"text/plain": "x" * 50}, "metadata": {}}).encode()
    first = {"seq": 4, "t": 0, "kind": "result", "n": 20, "more": 1}
    last = {"seq": 4, "t": 0, "kind": "result", "n": len(content) - 20}
    run, _ = run_of(([first], content[:20]), ([last, dict(END)], content[20:]))
    events = list(run.events())
    assert [event.kind for event in events] == ["result", "end"]
    assert run.result == {"text/plain": "x" * 50}


@pytest.mark.parametrize(
    "event",
    [
        "text",
        {},
        {"seq": "x", "t": 0, "kind": "state", "state": "running"},
        {"seq": 1, "t": 0, "kind": "state"},
        {"seq": 1, "t": 0, "kind": "result"},
        {"seq": 1, "t": 0, "kind": "stdout", "n": 99},
        {"seq": 1, "t": 0, "kind": "stdout", "n": -1},
        {"seq": 1, "t": 0, "kind": "display", "n": 3},
        {"seq": 1, "t": 0, "kind": "end", "state": "finished"},
    ],
)
def test_a_broken_event_is_a_protocol_error(event: object) -> None:
    run, wire = run_of(([event], b"abc"))
    with pytest.raises(ProtocolError):
        list(run.events())
    assert wire.closed


def test_something_else_than_events_is_a_protocol_error() -> None:
    wire = Wire((m.Facts({}), b""))
    connection = SimpleNamespace(host=SimpleNamespace(name="h"), works=lambda: None)
    run = Run(cast(Any, connection), {"id": "20261122-014500-7f3a"}, cast(Any, wire))
    with pytest.raises(ProtocolError, match="a Facts among events"):
        run.wait()


@pytest.mark.parametrize(
    ("state", "code", "ename", "cls"),
    [
        ("failed", 1, "ValueError", RunError),
        ("failed", 7, "", RunError),
        ("stopped", 130, "KeyboardInterrupt", Interrupted),
        ("failed", 127, "LaunchError", LaunchError),
        ("lost", 1, "", RunError),
    ],
)
def test_what_a_bad_end_raises(state: str, code: int, ename: str, cls: type[Exception]) -> None:
    error = {"seq": 1, "t": 0, "kind": "error", "ename": ename, "evalue": "why", "traceback": ["tb"]}
    events = [error] if ename else []
    run, _ = run_of(([*events, dict(END, state=state, exit_code=code)], b""))
    with pytest.raises(cls) as caught:
        run.wait().check()
    assert type(caught.value) is cls
    assert caught.value.exit_code == (7 if cls is LaunchError else code)  # type: ignore[attr-defined]


def test_a_sink_gets_every_event_once() -> None:
    seen: list[Event] = []
    run, _ = run_of(([out(1, 1), dict(END)], b"a"))
    assert run.wait(seen.append) is run
    assert [event.seq for event in seen] == [1, 9]
