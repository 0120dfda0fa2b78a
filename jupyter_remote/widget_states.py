"""What the widgets of hosts are like now, for a page that is loaded anew and asks the kernel for them.

A page asks for all widgets at once, or each for its own state; both are answered here: the host may be busy
for hours, and one widget without an answer would keep all others from being shown.
How widgets and their host speak with each other is `comms.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comm.base_comm import BaseComm

TARGET = "jupyter.widget"
# What a page opens to ask for all of them; ipywidgets answers for its own.
CONTROL = "jupyter.widget.control"

Path = tuple[Any, ...]


class WidgetState:
    """The state of one widget, kept up by what its host and the page say.

    Args:
        data: what it was opened with.
        buffers: the binary parts of that.
    """

    def __init__(self, data: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        self._state: dict[str, Any] = {}
        self._buffers: dict[Path, bytes] = {}
        self._change(data, buffers)

    def hear(self, data: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        """Take a message of either side; only those that change the state count."""
        if data.get("method") in ("update", "echo_update"):
            self._change(data, buffers)

    def update(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return the message that tells the whole state, and its buffers."""
        paths = [list(path) for path in self._buffers]
        data = {"method": "update", "state": dict(self._state), "buffer_paths": paths}
        return data, list(self._buffers.values())

    def _change(self, data: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        state, paths = data.get("state") or {}, [tuple(path) for path in data.get("buffer_paths") or ()]
        changed = {*state, *(path[0] for path in paths)}
        kept = {path: one for path, one in self._buffers.items() if path[0] not in changed}
        self._buffers = {**kept, **dict(zip(paths, map(bytes, buffers), strict=False))}
        self._state = {**{key: one for key, one in self._state.items() if key not in changed}, **state}


def answer_pages(states: Callable[[], Iterable[tuple[str, WidgetState]]]) -> None:
    """Have the widgets of hosts be among those that a page is told of.

    Args:
        states: all there are, with their ids.
    """
    from comm import get_comm_manager

    # Imported later it would take the place of ours.
    from ipywidgets import Widget

    def opened(comm: BaseComm, message: dict[str, Any]) -> None:
        Widget.handle_control_comm_opened(_Joined(comm, states), message)

    get_comm_manager().register_target(CONTROL, opened)


class _Joined:
    """What ipywidgets takes for the page's comm: it adds the widgets of hosts to what is sent."""

    def __init__(self, comm: BaseComm, states: Callable[[], Iterable[tuple[str, WidgetState]]]) -> None:
        self._comm = comm
        self._states = states
        self.on_msg = comm.on_msg

    def send(self, data: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send the states of all widgets."""
        states, paths, parts = dict(data["states"]), list(data["buffer_paths"]), list(buffers)
        for name, one in self._states():
            update, more = one.update()
            state = update["state"]
            states[name] = {
                **{
                    key: state.get(f"_{key}")
                    for key in ("model_name", "model_module", "model_module_version")
                },
                "state": state,
            }
            paths += [[name, "state", *path] for path in update["buffer_paths"]]
            parts += more
        self._comm.send({**data, "states": states, "buffer_paths": paths}, buffers=parts)
