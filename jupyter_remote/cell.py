"""What `%%remote` does with a cell, and how a notebook shows a run.

The words are parsed by `parsing.py`, the waiting is `follow.py`, the looks are `display.py`; this module
joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jupyter_remote

from .bringing import bring_variables, show_moved
from .call import Start, describe_dry_run, one_host, run_arguments, start_or_say, typed
from .detached import show_detached
from .display import NotebookSink, RemoteResult, show_kept, show_status
from .errors import UsageError
from .follow import follow
from .link_line import LinkLine
from .notebook import notebook_path, session_name
from .options import CELL
from .parsing import Values, parse, split_line
from .pulling import bring_artifacts

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .remote import Remote
    from .run import Run


def run_cell(shell: InteractiveShell, line: str, cell: str) -> RemoteResult | Run | None:
    """Run `cell` as `line` says; return the value of its last expression, or the run that was detached.

    Raises:
        UsageError, ConfigError: the line or the configuration is wrong; nothing was run.
        RunError: the code failed on the host.
        RemoteError: the host could not be used.
    """
    typed.set(f"%%remote {line}")
    values = parse(CELL, split_line(line))
    host = one_host(values["hosts"])
    if not cell.strip():
        raise UsageError(f"the cell is empty: write below the %%remote line what {host} is to run")
    session = values["session"] or session_name(shell.user_ns)
    remote = _connect(host)
    send, fetch = _variables(shell, values)
    if values["dry_run"]:
        print(describe_dry_run(remote, _what(values, session), values))
        return None
    start = _starter(remote, cell, session, values, notebook_path(shell.user_ns), send, fetch)
    lasting = not (values["fresh"] or values["bash"] or values["script"])
    if values["detach"]:
        return _detach(shell, remote, start)
    run, sink = _show(shell, remote, start, session if lasting else "", values)
    run.check()
    if fetch:
        bring_variables(shell.user_ns, run, values["quiet"])
    if sink.result is None or _silenced(cell):
        return None
    return sink.result


def show_run(
    shell: InteractiveShell, values_of: list[object], remote: Remote, start: Start, values: Values
) -> int:
    """Show a run in the cell (a `call.Show` once the first two are bound); return 0.

    Args:
        values_of: gets the value of its last expression, or the run that was detached.

    Raises:
        RunError: the program failed.
    """
    if values.get("detach"):
        values_of.append(_detach(shell, remote, start))
        return 0
    run, sink = _show(shell, remote, start, "", values)
    run.check()
    if sink.result is not None:
        values_of.append(sink.result)
    return 0


def _detach(shell: InteractiveShell, remote: Remote, start: Start) -> Run:
    run = start_or_say(start, remote.host.name)
    show_kept(run)
    shell.push({"_run": run}, interactive=False)  # type: ignore[no-untyped-call]
    show_detached(remote, run)
    return run


def _connect(host: str) -> Remote:
    return jupyter_remote.connect(host)


def _what(values: Values, session: str) -> str:
    if values["script"]:
        return f"the cell as {' '.join(values['script'])}"
    if values["bash"]:
        return "the cell with bash"
    return "the cell in a new process" if values["fresh"] else f"the cell in session {session}"


def _variables(shell: InteractiveShell, values: Values) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is sent, by name, and what is wanted."""
    for kind in ("bash", "script"):
        for option in ("send", "fetch"):
            if values[option] and values[kind]:
                raise UsageError(f"--{option} needs a session of Python's, so it can't go with --{kind}")
    if values["detach"] and values["fetch"]:
        raise UsageError("--fetch waits for the run, so it can't go with --detach")
    send, fetch = (tuple(dict.fromkeys(sum(values[option], ()))) for option in ("send", "fetch"))
    missing = [name for name in send if name not in shell.user_ns]
    if missing:
        raise UsageError(f"--send: {', '.join(missing)} is not defined here")
    return {name: shell.user_ns[name] for name in send}, fetch


def _starter(
    remote: Remote,
    cell: str,
    session: str,
    values: Values,
    notebook: str | None,
    send: dict[str, Any],
    fetch: tuple[str, ...],
) -> Start:
    arguments: dict[str, Any] = {**run_arguments(values), "notebook": notebook}
    if values["script"]:
        name, *words = values["script"]
        return lambda told: remote.run_script(name, cell, words, progress=told, **arguments)
    if values["bash"]:
        return lambda told: remote.run_bash(cell, progress=told, **arguments)
    return lambda told: remote.run_cell(
        cell,
        session=session,
        fresh=values["fresh"],
        progress=told,
        send=send,
        fetch=fetch,
        **arguments,
    )


def _show(
    shell: InteractiveShell, remote: Remote, start: Start, session: str, values: Values
) -> tuple[Run, NotebookSink]:
    host = remote.host.name
    run = start_or_say(start, host)
    show_kept(run)
    if not values["quiet"]:
        show_moved(run.sent, "sent", host)
    shell.push({"_run": run}, interactive=False)  # type: ignore[no-untyped-call]
    run.on_link = LinkLine()
    sink = NotebookSink(f"{host}/{session or run.record.get('session') or run.id}")
    follow(run, sink)
    if not values["quiet"]:
        show_status(run, kernel=getattr(shell, "kernel", None) is not None)
    bring_artifacts(remote, run, values["pull"], quiet=values["quiet"])
    return run, sink


def _silenced(cell: str) -> bool:
    """IPython's own rule: a value is not shown when the last token of the cell is a semicolon."""
    from IPython.core.displayhook import DisplayHook

    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(cell))  # type: ignore[no-untyped-call]
    except Exception:
        # The host ran what the local tokenizer can't read, for example syntax of a newer Python.
        return False
