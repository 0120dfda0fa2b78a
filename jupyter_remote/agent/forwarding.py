"""One connection to a port that this host reaches, carried over a stream; and what listens here.

Bytes only: what is on which port of the client is the client's business (`forwards.py` there).
"""

from __future__ import annotations

import os
import socket
import struct
import threading

from . import messages as m
from .processes import command_of
from .streams import PIECE, Cancelled, Stream

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# A port that drops what comes is given up before a browser does it.
CONNECT_S = 15.0
LOOPBACK = ("127.0.0.1", "::1")
# How long a write waits for a reader before it is looked whether the client is still there: a timeval.
LOOK = struct.pack("ll", 1, 0)
# Closing sends a reset, so that the other end knows that bytes are missing.
RESET = struct.pack("ii", 1, 0)


def forward(stream: Stream, message: m.Forward) -> None:
    """Connects, says so, and carries bytes both ways until the client turns away, as it does at the end too.

    Raises:
        Cancelled: the client has turned away.
    """
    try:
        far = _connect(message.host, message.port)
    except OSError as error:
        stream.send(m.Failure("forward", _why(error, message)))
        return
    far.settimeout(None)
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, LOOK)
    stream.send(m.Facts({}))
    ended = threading.Event()
    back = threading.Thread(target=_carry_back, args=(far, stream, ended), daemon=True)
    back.start()
    sent = False
    try:
        read = stream.reader()
        while data := read(PIECE):
            _send(far, data, stream)
        far.shutdown(socket.SHUT_WR)
        sent = True
        while True:
            stream.receive()  # up to the last word of the client
    except OSError as error:
        stream.send(m.Failure("forward", _why(error, message)))
    finally:
        _end(far, sent and ended.is_set())
        back.join()
        far.close()


def _why(error: OSError, message: m.Forward) -> str:
    where = f"port {message.port}" + (f" of {message.host}" if message.host else "")
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {where}"
    if isinstance(error, socket.timeout):
        return f"{where} does not answer"
    return f"{where}: {error.strerror or error}"


def _connect(host: str, port: int) -> socket.socket:
    if host:
        return socket.create_connection((host, port), CONNECT_S)
    try:
        return socket.create_connection((LOOPBACK[0], port), CONNECT_S)
    except OSError as first:
        try:
            return socket.create_connection((LOOPBACK[1], port), CONNECT_S)
        except OSError:
            raise first from None


def _send(far: socket.socket, data: bytes, stream: Stream) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[far.send(view) :]
        except BlockingIOError:
            if stream.cancelled:
                raise Cancelled from None


def _carry_back(far: socket.socket, stream: Stream, ended: threading.Event) -> None:
    try:
        while data := far.recv(PIECE):
            stream.send(m.Data(), data)
        ended.set()
        stream.send(m.End())
    except Cancelled:
        pass
    except OSError as error:
        if not stream.cancelled:
            stream.send(m.Failure("forward", error.strerror or str(error)))


def _end(far: socket.socket, whole: bool) -> None:
    try:
        if not whole:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        far.shutdown(socket.SHUT_RD)  # wakes the thread that reads, and tells the other end nothing
    except OSError:
        pass  # the other end was faster


def listeners() -> list[list[Any]] | None:
    """Ports on which something listens here: ``[port, command]``, mine with their command; on Linux only."""
    ports: dict[int, str] = {}
    sockets: dict[str, int] = {}
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":  # proc(5): it listens
                port = int(row[1].rpartition(":")[2], 16)
                ports.setdefault(port, "")
                if int(row[7]) == os.getuid():
                    sockets[f"socket:[{row[9]}]"] = port
    if not ports:
        return None
    for pid in filter(str.isdigit, os.listdir("/proc")) if sockets else ():
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                held = sockets.get(os.readlink(f"/proc/{pid}/fd/{fd}"))
                if held is not None:
                    ports[held] = ports[held] or command_of(int(pid))
        except OSError:
            pass  # somebody else's, or it has just ended
    return sorted([port, command] for port, command in ports.items())
