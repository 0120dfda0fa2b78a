"""Variables over links that break: sent again only when they are not there, taken once, none left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cuts import open_remote, way_to
from hosts import Place, await_true
from proxy import Proxy
from sshd import SshHost

from jupyter_remote import variables
from jupyter_remote.agent import messages as m
from jupyter_remote.connection import Connection, Stream
from jupyter_remote.ordering import session_settings
from jupyter_remote.variables import Sending

# Large enough that credit has to come back while it is sent.
LARGE = bytes(range(256)) * 12_000


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(tmp_path / "state"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[m.Message]:
    """What is asked of the host, in order."""
    seen: list[m.Message] = []
    request = Connection.request

    def note(connection: Connection, message: m.Message, payload: bytes = b"") -> Stream:
        seen.append(message)
        return request(connection, message, payload)

    monkeypatch.setattr(Connection, "request", note)
    return seen


@pytest.fixture
def way(ssh_host: SshHost) -> Iterator[Proxy]:
    with way_to(ssh_host) as proxy:
        yield proxy


def end_agent(connection: Connection) -> None:
    os.kill(connection.hello["pid"], signal.SIGKILL)
    await_true(lambda: not connection.alive)


def left(state: Path) -> list[Path]:
    """Files with variables on the host."""
    found = [*state.glob("runs/*/variables*"), *state.glob("sessions/*/variables/*")]
    return [path for path in found if path.is_file()]


def orders(asked: list[m.Message]) -> list[int | None]:
    return [message.values for message in asked if isinstance(message, m.Execute)]


def puts(asked: list[m.Message]) -> int:
    return sum(isinstance(message, m.Put) for message in asked)


def test_what_is_there_is_not_sent_again(
    local: Place, asked: list[m.Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = Sending.over

    def over_and_out(sending: Sending, connection: Connection) -> int | None:
        number = over(sending, connection)
        if number is not None:
            sending.finish()
            end_agent(connection)
        return number

    monkeypatch.setattr(Sending, "over", over_and_out)
    run = local.remote.run_cell("n = len(x)", send={"x": LARGE}, fetch=["n", "x"])
    assert run.fetch() == {"n": len(LARGE), "x": LARGE}
    assert run.sent is not None and run.sent.names == ("x",)
    assert (puts(asked), orders(asked)[-1]) == (1, None)
    assert left(local.state) == []


def test_what_did_not_arrive_is_sent_again(
    local: Place, asked: list[m.Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = variables.sealed
    cuts = [3, 0]

    def cut_short(pieces: Any) -> Iterator[Any]:
        for number, piece in enumerate(seal(pieces)):
            if cuts and number == cuts[0]:
                cuts.pop(0)
                end_agent(local.remote.connection())
            yield piece

    monkeypatch.setattr(variables, "sealed", cut_short)
    run = local.remote.run_cell("n = len(x)", send={"x": LARGE}, fetch=["n"])
    assert run.fetch() == {"n": len(LARGE)}
    assert cuts == [] and puts(asked) == 3 and None not in orders(asked)
    assert left(local.state) == []


def test_what_nobody_knows_of_is_sent_again(
    local: Place, asked: list[m.Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    over, finish = Sending.over, Sending.finish
    deaf: list[Connection] = []

    def over_to_nobody(sending: Sending, connection: Connection) -> int | None:
        if not deaf:
            deaf.append(connection)
            os.kill(connection.hello["pid"], signal.SIGSTOP)
        return over(sending, connection)

    def finish_in_vain(sending: Sending) -> variables.Moved:
        if deaf[0].alive:
            end_agent(deaf[0])
        return finish(sending)

    monkeypatch.setattr(Sending, "over", over_to_nobody)
    monkeypatch.setattr(Sending, "finish", finish_in_vain)
    assert local.printed("print(x)", send={"x": 5}) == "5\n"
    assert puts(asked) == 2 and None not in orders(asked)


def test_a_run_that_had_them_does_not_get_them_twice(local: Place) -> None:
    remote = local.remote
    run = remote.run_cell("x += 1", send={"x": 1}).wait().check()
    settings = session_settings(remote.host, remote.mirror, "default", None)
    again = Sending(settings, run.id, ["x"], variables.pack({"x": 5}, remote.host))
    again.over(remote.connection())
    again.finish()
    assert left(local.state) == []
    assert remote.fetch(["x"]) == {"x": 2}


def test_a_run_that_never_had_its_turn_leaves_none(local: Place) -> None:
    gate = local.files / "gate"
    first = local.remote.run_cell(
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    waiting = local.remote.run_cell("1", send={"x": 1})
    assert len(left(local.state)) == 1
    waiting.stop()
    assert waiting.wait().state == "stopped"
    await_true(lambda: left(local.state) == [])
    gate.touch()
    first.wait().check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["paramiko", "openssh"])
def test_cuts_anywhere_change_no_value(kind: str, way: Proxy, ssh_host: SshHost, tmp_path: Path) -> None:
    with open_remote(kind, tmp_path) as remote:
        state = Path(remote.info["state"])
        remote.run_cell("runs = []", sync=False).wait().check()
        for number, after in enumerate((1, 60, 300, 700)):
            way.trip(after, way.cut)
            code = f"runs.append(({number}, len(x)))\nx += b'{number}'"
            remote.run_cell(code, sync=False, send={"x": LARGE}).wait().check()
            run = remote.run_cell("1", sync=False, fetch=["x"]).wait()
            way.trip(after * 2000, way.cut)
            assert run.fetch()["x"] == LARGE + str(number).encode()
        assert remote.fetch(["runs"]) == {"runs": [(number, len(LARGE)) for number in range(4)]}
        await_true(lambda: left(state) == [])
        remote.stop_sessions()
