"""A question to the user as a widget below a cell, for where a notebook's own prompt can't be used.

That is a thread in the background, or the callback of another widget. What is typed is taken out of the
widget at once, and the widget goes when it has been answered, so that no notebook is saved with it. Who asks,
and what the answer is for, is not known here.
"""

from __future__ import annotations

import contextlib
import html
import queue
import threading
import uuid
from collections.abc import Callable
from typing import Any

from .errors import PromptCancelled
from .transports.prompt import TRUST, Secret, kernel_here, kind_of, request_now

# A browser tells that Enter was pressed before it tells what stands in the box.
_VALUE_S = 1.0
# A wait without a time-out can't be interrupted on Windows.
_TICK_S = 0.5
_VIEW = "application/vnd.jupyter.widget-view+json"

# What the user did: `value` with the text, or `ok`, `cancel`, `yes`, `once`, `no`.
_Happened = tuple[str, str]

# The message of the cell that was executed last.
_last: dict[str, Any] = {}

# One after another: two boxes for passwords are told apart by nobody.
_one_at_a_time = threading.Lock()


def install(shell: Any) -> None:
    """Note which cell is executed: what a widget's callback asks is shown below that."""
    shell.events.register("pre_run_cell", _begins)


def uninstall(shell: Any) -> None:
    """Undo `install`."""
    if _begins in shell.events.callbacks.get("pre_run_cell", ()):
        shell.events.unregister("pre_run_cell", _begins)


def _begins(*_: object) -> None:
    kernel = kernel_here()
    request = {} if kernel is None else request_now(kernel)
    if kind_of(request) == "execute_request":
        _last.clear()
        _last.update(request)


def ask(prompt: str, *, secret: bool, cell: dict[str, Any]) -> str | None:
    """The answer, or None where no front end shows a widget, or its messages can't reach us.

    Args:
        prompt: the question; its last line is what is asked.
        secret: not shown while typed.
        cell: the message of the cell below which it appears.

    Raises:
        PromptCancelled: the user doesn't want to answer.
    """
    kernel = kernel_here()
    if kernel is None or not _watched(kernel):
        return None
    try:
        question = _Question(kernel, prompt, secret)
    except ImportError:
        return None
    if not question.heard_early and _handles_messages():
        question.close()
        return None  # this very thread would have to take the answer
    with _one_at_a_time, contextlib.closing(question):
        question.show(cell if kind_of(cell) == "execute_request" else dict(_last))
        return question.answer()


def _watched(kernel: Any) -> bool:
    """Whether somebody sits before the notebook: one that is only executed has no input."""
    return bool(getattr(kernel, "_allow_stdin", False)) or kind_of(request_now(kernel)) == "comm_msg"


def _handles_messages() -> bool:
    thread = threading.current_thread()
    return thread is threading.main_thread() or thread.name.startswith("subshell")


class _Question:
    """One prompt.

    Args:
        kernel: this process's.
        prompt: what is asked.
        secret: whether the answer is hidden.

    Raises:
        ImportError: ipywidgets is not installed.
    """

    def __init__(self, kernel: Any, prompt: str, secret: bool) -> None:
        self._kernel = kernel
        self._prompt = prompt
        self._happened: queue.Queue[_Happened] = queue.Queue()
        self._shown: dict[str, Any] = {}
        self.heard_early = True
        body, self._all = _widgets(prompt, secret, self._take)
        self._root = body
        for word, widget in self._all.items():
            self._hear_early(word, widget)

    def show(self, cell: dict[str, Any]) -> None:
        """Put it below the cell."""
        plain = self._prompt.strip().rpartition("\n")[2]
        self._shown = {
            "data": {"text/plain": plain, _VIEW: self._view()},
            "metadata": {},
            "transient": {"display_id": uuid.uuid4().hex},
        }
        self._cell = cell
        self._send("display_data", self._shown)

    def answer(self) -> Secret:
        """Wait for the answer.

        Raises:
            PromptCancelled: Cancel was pressed.
        """
        value: Secret | None = None
        pressed = False
        while True:
            word, text = self._next(_VALUE_S if pressed else None)
            if word == "value":
                value = Secret(text)
                self._empty()
            elif word == "ok":
                pressed = True
            elif word == "cancel":
                raise PromptCancelled(self._prompt)
            elif word in ("yes", "once", "no"):
                return Secret(word)
            if pressed and (value is not None or not word):
                return value or Secret()

    def close(self) -> None:
        """Take it out of the notebook, with what was typed. Never raises."""
        for widget in [*self._all.values(), *self._root.children, self._root]:
            with contextlib.suppress(Exception):
                if hasattr(widget, "placeholder"):
                    widget.value = ""
                for part in (getattr(widget, "style", None), widget.layout, widget):
                    if part is not None:
                        part.close()
        with contextlib.suppress(Exception):
            if self._shown:
                self._send("update_display_data", {**self._shown, "data": {"text/plain": ""}})

    def _empty(self) -> None:
        """Take what was typed out of the browser: a notebook that is saved meanwhile would hold it."""
        box = self._all["ok"]
        box.value = ""
        box.send_state("value")  # which the kernel may not have seen filled
        box.placeholder = "entered; press OK"

    def _next(self, patience: float | None) -> _Happened:
        while True:
            try:
                return self._happened.get(timeout=_TICK_S if patience is None else patience)
            except queue.Empty:
                if patience is not None:
                    return "", ""

    def _take(self, word: str, text: str = "") -> None:
        self._happened.put((word, text))

    def _view(self) -> dict[str, Any]:
        return {"version_major": 2, "version_minor": 0, "model_id": self._root.model_id}

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        # Not by `display`: what a widget's callback displays belongs to no cell and is not shown.
        parent = self._cell if kind_of(self._cell) == "execute_request" else request_now(self._kernel)
        self._kernel.session.send(self._kernel.iopub_socket, kind, content, parent=parent)

    def _hear_early(self, word: str, widget: Any) -> None:
        """Hear the front end before the kernel's own thread does, which may be busy with a cell.

        ipykernel 7.4 asks the comm which of its threads a message is for, in the thread that receives it.
        """
        comm = widget.comm
        route: Callable[..., Any] | None = getattr(comm, "_reply_subshell_for", None)
        if route is None:
            self.heard_early = False
            return

        def heard(data: Any, default: Any) -> Any:
            with contextlib.suppress(Exception):
                self._message(word, data)
            return route(data, default)

        comm._reply_subshell_for = heard

    def _message(self, word: str, data: Any) -> None:
        if data.get("method") == "custom" and data["content"].get("event") in ("click", "submit"):
            self._take("ok" if word == "pressed" else word)
        elif data.get("method") == "update" and (text := data["state"].get("value")):
            self._take("value", text)


def _widgets(prompt: str, secret: bool, take: Callable[..., None]) -> tuple[Any, dict[str, Any]]:
    """The whole, and what the user can do with it, by the word that stands for it."""
    import ipywidgets
    import traitlets

    class Box(ipywidgets.Password if secret else ipywidgets.Text):  # type: ignore[misc]
        # Without the echo: it would send what was typed to every front end of the kernel.
        value = traitlets.Unicode("").tag(sync=True, echo_update=False)

    trust = prompt.endswith(TRUST)
    text = prompt.removesuffix(TRUST) if trust else prompt
    head = ipywidgets.HTML(f"<pre style='white-space: pre-wrap'>{html.escape(text.strip())}</pre>")
    found: dict[str, Any] = {}
    if trust:
        labels = {"yes": "Trust and remember", "once": "Only this once", "no": "Refuse"}
    else:
        # By Enter in the box, or by the button beside it.
        box = found["ok"] = Box(continuous_update=False, layout={"width": "24em"})
        box.observe(lambda change: take("value", change["new"]) if change["new"] else None, "value")
        box.on_submit(lambda _: take("ok"))
        labels = {"pressed": "OK", "cancel": "Cancel"}
    for word, label in labels.items():
        button = found[word] = ipywidgets.Button(description=label, layout={"width": "auto"})
        meant = "ok" if word == "pressed" else word
        button.on_click(lambda _, meant=meant: take(meant))
    row = ipywidgets.HBox(list(found.values()))
    return ipywidgets.VBox([head, row]), found
