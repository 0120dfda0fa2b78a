"""`ssh-setup`'s talk with a host: what is told when the command there ends before it was read."""

from __future__ import annotations

import pytest

from jupyter_remote.config_models import HostConfig
from jupyter_remote.errors import ConnectionLost
from jupyter_remote.hosts import ssh_setup


class Forced:
    """A host whose forced command prints a line and is gone; also its one channel."""

    def __init__(self) -> None:
        self.rest = [b"This account only shows the weather.\n"]

    def open(self, command: str) -> Forced:
        return self

    def write(self, data: bytes) -> None:
        raise ConnectionLost("the connection to a broke", host="a")

    def read(self, size: int) -> bytes:
        return self.rest.pop() if self.rest else b""

    def stderr_tail(self) -> str:
        return ""

    def close(self) -> None: ...


def test_a_command_that_ends_before_it_was_read_is_still_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_setup, "make_transport", lambda host, ask: Forced())
    host = HostConfig(name="a", hostname="a")
    told = ssh_setup._talk(host, "exec sh -s", b"exit 0\n", lambda printed: False, None)
    assert told == ("This account only shows the weather.\n", "")
