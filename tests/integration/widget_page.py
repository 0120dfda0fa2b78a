"""What our widgets send to a page, recorded: in a process without a kernel, where nobody takes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm


@dataclass
class Page:
    """The messages that a page would have got.

    Attributes:
        sent: of each message its kind, and its bytes as JSON with its buffers.
    """

    sent: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.sent)

    def forget(self) -> None:
        self.sent.clear()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """Records what is sent from now on."""
    made = Page()

    class Recorded(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **more: Any) -> None:
            buffers = more.get("buffers") or ()
            made.sent.append((msg_type, len(json.dumps(data or {})) + sum(map(len, buffers))))

    monkeypatch.setattr(comm, "create_comm", Recorded)
    return made
