"""What has come on a channel of paramiko and was not taken yet, as the packets that it came in.

paramiko's own buffer copies each byte three times and moves the rest at each read, under a lock that the
thread which decrypts waits for. Only the buffer; who reads, and when, is in `paramiko.py`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from paramiko.buffered_pipe import BufferedPipe, PipeTimeout

if TYPE_CHECKING:
    _Pipe = BufferedPipe[Any]  # a type of its stubs only
else:
    _Pipe = BufferedPipe


class Received(_Pipe):
    """Put in the place of a channel's `in_buffer` before anything comes.

    Who waits by the channel's descriptor (`Channel.fileno`) would not be woken; nobody here does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._packets: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._over = False

    def feed(self, data: bytes | str) -> None:
        """Takes a packet; called by paramiko's thread."""
        packet = data.encode() if isinstance(data, str) else data
        with self._changed:
            self._packets.append(packet)
            self._size += len(packet)
            self._changed.notify()

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        """The next packet, or the first `nbytes` bytes of it; b"" at the end.

        Raises:
            PipeTimeout: nothing came within so many seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._size and not self._over:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise PipeTimeout
                self._changed.wait(left)
            if not self._packets:
                return b""
            packet = self._packets.popleft()
            if len(packet) > nbytes:
                self._packets.appendleft(packet[nbytes:])
                packet = packet[:nbytes]
            self._size -= len(packet)
            return packet

    def read_ready(self) -> bool:
        """Whether there is something."""
        return self._size > 0

    def empty(self) -> bytes:
        """All that there is."""
        with self._changed:
            taken = b"".join(self._packets)
            self._packets.clear()
            self._size = 0
            return taken

    def close(self) -> None:
        """Nothing more will come; what has come can still be read."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return self._size
