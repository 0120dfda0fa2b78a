"""Environments of a host as a page sees them. How one is made and removed is `environments/`'s business."""

from __future__ import annotations

from typing import Any

from ..environments import create
from ..environments.create import PREFIX
from ..remote import Remote

NAMES = ("digest", "names", "sessions", "python", "packages", "size", "created", "used")


def listing(remote: Remote) -> list[dict[str, Any]]:
    """``Environment`` documents of a host.

    Raises:
        RemoteError: it can't be asked.
    """
    return [document(remote, one) for one in create.listing(remote)["environments"]]


def document(remote: Remote, told: dict[str, Any]) -> dict[str, Any]:
    """``Environment`` of rest-api.yml."""
    called = [*told["names"], told["digest"]]
    return {
        **{name: told.get(name) for name in NAMES},
        "whole": bool(told["whole"]),
        "configured": remote.host.python in [PREFIX + name for name in called],
    }
