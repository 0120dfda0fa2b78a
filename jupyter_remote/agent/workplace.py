"""The one child that a supervisor has at a time: its pipes read in order, its messages, its end.

What is done with output, messages and the end is decided by the supervisor.
"""

from __future__ import annotations

import os
import selectors

from .child import CHUNK, Child, waiting
from .wire import Decoder

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from .messages import Message

SETUP_TAIL = 1 << 14


class Workplace:
    """Holds the child and what comes out of it.

    Args:
        selector: the supervisor's.
        folder: the session's; output that belongs to no run is kept there.
        output: takes what was printed (kind, bytes); returns False when no run wants it.
    """

    def __init__(
        self, selector: selectors.BaseSelector, folder: str, output: Callable[[str, bytes], bool]
    ) -> None:
        self._selector = selector
        self._folder = folder
        self._output = output
        self._decoder = Decoder()
        self._setup_tail = b""
        self.child: Child | None = None
        self.ready = False

    def start(
        self, argv: list[str], env: dict[str, str], cwd: str, marker: str, setup: str, channel: bool
    ) -> Child:
        """Starts a child in place of the one before.

        Args:
            argv, env, cwd: as for Child.
            marker: what its processes are known by.
            setup: shell text to be sourced first, empty for none.
            channel: whether it is a worker, which is ready only when it says so.

        Raises:
            OSError: it could not be started.
        """
        path = None
        if setup:
            path = os.path.join(self._folder, "env_setup.sh")
            with open(path, "w", encoding="utf-8") as file:
                file.write(setup)
        self.ready, self._setup_tail, self._decoder = not channel, b"", Decoder()
        self.child = Child(argv, cwd, env, marker, path, channel)
        for fd in self.child.pipes:
            self._selector.register(fd, selectors.EVENT_READ, "pipe")
        if self.child.channel is not None:
            self._selector.register(self.child.channel, selectors.EVENT_READ, "channel")
        return self.child

    @property
    def setup_tail(self) -> str:
        """The last that was printed before the child was ready."""
        return self._setup_tail.decode("utf-8", "replace").strip()

    def printed(self, fd: int, most: int = CHUNK) -> bool:
        """Takes what a pipe holds; returns whether there was something."""
        if self.child is None or fd not in self.child.pipes:
            return False
        try:
            data = os.read(fd, most)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(fd)
            del self.child.pipes[fd]
            os.close(fd)
        elif not self.ready:
            self._setup_tail = (self._setup_tail + data)[-SETUP_TAIL:]
        elif not self._output(self.child.pipes[fd], data):
            # A thread or a child process that prints after its cell has ended: kept with the session.
            with open(os.path.join(self._folder, "output.log"), "ab") as file:
                file.write(data)
        return bool(data)

    def drain(self) -> None:
        """Takes what the pipes hold at this moment, and no more: a flood must not hold the loop."""
        for fd in list(self.child.pipes) if self.child else []:
            left = waiting(fd)
            while left > 0 and self.printed(fd, min(left, CHUNK)):
                left -= CHUNK

    def messages(self) -> Iterator[Message]:
        """The worker's messages; what it printed before each has been taken when it is handed out."""
        if self.child is None or self.child.channel is None:
            return
        try:
            data = self.child.channel.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self.child.channel)
            self.child.close_channel()
            return
        self.drain()
        for frame in self._decoder.receive(data):
            yield frame.message

    def release(self) -> None:
        """Lets go of a child that has ended."""
        if self.child is None:
            return
        for fd in self.child.pipes:
            self._selector.unregister(fd)
        if self.child.channel is not None:
            self._selector.unregister(self.child.channel)
        self.child.close()
        self.child = None
        self.ready = False
