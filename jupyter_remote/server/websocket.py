"""The websocket of events: who may, and what goes through it. What a page is told: `pages.py`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .api import AUTH_RESOURCE

if TYPE_CHECKING:
    from .app import RemoteServerApp
    from .pages import Page


class EventsHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):  # type: ignore[misc,unused-ignore]
    """One page's socket."""

    auth_resource = AUTH_RESOURCE
    template: ClassVar[str] = "/events"

    def initialize(self, extension: RemoteServerApp) -> None:
        self._extension = extension
        self._page: Page | None = None
        self._telling: asyncio.Task[None] | None = None

    def set_default_headers(self) -> None:
        """Those of `JupyterHandler` make no sense for a socket."""

    def get_compression_options(self) -> dict[str, Any] | None:
        """As the server's other sockets."""
        return self.settings.get("websocket_compression_options", None)

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade, after both questions: who is it, and may they."""
        user = self.current_user
        if user is None:
            raise web.HTTPError(403, "not logged in")
        if not await ensure_async(self.authorizer.is_authorized(self, user, "execute", AUTH_RESOURCE)):
            raise web.HTTPError(403, f"not authorized to execute on resource: {AUTH_RESOURCE}")
        await super().get(*args, **kwargs)

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """A page is there."""
        super().open(*args, **kwargs)
        from .pages import Page

        manager = self._extension.manager()
        since = self.get_query_argument("since", "")
        same = self.get_query_argument("server", "") == manager.hub.server
        known = int(since) if same and since.isascii() and since.isdigit() and len(since) < 16 else None
        self._page = Page(manager, self._send, known, check=self._extension.check_answers)
        self._telling = asyncio.create_task(self._page.run())
        self._telling.add_done_callback(self._over)

    async def on_message(self, message: str | bytes) -> None:
        """The page says what it wants."""
        if self._page is not None:
            await self._page.hear(message)

    def on_close(self) -> None:
        """The page is gone."""
        if self._telling is not None:
            self._telling.cancel()

    async def _send(self, text: str) -> None:
        await self.write_message(text)

    def _over(self, telling: asyncio.Task[None]) -> None:
        if telling.cancelled():
            return
        error = telling.exception()
        if error is not None and not isinstance(error, WebSocketClosedError):
            self.log.error("jupyter_remote: a page could not be told", exc_info=error)
            self.close(1011, "a fault of the server")
