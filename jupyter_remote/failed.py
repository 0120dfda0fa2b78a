"""What a request that failed on the host means here: our own errors, by the names that the agent gives."""

from __future__ import annotations

from .agent import messages as m
from .errors import FAILURES, ProtocolError


class Stale(Exception):
    """The mirror is not at the generation the client believed in."""


class Changed(Stale):
    """A file has become another between being looked at and being sent."""


class Missing(Stale):
    """The host no longer has content that was to be copied there; ``digests`` name it."""

    def __init__(self, digests: list[str]) -> None:
        super().__init__()
        self.digests = digests


def error_of(failed: m.Failure, host: str) -> Exception:
    """The error that stands for a failed request.

    Args:
        failed: the agent's answer.
        host: name of the host.
    """
    details = failed.details or {}
    if failed.error == "stale":
        return Stale()
    if failed.error == "changed":
        return Changed()
    if failed.error == "missing":
        return Missing([str(digest) for digest in details.get("digests", ())])
    if failed.error == "launch" and "launcher" in details:
        from .launchers import launcher  # a scheduler did not take a job, and its words need explaining

        return launcher(str(details["launcher"])).refused(
            host, str(details.get("said")), int(details.get("code") or 0)
        )
    cls = FAILURES.get(failed.error, ProtocolError)
    return cls(f"{host}: {failed.message}", host=host, hint=failed.hint)
