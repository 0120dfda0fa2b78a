"""Widgets of a session in the local front end: their comms are opened here under the same ids.

What the host's widgets say comes as events of runs. What the front end says goes to the host as a small run
of its own, which is waited for while the kernel handles the message, as a local callback would be: by that
the front end knows whose outputs those are, and when to send the next value. How a run looks is `display.py`'s.
"""

from __future__ import annotations

import base64
import contextvars
import json
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.comms import PARENT
from .agent.wire import MAX_PAYLOAD
from .display import NotebookSink
from .errors import ConnectionLost, RemoteError
from .follow import follow
from .link_line import LinkLine
from .run import Run, accepted
from .starting import PATIENCE_S, new_run_id

if TYPE_CHECKING:
    from comm.base_comm import BaseComm

    from .hostlink import HostLink
    from .remote import Remote
    from .run import Event

_sessions: dict[tuple[HostLink, str], Comms] = {}


def comms_of(remote: Remote, run: Run) -> Comms:
    """Return the comms of the session of `run`, in this kernel."""
    session = str(run.record.get("session"))
    return _sessions.setdefault((remote.link, session), Comms(remote.link, session))


class Comms:
    """The comms of one session.

    Args:
        link: to its host.
        session: its name.
    """

    def __init__(self, link: HostLink, session: str) -> None:
        self._link = link
        self._session = session
        self._open: dict[str, BaseComm] = {}
        self._lock = threading.Lock()
        self._later: list[dict[str, Any]] = []
        self._busy = False
        self._seen: str | None = None

    # From the host.

    def __call__(self, event: dict[str, Any]) -> None:
        """Does to the local comm what was done to the host's."""
        name, action = str(event["comm_id"]), event["action"]
        data, metadata = _here(event.get("data") or {}), event.get("metadata")
        buffers = [base64.b64decode(one) for one in event.get("buffers") or ()]
        local = self._open.get(name)
        if action == "open" and local is None:
            self._opened(name, str(event.get("target_name")), data, metadata, buffers)
        elif local is None:
            pass  # opened for another kernel
        elif action == "open":
            # A run that is shown once more: its widgets go through it all again.
            if "state" in data:
                local.send({"method": "update", **data}, metadata, buffers)
        elif action == "msg":
            local.send(data, metadata, buffers)
        elif action == "close":
            del self._open[name]
            local.close(data, metadata, buffers)

    def _opened(self, name: str, target: str, data: Any, metadata: Any, buffers: list[bytes]) -> None:
        from comm import create_comm

        local = create_comm(target_name=target, data=data, metadata=metadata, buffers=buffers, comm_id=name)
        local.on_msg(lambda message: self._heard("msg", message))
        local.on_close(lambda message: self._heard("close", message))
        self._open[name] = local

    # From the front end.

    def _heard(self, action: str, message: dict[str, Any]) -> None:
        content = message["content"]
        said = {"action": action, "comm_id": content["comm_id"], "data": content.get("data")}
        said["metadata"] = message.get("metadata")
        said["buffers"] = [base64.b64encode(one).decode("ascii") for one in message.get("buffers") or ()]
        if action == "close":
            self._open.pop(said["comm_id"], None)
        with self._lock:
            if self._busy:
                self._later.append(said)
                return
        self._say([said])

    def _say(self, said: list[dict[str, Any]]) -> None:
        payload = json.dumps(said).encode("ascii")
        host = self._link.host.name
        if len(payload) > MAX_PAYLOAD:
            print(f"{host}: a widget's message of {len(payload)} bytes is too large to send", file=sys.stderr)
            return
        try:
            run = self._start(payload)
            if run is None:
                self._gone()
            elif run.state == "queued" and not self._busy:
                self._follow_later(run)
            else:
                self._follow(run)
        except RemoteError as error:
            print(f"{host}: the widget was not heard: {error}", file=sys.stderr)

    def _start(self, payload: bytes) -> Run | None:
        order = m.CallBack({"id": new_run_id(), "host": self._link.host.name}, self._session, self._seen)
        connection = self._link.connection()
        while True:
            # Sent again with the same id it is not heard twice.
            with suppress(ConnectionLost):
                stream = connection.request(order, payload)
                answer = stream.receive().message
                if isinstance(answer, m.Facts):
                    return None
                return Run(self._link, accepted(answer), stream)
            connection = self._link.restore(LinkLine(meanwhile="a widget waits for it"), PATIENCE_S)

    def _follow(self, run: Run) -> None:
        shown = NotebookSink(f"{run.host}/{self._session}", self)

        def show(event: Event) -> None:
            if event.kind == "error":
                _show_error(event.data)
            else:
                shown(event)

        run.on_link = LinkLine()
        follow(run, show)
        self._seen = run.id

    def _follow_later(self, run: Run) -> None:
        """Waits in a thread: the session is busy with a detached run, and this kernel is not."""
        self._busy = True

        def wait() -> None:
            try:
                self._follow(run)
                while said := self._taken():
                    self._say(said)
            except RemoteError as error:
                print(f"{run.host}: the widget was not heard: {error}", file=sys.stderr)
            finally:
                self._busy = False

        # What comes of it belongs to the message that is being handled now.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(wait,), name=f"jupyter-remote widgets {run.id}", daemon=True
        ).start()

    def _taken(self) -> list[dict[str, Any]]:
        with self._lock:
            said, self._later = self._later, []
            self._busy = bool(said)
        return said

    def _gone(self) -> None:
        for local in self._open.values():
            local.close()
        self._open.clear()


def _here(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a comm says, with the message that this kernel answers where the host could not know it."""
    state = data.get("state")
    if not isinstance(state, dict) or state.get("msg_id") != PARENT:
        return data
    return {**data, "state": {**state, "msg_id": _kernel().get_parent()["header"]["msg_id"]}}


def _show_error(error: dict[str, Any]) -> None:
    kernel = _kernel()
    content = {key: error.get(key) for key in ("ename", "evalue", "traceback")}
    kernel.send_response(kernel.iopub_socket, "error", content)


def _kernel() -> Any:
    return sys.modules["ipykernel.kernelapp"].IPKernelApp.instance().kernel
