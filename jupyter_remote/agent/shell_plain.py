"""Runs cells where there is no IPython: the last expression is shown, displays and figures still come."""

from __future__ import annotations

import ast
import binascii
import builtins
import linecache
import os
import sys
import types
import warnings

from . import introspection

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    import asyncio
    from typing import Any, Callable

# inspect.CO_COROUTINE; a session must not wait 50 ms for inspect and asyncio, which few cells need.
CO_COROUTINE = 128

# The methods and their types as IPython's rich display protocol has them.
REPRS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
}


def mimebundle(value: object, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every form in which the object can show itself, by MIME type; binary ones in base64.

    Args:
        value: the object.
        metadata: gets what it says of its forms.
    """
    bundle: dict[str, Any] = {"text/plain": repr(value)}
    if isinstance(value, type):
        return bundle
    for method, mime in REPRS.items():
        shown = _call(value, method)
        if shown is not None:
            bundle[mime] = _base64(shown) if isinstance(shown, bytes) else shown
    many = _call(value, "_repr_mimebundle_")
    if isinstance(many, tuple):
        many, more = (*many, {})[:2]
        if metadata is not None and isinstance(more, dict):
            metadata.update(more)
    return dict(bundle, **many) if isinstance(many, dict) else bundle


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def _call(value: object, method: str) -> Any:
    # A broken repr must not fail the cell: the object has others.
    function = getattr(value, method, None)
    if not callable(function):
        return None
    try:
        shown = function()
    except Exception:
        return None
    return shown[0] if isinstance(shown, tuple) and method != "_repr_mimebundle_" else shown


class Handle:
    """A display that can be changed, as IPython's."""

    def __init__(self, display: Callable[..., object], display_id: str) -> None:
        self._display = display
        self.display_id = display_id

    def display(self, value: object, **options: Any) -> None:
        """Shows the value once more, under the same id."""
        self._display(value, display_id=self.display_id, **options)

    def update(self, value: object, **options: Any) -> None:
        """Shows the value in place of the one before."""
        self._display(value, display_id=self.display_id, update=True, **options)


class PlainShell:
    """A namespace and the loop's one step.

    Args:
        publish: called with the kind and the fields of each event.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._module = types.ModuleType("__main__")
        sys.modules["__main__"] = self._module
        self.namespace: dict[str, Any] = self._module.__dict__
        self.namespace["__builtins__"] = builtins
        # Modules of the user's find them there too.
        for function in (self.display, self.update_display, self.clear_output):
            setattr(builtins, function.__name__, function)
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        os.environ.setdefault("MPLBACKEND", "Agg")
        # plt.show() is no mistake here: the figures come at the end of the cell.
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")

    def run(self, code: str) -> str:
        """Runs one cell; returns ``ok``, ``error`` or ``interrupted``."""
        self._count += 1
        name = f"<cell {self._count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        try:
            self._execute(code, name)
            self._figures()
        except BaseException as error:  # SystemExit too: a cell must not end the session
            self._error(error, name)
            return "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
        return "ok"

    def hear(self, messages: str) -> str:
        """Nothing: widgets need IPython.

        Args:
            messages: what a front end says.
        """
        return "ok"

    def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """What may stand at the cursor."""
        return introspection.complete(self.namespace, code, cursor)

    def inspect(self, code: str, cursor: int, _detail: int) -> dict[str, Any]:
        """Help on what stands at the cursor."""
        return introspection.inspect(self.namespace, code, cursor)

    def _execute(self, code: str, name: str) -> None:
        tree = ast.parse(code, name)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        self._value(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        if isinstance(last, ast.Expr):
            expression = ast.Expression(last.value)
            value = self._value(compile(expression, name, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
            if value is not None:
                self.namespace["_"] = value
                metadata: dict[str, Any] = {}
                self._publish("result", data=mimebundle(value, metadata), metadata=metadata)

    def _value(self, code: types.CodeType) -> object:
        if code.co_flags & CO_COROUTINE:
            import asyncio

            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            return self._loop.run_until_complete(eval(code, self.namespace))
        return eval(code, self.namespace)

    def display(
        self,
        *values: object,
        raw: bool = False,
        metadata: dict[str, Any] | None = None,
        display_id: object = None,
        update: bool = False,
        **_: object,
    ) -> Handle | None:
        """Shows the values; with an id they can be changed later. Options as IPython's.

        Args:
            raw: the values are bundles of MIME types already.
            metadata: of the message.
            update: changes the one with that id.
        """
        if display_id is True:
            display_id = os.urandom(8).hex()
        kind = "update_display" if update else "display"
        transient = {} if display_id is None else {"display_id": str(display_id)}
        for value in values:
            more = dict(metadata or {})
            data = value if raw else mimebundle(value, more)
            self._publish(kind, data=data, metadata=more, transient=transient)
        return None if display_id is None else Handle(self.display, str(display_id))

    def update_display(self, value: object, *, display_id: str, **options: Any) -> None:
        """Shows the value in place of what that id shows."""
        self.display(value, display_id=display_id, update=True, **options)

    def clear_output(self, wait: bool = False) -> None:
        """Clears what the cell shows.

        Args:
            wait: until something else is shown.
        """
        self._publish("clear_output", wait=wait)

    def _figures(self) -> None:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        import io

        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            picture = io.BytesIO()
            figure.savefig(picture, format="png", bbox_inches="tight")
            data = {
                "text/plain": repr(figure),
                "image/png": _base64(picture.getvalue()),
            }
            self._publish("display", data=data, metadata={}, transient={})
        pyplot.close("all")

    def _error(self, error: BaseException, name: str) -> None:
        import traceback

        # The frames above the cell are ours and say nothing to its author.
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != name:
            frames = frames.tb_next
        lines = traceback.format_exception(type(error), error, frames)
        text = "".join(lines).rstrip("\n")
        self._publish("error", ename=type(error).__name__, evalue=str(error), traceback=[text])
