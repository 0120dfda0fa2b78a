"""Runs cells in IPython's own shell, with its displays, results and tracebacks made into events."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import types

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.page import as_hook, display_page
from traitlets import Any as AnyTrait
from traitlets import Type as TypeTrait
from traitlets.config import Config

from .comms import Comms

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable


class Displays(DisplayPublisher):
    """``display()`` and its relatives."""

    publish_event = AnyTrait()

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,
        *,
        transient: Any = None,
        update: Any = False,
        **_: Any,
    ) -> None:
        """Sends one display, or the update of one."""
        kind = "update_display" if update else "display"
        self.publish_event(kind, data=data, metadata=metadata or {}, transient=transient or {})

    def clear_output(self, wait: bool = False) -> None:
        """Sends the wish to clear the output area.

        Args:
            wait: until something else is shown.
        """
        self.publish_event("clear_output", wait=wait)


class Results(DisplayHook):
    """The value of a cell's last expression."""

    publish_event = AnyTrait()

    def write_output_prompt(self) -> None:
        """No prompt: the local front end numbers its own cells."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Sends the result."""
        self.publish_event("result", data=format_dict, metadata=md_dict or {})

    def finish_displayhook(self) -> None:
        """Nothing to end: no prompt was written."""


class CellShell(InteractiveShell):
    """IPython without a terminal."""

    displayhook_class = TypeTrait(Results)
    display_pub_class = TypeTrait(Displays)
    publish_event: Any = None

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.publish_event("error", ename=etype.__name__, evalue=str(evalue), traceback=stb)

    def _tee(self, channel: Any) -> Any:
        # IPython 9 would keep every printed line in memory, through a Python function called for each.
        return contextlib.nullcontext()

    def enable_gui(self, gui: Any = None) -> None:
        """No event loop of a window system runs here."""


class IPythonShell:
    """One IPython shell for the session.

    Args:
        publish: called with the kind and the fields of each event.

    Raises:
        ImportError: IPython can't be used here.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        if importlib.util.find_spec("matplotlib_inline"):
            os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        config = Config()
        # The record of a run is its directory; IPython's own history would cost a database and a thread.
        config.HistoryManager.enabled = False
        config.InteractiveShell.banner1 = ""
        module = types.ModuleType("__main__")
        self._shell: Any = CellShell.instance(config=config, user_module=module)
        parts: list[Any] = [self._shell, self._shell.display_pub, self._shell.displayhook]
        for part in parts:
            part.publish_event = publish
        sys.modules["__main__"] = module
        self._comms = Comms(publish, self._shell.showtraceback)
        # `name?` is shown, never paged: a pager would ask the user to go on.
        self._shell.set_hook("show_in_pager", as_hook(display_page), 0)  # type: ignore[no-untyped-call]

    @property
    def namespace(self) -> dict[str, Any]:
        """The user's variables."""
        found: dict[str, Any] = self._shell.user_ns
        return found

    def run(self, code: str) -> str:
        """Runs one cell; returns ``ok``, ``error`` or ``interrupted``."""
        result = self._shell.run_cell(code, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return "ok"
        return "interrupted" if isinstance(error, KeyboardInterrupt) else "error"

    def hear(self, messages: str) -> str:
        """Gives messages of the front end to the widgets; returns as :meth:`run`."""
        return self._comms.hear(json.loads(messages))

    def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """What may stand at the cursor."""
        from IPython.core.completer import provisionalcompleter, rectify_completions

        completer = self._shell.Completer
        completer.use_jedi = False  # it reads files for seconds, and the objects themselves are here
        with provisionalcompleter():
            found = list(rectify_completions(code, completer.completions(code, cursor)))
        return {"matches": [[one.text, one.type or "", one.start, one.end] for one in found]}

    def inspect(self, code: str, cursor: int, detail: int) -> dict[str, Any]:
        """Help on what stands at the cursor.

        Args:
            detail: 1 for the source too.
        """
        from IPython.utils.tokenutil import token_at_cursor

        try:
            return {"data": self._shell.object_inspect_mime(token_at_cursor(code, cursor), detail)}
        except KeyError:
            return {}
