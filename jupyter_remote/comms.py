"""Widgets of a session in the local front end: their comms are opened here under the same ids.

What the host's widgets say comes as events of runs. What the front end says goes to the host as a small run
of its own, which is waited for while the kernel handles the message, as a local callback would be: by that
the front end knows whose outputs those are, and when to send the next value.
How a run looks is `display.py`'s.
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
from .errors import ConnectionLost, RemoteError, UsageError
from .follow import follow
from .link_line import LinkLine
from .ordering import new_run_id
from .run import Run, accepted
from .starting import PATIENCE_S
from .widget_states import TARGET, WidgetState, answer_pages

if TYPE_CHECKING:
    from comm.base_comm import BaseComm

    from .events import Event
    from .hostlink import HostLink
    from .remote import Remote

_sessions: dict[tuple[HostLink, str], Comms] = {}


def comms_of(remote: Remote, run: Run) -> Comms:
    """Return the comms of the session of `run`, in this kernel."""
    session = str(run.record.get("session"))
    if not _sessions:
        answer_pages(lambda: [one for comms in list(_sessions.values()) for one in comms.states()])
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
        self._states: dict[str, WidgetState] = {}
        self._turn = threading.RLock()
        self._lock = threading.Lock()
        self._later: list[dict[str, Any]] = []
        self._waiting = False
        self._capturing: set[str] = set()
        self._seen: str | None = None

    def states(self) -> list[tuple[str, WidgetState]]:
        """What its widgets are like, by their ids."""
        return list(self._states.items())

    # From the host.

    def __call__(self, event: Event) -> None:
        """Does to the local comm what was done to the host's; shows an error that an output widget took."""
        if event.kind == "error":
            if self._capturing:
                _show_error(event.data)
            return
        said = event.data
        name, action = str(said["comm_id"]), said["action"]
        data, metadata = self._here(name, said.get("data") or {}), said.get("metadata")
        buffers = [base64.b64decode(one) for one in said.get("buffers") or ()]
        local = self._open.get(name)
        if action == "open" and local is None:
            self._opened(name, str(said.get("target_name")), data, metadata, buffers)
        elif local is None:
            pass  # opened for another kernel
        elif action == "open":
            # A run that is shown once more: its widgets go through it all again.
            if "state" in data:
                self._send(local, {"method": "update", **data}, metadata, buffers)
        elif action == "msg":
            self._send(local, data, metadata, buffers)
        elif action == "close":
            del self._open[name]
            self._states.pop(name, None)
            local.close(data, metadata, buffers)

    def _here(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        # An output widget takes the outputs of one message, whose id the host could not know.
        state = data.get("state")
        if not isinstance(state, dict) or "msg_id" not in state:
            return data
        if state["msg_id"] != PARENT:
            self._capturing.discard(name)
            return data
        self._capturing.add(name)
        return {**data, "state": {**state, "msg_id": _kernel().get_parent()["header"]["msg_id"]}}

    def _send(self, local: BaseComm, data: dict[str, Any], metadata: Any, buffers: list[bytes]) -> None:
        if local.comm_id in self._states:
            self._states[local.comm_id].hear(data, buffers)
        local.send(data, metadata, buffers)

    def _opened(self, name: str, target: str, data: Any, metadata: Any, buffers: list[bytes]) -> None:
        from comm import create_comm

        local = create_comm(target_name=target, data=data, metadata=metadata, buffers=buffers, comm_id=name)
        local.on_msg(lambda message: self._heard("msg", message))
        local.on_close(lambda message: self._heard("close", message))
        self._open[name] = local
        if target == TARGET:
            self._states[name] = WidgetState(data, buffers)

    # From the front end.

    def _heard(self, action: str, message: dict[str, Any]) -> None:
        content = message["content"]
        if action == "msg" and self._answered(content["comm_id"], content.get("data") or {}, message):
            return
        said = {"action": action, "comm_id": content["comm_id"], "data": content.get("data")}
        said["metadata"] = message.get("metadata")
        said["buffers"] = [base64.b64encode(one).decode("ascii") for one in message.get("buffers") or ()]
        if action == "close":
            self._open.pop(said["comm_id"], None)
            self._states.pop(said["comm_id"], None)
        # A kernel with subshells handles messages in several threads. In a queue behind each other they would
        # be answered before they have run, and a page drops the outputs that come after the answer.
        with self._turn:
            with self._lock:
                if self._waiting:
                    self._later.append(said)
                    return
            self._say([said])

    def _answered(self, name: str, data: dict[str, Any], message: dict[str, Any]) -> bool:
        """Whether the host needn't hear it: a page that was loaded anew asks what a widget is like."""
        state, local = self._states.get(name), self._open.get(name)
        if state is None or local is None:
            return False
        if data.get("method") == "request_state":
            answer, buffers = state.update()
            local.send(answer, None, buffers)
            return True
        state.hear(data, message.get("buffers") or ())
        return False

    def _say(self, said: list[dict[str, Any]]) -> None:
        host = self._link.host.name
        try:
            for payload in _payloads(said):
                if len(payload) > MAX_PAYLOAD:
                    if _is_echo(payload):
                        continue
                    raise UsageError(f"{len(payload)} bytes are too much for one message")
                run = self._start(payload)
                if run is None:
                    self._gone()
                elif run.state == "queued" and not self._waiting:
                    self._follow_later(run)
                else:
                    self._follow(run)
        except RemoteError as error:
            print(f"{host}: a widget's callback: {error}", file=sys.stderr)

    def _start(self, payload: bytes) -> Run | None:
        """Returns the run that it becomes, None when the session is gone."""
        order = m.CallBack({"id": new_run_id(), "host": self._link.host.name}, self._session, self._seen)
        connection = self._link.connection()
        while True:
            # Sent again with the same id it is not heard twice.
            with suppress(ConnectionLost):
                stream = connection.request(order, payload)
                answer = stream.receive().message
                return None if isinstance(answer, m.Facts) else Run(self._link, accepted(answer), stream)
            connection = self._link.restore(LinkLine(meanwhile="a widget waits for it"), PATIENCE_S)

    def _follow(self, run: Run) -> None:
        shown = NotebookSink(f"{run.host}/{self._session}", run_id=run.id, widgets=self)

        def show(event: Event) -> None:
            shown(event)
            if event.kind == "error" and not self._capturing:
                _show_error(event.data)  # no cell raises it

        run.on_link = LinkLine()
        follow(run, show)
        self._seen = run.id

    def _follow_later(self, run: Run) -> None:
        """Waits in a thread: the session is busy with a detached run, and this kernel is not."""
        self._waiting = True

        def wait() -> None:
            try:
                self._follow(run)
            except RemoteError as error:
                print(f"{run.host}: a widget's callback: {error}", file=sys.stderr)
            while said := self._taken():
                self._say(said)

        # What comes of it belongs to the message that is being handled now.
        name, context = f"jupyter-remote widgets {run.id}", contextvars.copy_context()
        threading.Thread(target=context.run, args=(wait,), name=name, daemon=True).start()

    def _taken(self) -> list[dict[str, Any]]:
        with self._lock:
            said, self._later = self._later, []
            self._waiting = bool(said)
        return said

    def _gone(self) -> None:
        for local in list(self._open.values()):
            local.close()
        self._open.clear()
        self._states.clear()
        self._capturing.clear()


def _payloads(said: list[dict[str, Any]]) -> list[bytes]:
    whole = json.dumps(said).encode("ascii")
    if len(said) == 1 or len(whole) <= MAX_PAYLOAD:
        return [whole]
    return [json.dumps([one]).encode("ascii") for one in said]


def _is_echo(payload: bytes) -> bool:
    """Whether an output widget tells the host what the host itself has just shown in it."""
    states = [(one["data"] or {}).get("state") for one in json.loads(payload)]
    return all(isinstance(state, dict) and state.keys() == {"outputs"} for state in states)


def _show_error(error: dict[str, Any]) -> None:
    kernel = _kernel()
    content = {key: error.get(key) for key in ("ename", "evalue", "traceback")}
    kernel.send_response(kernel.iopub_socket, "error", content)


def _kernel() -> Any:
    return sys.modules["ipykernel.kernelapp"].IPKernelApp.instance().kernel
