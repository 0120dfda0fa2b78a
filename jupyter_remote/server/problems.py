"""What a page is told when something can't be done: our errors as JSON, and the status that fits.

The errors here are about the request itself; all others come from the core, where nobody knows of HTTP.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError, RemoteError, RunError, UnknownHost, UsageError


class RequestError(RemoteError):
    """The request can't be done. A class carries its status."""

    status = 400


class BadRequest(RequestError):
    """It can't be read."""


class Forbidden(RequestError):
    """Whoever asks may not."""

    status = 403


class NotFound(RequestError):
    """There is none of that name."""

    status = 404


class NotNow(RequestError):
    """It can't be done in the state that things are in."""

    status = 409


class TooLarge(RequestError):
    """More than a page may send."""

    status = 413


class Invalid(RequestError):
    """A value can't be used."""

    status = 422


class Busy(RequestError):
    """Too much is asked at once."""

    status = 503
    default_hint = "Try again in a moment."


def status_of(error: BaseException) -> int:
    """The status of an answer that is this error."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, UnknownHost):
        return 404
    return 422 if isinstance(error, (UsageError, ConfigError)) else 500


def problem_of(error: BaseException) -> dict[str, Any]:
    """The document that says what happened: ``Problem`` of rest-api.yml."""
    if not isinstance(error, RemoteError):
        # The text of a foreign exception may hold anything, so it stays in the server's log.
        return {
            "message": f"a fault of jupyter_remote ({type(error).__name__})",
            "hint": "The log of the Jupyter server says more.",
            "kind": "Fault",
            "host": None,
        }
    problem: dict[str, Any] = {
        "message": error.message,
        "hint": error.hint,
        "kind": type(error).__name__,
        "host": error.host,
    }
    if isinstance(error, RunError) and getattr(error, "traceback", None):
        problem["traceback"] = list(error.traceback)
    return problem
