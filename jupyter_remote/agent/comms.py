"""The worker's comms: what widgets say goes into the run's log, and what the front end says reaches them.

They are made by the package `comm`, which ipywidgets 8 uses; it gets ours when the user's code imports it, so
a session without widgets never does. Which session a message is for, and when it is handed over, is the
supervisor's business.
"""

from __future__ import annotations

import binascii
import importlib.util
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable

COMM = "comm"
# Stands for the message that the local kernel answers, whose id only the client knows: an output widget
# tells the front end by it which outputs are its own.
PARENT = "jupyter-remote/parent"


class Comms:
    """The comms of one session.

    Args:
        publish: called with the kind and the fields of each event.
        failed: shows the exception that is being handled.
    """

    def __init__(self, publish: Callable[..., None], failed: Callable[[], None]) -> None:
        self._publish = publish
        self._failed = failed
        self._manager: Any = None
        if COMM in sys.modules:
            self.register(sys.modules[COMM])
        else:
            sys.meta_path.insert(0, _AtImport(self.register))

    def register(self, package: ModuleType) -> None:
        """Makes the package's comms ours."""
        from comm.base_comm import BaseComm, CommManager

        publish = self._publish

        class Comm(BaseComm):  # type: ignore[misc, unused-ignore]
            """A comm whose other end is in the front end, behind the link."""

            kernel = _Kernel()

            def publish_msg(
                self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **more: Any
            ) -> None:
                event = {"action": msg_type[len("comm_") :], "comm_id": self.comm_id, "data": data or {}}
                if metadata:
                    event["metadata"] = metadata
                if buffers:
                    event["buffers"] = [bytes(one) for one in buffers]
                if more.get("target_name"):
                    event["target_name"] = more["target_name"]
                publish("comm", **event)

            def __del__(self) -> None:
                """Says nothing: garbage may be collected in the middle of an event."""

        manager = self._manager = CommManager()
        package.create_comm = Comm  # type: ignore[attr-defined]
        package.get_comm_manager = lambda: manager  # type: ignore[attr-defined]

    def hear(self, messages: list[dict[str, Any]]) -> str:
        """Gives messages of the front end to their comms; returns ``ok``, ``error`` or ``interrupted``."""
        outcome = "ok"
        for message in messages:
            try:
                self._hear(message)
            except KeyboardInterrupt:
                self._failed()
                return "interrupted"
            except BaseException:  # SystemExit too: a callback must not end the session
                self._failed()
                outcome = "error"
        return outcome

    def _hear(self, message: dict[str, Any]) -> None:
        name = message["comm_id"]
        comm = self._manager.comms.get(name) if self._manager is not None else None
        if comm is None:
            # It belonged to an interpreter that is gone, or was closed meanwhile.
            self._publish("comm", action="close", comm_id=name, data={})
            return
        heard = {
            "content": {"comm_id": name, "data": message.get("data") or {}},
            "metadata": message.get("metadata") or {},
            "buffers": [binascii.a2b_base64(one) for one in message.get("buffers") or ()],
            **_Kernel.get_parent(),
        }
        if message["action"] == "close":
            self._manager.comm_close(None, None, heard)
        else:
            comm.handle_msg(heard)


class _Kernel:
    """What of a kernel an output widget asks its comm for."""

    @staticmethod
    def get_parent() -> dict[str, Any]:
        """The request that is being answered."""
        return {"header": {"msg_id": PARENT}}


class _AtImport:
    """A finder that lets the package be found by the others, and is told when it has been executed."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """The package's own spec, with a loader that tells."""
        if name != COMM:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)
            return None
        spec.loader = _Loader(spec.loader, self._imported)  # type: ignore[assignment]
        return spec


class _Loader:
    """Another loader, and what comes after it."""

    def __init__(self, loader: Any, loaded: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._loaded = loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Executes the module, then tells."""
        self._loader.exec_module(module)
        self._loaded(module)
