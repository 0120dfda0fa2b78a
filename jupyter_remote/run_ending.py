"""What the end of a run means for who waited for it: nothing, or the error that says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import Interrupted, LaunchError, RemoteError, RunError, UsageError

if TYPE_CHECKING:
    from .run import Run


def failure(run: Run) -> RemoteError | None:
    """The error of a run that did not end well, None when it did or has not ended.

    It is an `Interrupted` when the run was stopped, a `LaunchError` when its process could not be started, a
    `UsageError` when variables could not be sent or fetched, else a `RunError`: the user's code failed.
    """
    if run.state == "finished" or not run.done:
        return None
    error = run.error or {}
    name, text = error.get("ename", ""), error.get("evalue", "")
    code = run.exit_code or 1
    if name == "LaunchError" and text.startswith("env_setup"):
        hint = f"Try its lines by hand there, then `jupyter remote set {run.host} env_setup=…`."
        return LaunchError(f"{run.host}: {text}", host=run.host, hint=hint)
    if name == "LaunchError":
        hint = f"Check the name, and `python` and `env_setup` in `jupyter remote show {run.host}`."
        return LaunchError(f"{run.host}: no process could be started: {text}", host=run.host, hint=hint)
    if name == "LeaseError":
        hint = error.get("hint") or ""
        if (run.record.get("job") or {}).get("launcher") == "container":
            hint += (
                " A container has the GPUs that `container.gpus`, or `--set gpus=all`, gives it: no others."
            )
        return LaunchError(f"{run.host}: {text}", host=run.host, hint=hint.strip())
    if name == "VariableError":
        return UsageError(f"{run.host}: {text}", host=run.host)
    message = f"{name}: {text}" if name else _ending(run, code)
    cls = Interrupted if run.state == "stopped" else RunError
    return cls(
        message,
        host=run.host,
        ename=name,
        evalue=text,
        traceback=error.get("traceback") or [f"{run.host}: {message}"],
        run_exit_code=code,
    )


def _ending(run: Run, code: int) -> str:
    why = f" ({run.reason})" if run.reason else ""
    return f"run {run.id} {run.state} with exit code {code}{why}"
