"""The agent starts the process itself: nothing is submitted, and nobody else has to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LaunchError
from .job import Answer, Order, Standing, Verdict, Work

if TYPE_CHECKING:
    from ..config_models import HostConfig

SETTINGS = ""


def order(host: HostConfig, work: Work) -> Order | None:
    """None: there is no job."""
    return None


def poll(host: HostConfig) -> list[str]:
    """Nothing is asked."""
    return []


def standings(answer: Answer) -> dict[str, Standing]:
    """There are none."""
    return {}


def line(standing: Standing, ahead: int | None) -> str:
    """There is no queue but the session's own."""
    return "waiting for the session"


def queue(standing: Standing) -> list[str] | None:
    """Not known."""
    return None


def ahead(answer: Answer, standing: Standing) -> int | None:
    """Not known."""
    return None


def ended(text: str) -> Standing:
    """No script leaves anything."""
    return Standing("gone")


def verdict(standing: Standing) -> Verdict:
    """Never asked: the agent can tell itself whether a supervisor lives."""
    return Verdict("lost", 1, "its supervisor was killed")


def refused(host: str, said: str, code: int) -> LaunchError:
    """The process could not be started."""
    return LaunchError(f"{host}: {said}", host=host)


def accounting(ids: list[str]) -> list[str] | None:
    """There is no accounting."""
    return None


def used(answer: Answer) -> dict[str, dict[str, object]]:
    """Nothing is known."""
    return {}
