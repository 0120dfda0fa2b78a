"""All routes there are, the exact ones first; what is tested of routes goes through this list."""

from __future__ import annotations

from typing import Any

from .belonging_handlers import HANDLERS as BELONGING_HANDLERS
from .handlers import HANDLERS as HOST_HANDLERS
from .run_handlers import HANDLERS as RUN_HANDLERS
from .websocket import EventsHandler

# `/hosts/{host}/{action}` would take the names of the more exact ones for actions.
ROUTES: tuple[type[Any], ...] = (*BELONGING_HANDLERS, *HOST_HANDLERS, *RUN_HANDLERS, EventsHandler)
