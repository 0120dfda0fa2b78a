"""What `%%remote` does with a cell, and how a notebook shows a run.

The words are parsed by `parsing.py`, the waiting is `follow.py`, the looks are `display.py`; this module
joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import jupyter_remote

from . import default_host
from .arriving import announcer, arriving, wanted
from .autoremote import OFF
from .bringing import bring_from_hosts, bring_variables, show_moved
from .call import Start, configuration, describe_dry_run, run_arguments, some_hosts, start_or_say, typed
from .detached import show_detached
from .display import NotebookSink, RemoteResult, show_kept, show_line, show_status
from .errors import UsageError
from .follow import follow
from .gpu_use import GpuUse
from .link_line import LinkLine
from .live_line import in_kernel
from .marks import tell_pages
from .notebook import cell_id, notebook_path, session_name
from .options import CELL
from .parsing import Values, parse, split_line
from .pulling import bring_artifacts
from .run_results import gather
from .status_line import StatusLine

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .autoremote import AutoRemote
    from .events import Event
    from .group import Part
    from .remote import Remote
    from .run import Run


def run_cell(shell: InteractiveShell, line: str, cell: str) -> RemoteResult | Run | dict[str, Run] | None:
    """Run `cell` as `line` says; return the value of its last expression, or what was detached.

    Raises:
        UsageError, ConfigError: the line or the configuration is wrong; nothing was run.
        RunError: the code failed on the host, or on some of several.
        RemoteError: the host could not be used.
    """
    typed.set(f"%%remote {line}")
    values = parse(CELL, split_line(line))
    hosts = some_hosts(values["hosts"] or _own_hosts(), quiet=values["quiet"])
    host = hosts[0]
    if not cell.strip():
        raise UsageError(f"the cell is empty: write below the %%remote line what {host} is to run")
    session = values["session"] or session_name(shell.user_ns)
    if len(hosts) > 1:
        return _run_together(shell, hosts, cell, session, values)
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


def run_marked(shell: InteractiveShell, line: str, cell: str) -> RemoteResult | Run | dict[str, Run] | None:
    """Run a cell that `%autoremote` sends, below a line that says where it goes: `→ dgx01`.

    Raises:
        RemoteError: as `run_cell`.
    """
    show_line(
        f"→ {parse(CELL, split_line(line))['hosts']}", kernel=getattr(shell, "kernel", None) is not None
    )
    return run_cell(shell, line, cell)


def switch(auto: AutoRemote, line: str) -> None:
    """Do what `%autoremote` is told: a host and options, `off`, or nothing to say how it stands.

    Raises:
        UsageError, ConfigError: the words are wrong; it is as it was.
    """
    words = split_line(line)
    if not words and (auto.line or not default_host.get()):
        print(f"cells go to: {auto.line}" if auto.line else "cells run here")
    elif words == [OFF]:
        auto.off()
        print("cells run here again")
    else:
        spec = parse(CELL, words, "%autoremote")["hosts"]
        if not spec:
            spec = _own_hosts()
            line = f"{spec} {line}"
        hosts = some_hosts(spec)
        # What `any` means is decided once: the cells of a notebook share their variables.
        auto.on(line.strip() if spec.partition(":")[0] != "any" else line.strip().replace(spec, hosts[0], 1))
        print(
            f"every following cell goes to {', '.join(hosts)}; %%local runs one here, %autoremote off ends it"
        )


def _own_hosts() -> str:
    """The hosts of cells that name none.

    Raises:
        UsageError: this notebook has no such choice.
    """
    if name := default_host.get():
        return name
    raise UsageError(
        f"no host named. Valid: {', '.join(configuration().names())}, or an alias of ~/.ssh/config; "
        "jupyter_remote.host_picker() chooses one for the notebook"
    )


def _run_together(
    shell: InteractiveShell, hosts: list[str], cell: str, session: str, values: Values
) -> dict[str, Run] | None:
    from .together import run_together  # most cells have one host

    notebook = notebook_path(shell.user_ns)
    send, fetch = _variables(shell, values)

    def starter(part: Part) -> Start:
        return _starter(part.remote, cell, part.session(session), part.values, notebook, send, fetch)

    runs = run_together(hosts, starter, _what(values, session), values)
    if fetch and runs:
        bring_from_hosts(shell.user_ns, runs, fetch, values["quiet"])
    return runs if values["detach"] else None


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
    if (this := cell_id()) is not None:
        arguments["notes"]["cell"] = this
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
    quiet = values["quiet"]
    with nullcontext() if quiet else StatusLine(host) as status:
        run = start_or_say(start, host, status.line if status else None)
        show_kept(run)
        if not quiet:
            show_moved(run.sent, "sent", host)
        shell.push({"_run": run}, interactive=False)  # type: ignore[no-untyped-call]
        if status is not None:
            status.of(run)
        tell_pages(run)
        run.on_link = LinkLine()
        run.on_job = status.job if status else None
        limit = values.get("output") or remote.host.output_limit
        scope = f"{host}/{session or run.record.get('session') or run.id}"
        sink = NotebookSink(scope, limit, run.id, widgets=_widgets(remote, run))
        if status is not None:
            status.gpus(GpuUse(remote, run))
        pull = wanted(run, values["pull"], attached=values.get("attached", False))
        with arriving(run, pull, announcer(host, sink.between_lines, quiet=quiet)):
            try:
                follow(run, status.before(sink, sink.between_lines) if status else sink)
            finally:
                sink.finish()
                tell_pages(run)
    if not quiet:
        show_status(run, kernel=getattr(shell, "kernel", None) is not None)
    bring_artifacts(remote, run, pull, quiet=quiet)
    gather(run)
    return run, sink


def _widgets(remote: Remote, run: Run) -> Callable[[Event], None] | None:
    if not in_kernel():
        return None
    known = False

    def take(event: Event) -> None:
        nonlocal known
        known = known or event.kind == "comm"
        if known:
            from .comms import comms_of  # most cells have no widgets

            comms_of(remote, run)(event)

    return take


def _silenced(cell: str) -> bool:
    """IPython's own rule: a value is not shown when the last token of the cell is a semicolon."""
    from IPython.core.displayhook import DisplayHook

    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(cell))  # type: ignore[no-untyped-call]
    except Exception:
        # The host ran what the local tokenizer can't read, for example syntax of a newer Python.
        return False
