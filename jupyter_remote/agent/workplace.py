"""The one child that a supervisor has at a time: its pipes read in order, its messages, its end.

What is done with output, messages and the end is decided by the supervisor.
"""

from __future__ import annotations

import os
import selectors

from .child import CHUNK, Child, waiting
from .launch import activated, boot_argv, environment, program, python_of, working_folder
from .paths import write_json
from .wire import Decoder

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from .env_setup import Setup
    from .messages import Message
    from .rundir import RunDir

SETUP_TAIL = 1 << 14


class Workplace:
    """Holds the child and what comes out of it.

    Args:
        selector: the supervisor's.
        folder: the session's; output that belongs to no run is kept there.
        record: the session's settings and facts, as ``session.json`` in the folder has them.
        marker: what the session's processes are known by.
        output: takes what was printed (kind, bytes); returns False when no run wants it.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        folder: str,
        record: dict[str, Any],
        marker: str,
        output: Callable[[str, bytes], bool],
    ) -> None:
        self.record = record
        self._selector = selector
        self._folder = folder
        self._marker = marker
        self._output = output
        self._decoder = Decoder()
        self._setup_tail = b""
        self._setup: Setup | None = None
        self.child: Child | None = None
        self.ready = False

    def save(self) -> None:
        """Writes the session's record."""
        write_json(os.path.join(self._folder, "session.json"), self.record)

    def start_worker(self) -> None:
        """Starts the interpreter of the session, which is ready only when it says so.

        Raises:
            OSError: it could not be started.
        """
        python, self.record["in_env"] = python_of(self.record)
        env = environment(self.record)
        if self.record["in_env"] is not None:
            env = activated(env, python)
        argv = boot_argv([python, "-u"], "worker")
        self._start(argv, env, working_folder(self.record, None), channel=True)

    def start_program(
        self, run: dict[str, Any], folder: RunDir, code: bytes, secrets: dict[str, str]
    ) -> Child:
        """Starts what a run of that record says, with its code in that folder.

        Raises:
            OSError: it could not be started.
        """
        argv, env = program(self.record, run, folder, code, secrets)
        run["remote_command"], self.record["in_env"] = argv, run.get("in_env")
        return self._start(argv, env, working_folder(self.record, run.get("cwd")), channel=False)

    def _start(self, argv: list[str], env: dict[str, str], cwd: str, channel: bool) -> Child:
        path = self._setup = None
        if self.record.get("env_setup"):
            from .env_setup import Setup

            self._setup = Setup(self._folder, self.record, argv, env)
            path = self._setup.path
        self.ready, self._setup_tail, self._decoder = not channel, b"", Decoder()
        child = self.child = Child(argv, cwd, env, self._marker, path, channel)
        for fd in child.pipes:
            self._selector.register(fd, selectors.EVENT_READ, "pipe")
        if child.channel is not None:
            self._selector.register(child.channel, selectors.EVENT_READ, "channel")
        self.record["worker"] = child.identity
        self.save()
        return child

    @property
    def setup_tail(self) -> str:
        """The last that was printed before the child was ready."""
        return self._setup_tail.decode("utf-8", "replace").strip()

    def setup_hangs(self) -> bool:
        """Whether ``env_setup`` has gone on for longer than it may."""
        return self.child is not None and self._setup is not None and self._setup.hangs()

    def setup_failure(self) -> str | None:
        """Why ``env_setup`` failed, None when it did not."""
        return self._setup.failure(self.setup_tail) if self._setup is not None else None

    def printed(self, fd: int, most: int = CHUNK) -> bool:
        """Takes what a pipe holds; returns whether there was something.

        Args:
            most: bytes at once.
        """
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

    def waiting(self) -> int:
        """How many printed bytes have not been taken yet."""
        return sum(map(waiting, self.child.pipes)) if self.child is not None else 0

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
