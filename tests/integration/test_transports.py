"""Every transport, over a real shell and a real sshd: bytes, ends, failures, and nothing left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sshd import HOST, SshHost

from jupyter_remote.config import Config
from jupyter_remote.errors import (
    ConnectError,
    ConnectionLost,
    RemoteError,
)
from jupyter_remote.transports import Channel, Transport, make_transport

SSH = ("paramiko", "openssh")

Open = Callable[..., Transport]


class Answers:
    """A prompter with its answers ready; it keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append((prompt, secret))
        return self.answers.pop(0) if self.answers else None


@pytest.fixture
def transport() -> Iterator[Open]:
    """Makes transports that are closed, and shown to have left no thread, when the test ends."""
    made: list[Transport] = []

    def make(name: str, ask: Answers | None = None, **settings: object) -> Transport:
        made.append(make_transport(Config.load().host(name, settings), ask))
        return made[-1]

    before = set(threading.enumerate())
    yield make
    for one in made:
        one.close()
    left = set(threading.enumerate()) - before
    assert not left


@pytest.fixture(params=["local", "command", *(f"{kind} {name}" for kind in SSH for name in ("direct", "l1"))])
def working(request: pytest.FixtureRequest, ssh_host: SshHost, transport: Open) -> Transport:
    """Each transport, to a host that works."""
    if request.param == "local":
        return transport("local")
    if request.param == "command":
        return transport("local", type="command", command=["env", "VIA=prefix"])
    kind, name = request.param.split()
    return transport(name, transport=kind)


def read_all(channel: Channel) -> bytes:
    return b"".join(iter(lambda: channel.read(65536), b""))


def failure(made: Transport) -> RemoteError:
    """What the user is told when `made` can't connect, whether that shows in `open` or at once after."""
    try:
        channel = made.open("true")
        assert read_all(channel) == b""
    except RemoteError as error:
        return error
    return made.explain(channel.exit_status(20), channel.stderr_tail())


def test_bytes_come_back_as_they_were_sent(working: Transport) -> None:
    channel = working.open("cat")
    sent = os.urandom(300_000)
    writer = threading.Thread(target=channel.write, args=(sent,))
    writer.start()
    got = b""
    while len(got) < len(sent):
        got += channel.read(65536)
    writer.join()
    assert got == sent
    channel.close()
    assert channel.read(1) == b""


def test_status_and_stderr(working: Transport) -> None:
    channel = working.open("printf out; printf '\\033[31mred\\007' >&2; exit 7")
    assert read_all(channel) == b"out"
    assert channel.exit_status(20) == 7
    assert channel.stderr_tail() == "\\x1b[31mred\\x07"
    error = working.explain(7, "one\nwhat failed\n")
    assert isinstance(error, ConnectError)
    assert "7" in str(error) and "what failed" in str(error)


def test_stderr_is_bounded_and_never_blocks(working: Transport) -> None:
    # More than a pipe or a channel's window holds, while nobody asks for stderr.
    channel = working.open("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2; echo done")
    assert read_all(channel) == b"done\n"
    assert channel.exit_status(20) == 0
    tail = channel.stderr_tail()
    assert tail.endswith("xend\n")
    assert len(tail) == 64 * 1024


def test_status_of_what_still_runs_is_none(working: Transport) -> None:
    channel = working.open("cat")
    assert channel.exit_status(0.05) is None


def test_several_channels_side_by_side(working: Transport) -> None:
    channels = [working.open("cat") for _ in range(3)]
    for number, channel in enumerate(channels):
        channel.write(b"%d" % number)
    assert [channel.read(10) for channel in channels] == [b"0", b"1", b"2"]
    channels[0].close()
    channels[1].write(b"still")
    assert channels[1].read(10) == b"still"


def test_write_after_the_end_is_a_lost_connection(working: Transport) -> None:
    channel = working.open("exit 0")
    assert read_all(channel) == b""
    with pytest.raises(ConnectionLost):
        for _ in range(100):
            channel.write(b"x" * 65536)


def test_close_wakes_a_reader_and_may_be_repeated(working: Transport) -> None:
    channel = working.open("cat")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(channel.read(10)))
    reader.start()
    channel.close()
    reader.join(20)
    channel.close()
    assert got == [b""]
    with pytest.raises(ConnectionLost):
        channel.write(b"x")


def test_close_ends_what_ignores_the_end_of_its_input(transport: Open) -> None:
    made = transport("local")
    channel = made.open("trap '' TERM HUP; (trap '' TERM; sleep 100) & echo $!; sleep 100; sleep 100")
    child = int(channel.read(100))
    made.close()
    # A killed orphan is init's to bury; until then it is a zombie, which runs no more.
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().split(") ")[1].startswith("Z")


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("name", ["direct", "l1"])
def test_nothing_stays_on_the_host(ssh_host: SshHost, transport: Open, kind: str, name: str) -> None:
    made = transport(name, transport=kind)
    channel = made.open("echo $$; cat")
    assert int(channel.read(100)) in {pid for pid, _ in ssh_host.processes()}
    made.close()
    assert channel.exit_status(20) is not None or kind == "paramiko"
    for _ in range(2000):
        if not ssh_host.processes():
            break
        threading.Event().wait(0.01)
    assert ssh_host.processes() == []


def test_one_ssh_connection_for_all_channels(ssh_host: SshHost, transport: Open) -> None:
    made = transport("direct", transport="paramiko")
    clients = {made.open("echo $SSH_CONNECTION").read(100) for _ in range(3)}
    assert len(clients) == 1


def test_a_dead_connection_is_made_anew(ssh_host: SshHost, transport: Open) -> None:
    server = ssh_host.start()
    ssh_host.alias("fragile", HostName=HOST, Port=server.port)
    made = transport("fragile", transport="paramiko")
    first = made.open("kill -KILL $PPID; exec cat")
    assert read_all(first) == b""
    assert isinstance(made.explain(first.exit_status(0), first.stderr_tail()), ConnectionLost)
    assert made.open("echo back").read(10) == b"back\n"
