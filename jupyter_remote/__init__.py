"""Run notebook cells on remote hosts.

The whole public API is what `__all__` names; everything is imported on first use, so that
`import jupyter_remote` costs next to nothing. Start reading at `remote.py`.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which would be most of this module's import time
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from . import errors, hosts, metrics
    from .agent.version import VERSION as __version__
    from .campaigns.starting import campaign
    from .comparison import compare
    from .plots import plot
    from .pool import connect
    from .remote import Remote
    from .reports import report
    from .run import Run
    from .widgets.board import campaign_board
    from .widgets.picker import host_picker
    from .widgets.run_view import run_view
    from .widgets.runs_table import runs_table
    from .widgets.status import host_status

__all__ = [
    "Remote",
    "Run",
    "__version__",
    "campaign",
    "campaign_board",
    "compare",
    "connect",
    "errors",
    "host_picker",
    "host_status",
    "hosts",
    "load_ipython_extension",
    "metrics",
    "plot",
    "report",
    "run_view",
    "runs_table",
    "unload_ipython_extension",
]

# Name -> (module, attribute of it); an empty attribute means the module itself.
_LAZY = {
    "Remote": (".remote", "Remote"),
    "Run": (".run", "Run"),
    "__version__": (".agent.version", "VERSION"),
    "campaign": (".campaigns.starting", "campaign"),
    "campaign_board": (".widgets.board", "campaign_board"),
    "compare": (".comparison", "compare"),
    "connect": (".pool", "connect"),
    "errors": (".errors", ""),
    "host_picker": (".widgets.picker", "host_picker"),
    "host_status": (".widgets.status", "host_status"),
    "hosts": (".hosts", ""),
    "metrics": (".metrics", ""),
    "plot": (".plots", "plot"),
    "report": (".reports", "report"),
    "run_view": (".widgets.run_view", "run_view"),
    "runs_table": (".widgets.runs_table", "runs_table"),
}


def __getattr__(name: str) -> object:
    try:
        module_name, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    module = import_module(module_name, __name__)
    value: object = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """What a Jupyter server loads (it asks for this by name)."""
    from .server.app import RemoteServerApp

    return [{"module": "jupyter_remote.server.app", "app": RemoteServerApp}]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%remote` and `%remote` (IPython calls this for `%load_ext jupyter_remote`)."""
    from .magics import RemoteMagics

    unload_ipython_extension(shell)  # loaded twice, it must not send a cell twice
    shell.register_magics(RemoteMagics)
    from . import completion, default_host, inspection, prompt_widget

    completion.install(shell)
    inspection.install(shell)
    prompt_widget.install(shell)
    default_host.install()
    from .history import still_running

    if said := still_running(shell.user_ns):
        print(said)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Undo what :func:`load_ipython_extension` did to the shell; links and sessions stay."""
    from . import completion, default_host, inspection, prompt_widget

    completion.uninstall(shell)
    inspection.uninstall(shell)
    prompt_widget.uninstall(shell)
    default_host.uninstall()
    loaded = shell.magics_manager.registry.get("RemoteMagics")
    if loaded is not None:
        loaded.auto.off()
    for magics in shell.magics_manager.magics.values():
        for name in ("remote", "autoremote", "local"):
            magics.pop(name, None)
