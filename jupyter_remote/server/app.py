"""The extension as a server loads it: its settings and its routes. The rest is imported when it is used.

A server that starts with it pays some milliseconds; `benchmarks/` has the figure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Int

if TYPE_CHECKING:
    from .manager import Manager


class RemoteServerApp(ExtensionApp):
    """Hosts and runs for the pages of this server."""

    name = "jupyter_remote"
    extension_url = "/"
    load_other_extensions = True

    sample_interval = Float(1.0, min=0.2, help="Seconds between two samples of a host that is watched.").tag(
        config=True
    )
    idle_timeout = Float(600.0, min=1.0, help="Seconds after which an unused connection is closed.").tag(
        config=True
    )
    prompt_timeout = Float(300.0, min=1.0, help="Seconds that a question waits for an answer.").tag(
        config=True
    )
    output_limit = Int(
        1 << 30, min=1 << 20, help="Bytes of one run's output that are kept here; the oldest lines go."
    ).tag(config=True)
    check_answers = Bool(False, help="Compare all that is sent with rest-api.yml; for tests.").tag(
        config=True
    )

    _manager: Manager | None = None

    def initialize_handlers(self) -> None:
        """Adds the routes, the exact ones first."""
        from .api import BASE, NoSuchRoute
        from .routes import ROUTES

        shared = {"extension": self}
        routes: list[Any] = [(BASE + route(handler.template), handler, shared) for handler in ROUTES]
        self.handlers.extend([*routes, (BASE + "(?P<path>(?:/.*)?)", NoSuchRoute, shared)])

    def manager(self) -> Manager:
        """What answers; made with the first request, in the server's loop."""
        if self._manager is None:
            from .manager import Manager

            root = Path(self.serverapp.root_dir if self.serverapp is not None else ".")
            self._manager = Manager(
                root,
                interval=self.sample_interval,
                idle_timeout=self.idle_timeout,
                prompt_timeout=self.prompt_timeout,
                output_limit=self.output_limit,
            )
        return self._manager

    async def stop_extension(self) -> None:
        """Ends links and threads; runs go on."""
        manager, self._manager = self._manager, None
        if manager is not None:
            await manager.close()


def route(template: str) -> str:
    """The pattern for a path of rest-api.yml."""
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
