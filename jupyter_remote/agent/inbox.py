"""What the supervisor sends to the worker: read between cells, and by code that asks.

Here is who reads, and what is kept for whom. What a message means is not known here.
"""

from __future__ import annotations

import select
import threading
from collections import deque

from . import messages as m
from .interrupts import Held
from .wire import Decoder

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    import socket
    from typing import Any

    from .wire import Frame


class Inbox:
    """The receiving side of the worker's socket.

    Args:
        channel: the socket to the supervisor.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._answers: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def look(self, timeout: float | None) -> bool:
        """Waits at most so many seconds (None: for ever); False when nothing came.

        Raises:
            EOFError: the supervisor is gone.
        """
        with self._lock:
            if not select.select([self._channel], [], [], timeout)[0]:
                return False
            with Held():
                data = self._channel.recv(1 << 16)
                if not data:
                    raise EOFError("the session has ended")
                for frame in self._decoder.receive(data):
                    if isinstance(frame.message, m.Answer):
                        self._answers[frame.message.request] = frame.message.secrets
                    else:
                        self._frames.append(frame)
            return True

    def next(self) -> Frame | None:
        """The oldest message that is no answer, None when there is none."""
        return self._frames.popleft() if self._frames else None

    def answer(self, request: int) -> dict[str, Any] | None:
        """The answer to that request, once; None when it has not come."""
        return self._answers.pop(request, None)
