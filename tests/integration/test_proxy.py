"""The tests' own bad network does what it says, so that what is tested over it means something."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends everything back; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one, contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                one.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def round_trip(link: socket.socket, data: bytes) -> bytes:
    threading.Thread(target=link.sendall, args=(data,), daemon=True).start()
    back = b""
    while len(back) < len(data) and (piece := link.recv(1 << 16)):
        back += piece
    return back


def test_bytes_pass_unharmed_and_are_counted(echo: int) -> None:
    data = bytes(range(256)) * 20_000
    with Proxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link:
        assert round_trip(link, data) == data
        assert (proxy.sent, proxy.received) == (len(data), len(data))
        link.shutdown(socket.SHUT_WR)
        assert link.recv(1) == b""


def test_a_round_trip_takes_no_less_than_twice_the_delay(echo: int) -> None:
    with (
        Proxy(echo, delay=0.05) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link,
    ):
        start = time.monotonic()
        assert round_trip(link, b"x") == b"x"
        assert time.monotonic() - start >= 0.1


def test_a_limited_line_is_no_faster_than_its_rate(echo: int) -> None:
    with (
        Proxy(echo, rate=1e6) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link,
    ):
        start = time.monotonic()
        data = b"x" * 300_000
        assert round_trip(link, data) == data
        assert time.monotonic() - start >= 0.2


def test_a_frozen_line_holds_back_and_gives_later(echo: int) -> None:
    with Proxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link:
        assert round_trip(link, b"before") == b"before"
        proxy.freeze()
        link.sendall(b"held")
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv(1)
        link.settimeout(20)
        proxy.thaw()
        assert link.recv(100) == b"held"


def test_a_cut_ends_the_connections_of_now_only(echo: int) -> None:
    with Proxy(echo) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link:
            assert round_trip(link, b"x") == b"x"
            proxy.cut()
            assert link.recv(1) == b""
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as link:
            assert round_trip(link, b"y") == b"y"
