"""The prompt that is a widget, in a real kernel: answered, cancelled, while a cell runs and while none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosts import await_true
from jupyter_client.blocking.client import BlockingKernelClient
from test_fronts_local import Kernel, Message, kernel, workspace

VIEW = "application/vnd.jupyter.widget-view+json"
PROMPT = "Two steps\\nme@host: Code: "
# A background thread asks, and writes down what it was told.
ASK = """
import pathlib, threading, time
from jupyter_remote.errors import PromptCancelled
from jupyter_remote.transports.prompt import TRUST, FrontPrompter
said, front = pathlib.Path({said!r}), FrontPrompter()
def ask():
    try: answer = front.ask({prompt}, secret={secret})
    except PromptCancelled as error: answer = str(error)
    said.write_text(repr(answer) + '|' + str(answer))
thread = threading.Thread(target=ask)
thread.start()
"""
BUSY = "while thread.is_alive(): time.sleep(0.01)\nthread.join()\n"


class Front:
    """Does what a browser does with a prompt.

    Args:
        client: of the kernel.
        act: what the user does once the prompt is there.
    """

    def __init__(self, client: BlockingKernelClient, act: Callable[[Front], None]) -> None:
        self.client = client
        self.models: dict[str, str] = {}
        self.opened: set[str] = set()
        self.closed: set[str] = set()
        self.messages: list[Message] = []
        self._act = act

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        content, kind = message["content"], message["msg_type"]
        if kind == "comm_open":
            state = content["data"]["state"]
            name = state.get("description") or state["_model_name"]
            self.models[name] = content["comm_id"]
            self.opened.add(content["comm_id"])
        elif kind == "comm_close":
            self.closed.add(content["comm_id"])
        elif kind == "display_data" and VIEW in content["data"]:
            self._act(self)

    def type(self, text: str) -> None:
        name = "PasswordModel" if "PasswordModel" in self.models else "TextModel"
        self._send(name, {"method": "update", "state": {"value": text}, "buffer_paths": []})

    def enter(self) -> None:
        name = "PasswordModel" if "PasswordModel" in self.models else "TextModel"
        self._send(name, {"method": "custom", "content": {"event": "submit"}})

    def press(self, button: str) -> None:
        self._send(button, {"method": "custom", "content": {"event": "click"}})

    def of(self, kind: str) -> list[Any]:
        return [message["content"] for message in self.messages if message["msg_type"] == kind]

    def _send(self, name: str, data: Any) -> None:
        content = {"comm_id": self.models[name], "data": data}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))


def run(kernel: Kernel, code: str, act: Callable[[Front], None]) -> Front:
    front = Front(kernel.client, act)
    reply = kernel.client.execute_interactive(code, output_hook=front, allow_stdin=True, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return front


def by_enter(front: Front) -> None:
    front.enter()  # a browser tells in this order
    front.type("123 456")


def by_button(front: Front) -> None:
    front.type("123 456")
    front.press("OK")


@pytest.mark.slow
@pytest.mark.parametrize("act", [by_enter, by_button])
def test_it_is_answered_while_a_cell_runs_and_nothing_stays(
    kernel: Kernel, tmp_path: Path, act: Callable[[Front], None]
) -> None:
    said = tmp_path / "said"
    front = run(kernel, ASK.format(said=str(said), prompt=f'"{PROMPT}"', secret=True) + BUSY, act)
    assert said.read_text() == "<an answer>|123 456"
    assert front.closed == front.opened  # every model, boxes and layouts
    (shown,) = front.of("display_data")
    (gone,) = front.of("update_display_data")
    assert shown["transient"] == gone["transient"] and gone["data"] == {"text/plain": ""}
    # What the kernel tells all its front ends: not even an echo.
    assert "123 456" not in json.dumps([message["content"] for message in front.messages])
    assert kernel.text(kernel.run("print('goes on')"), "stdout") == "goes on\n"


@pytest.mark.slow
def test_it_is_answered_when_no_cell_runs(kernel: Kernel, tmp_path: Path) -> None:
    said = tmp_path / "said"
    front = Front(kernel.client, by_button)
    client = kernel.client
    client.execute(ASK.format(said=str(said), prompt=f'"{PROMPT}"', secret=True), allow_stdin=True)
    while not front.of("update_display_data"):
        front(client.get_iopub_msg(timeout=30))
    await_true(said.exists)
    assert await_true(said.read_text) == "<an answer>|123 456"


@pytest.mark.slow
def test_cancel_says_so(kernel: Kernel, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = ASK.format(said=str(said), prompt=f'"{PROMPT}"', secret=True) + BUSY
    front = run(kernel, code, lambda front: front.press("Cancel"))
    assert "cancelled at the question `me@host: Code`" in said.read_text()
    assert front.closed == front.opened


@pytest.mark.slow
@pytest.mark.parametrize(
    ("button", "answer"), [("Trust and remember", "yes"), ("Only this once", "once"), ("Refuse", "no")]
)
def test_a_host_key_has_three_buttons(kernel: Kernel, tmp_path: Path, button: str, answer: str) -> None:
    said = tmp_path / "said"
    prompt = "'The host <b> shows\\n  ssh-ed25519 SHA256:abc\\n' + TRUST"
    code = ASK.format(said=str(said), prompt=prompt, secret=False) + BUSY
    front = run(kernel, code, lambda front: front.press(button))
    assert said.read_text().endswith(f"|{answer}")
    opened = [content["data"]["state"] for content in front.of("comm_open")]
    (shown,) = [state["value"] for state in opened if state["_model_name"] == "HTMLModel"]
    assert "SHA256:abc" in shown and "&lt;b&gt;" in shown


@pytest.mark.slow
def test_a_callback_of_another_widget_can_ask(kernel: Kernel, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = ASK.format(said=str(said), prompt=f'"{PROMPT}"', secret=True).replace("thread.start()", "")
    # Nothing but the callback knows the prompter; a notebook shows what belongs to a cell.
    code = code.replace("front.ask", "FrontPrompter().ask")
    code += (
        "import ipywidgets\nbutton = ipywidgets.Button(description='Connect')\n"
        "button.on_click(lambda _: ask())"
    )
    front = run(kernel, code, lambda front: None)
    (cell,) = {message["parent_header"]["msg_id"] for message in front.messages}
    front._act = by_button
    front.press("Connect")
    while not front.of("update_display_data"):
        front(kernel.client.get_iopub_msg(timeout=30))
    assert await_true(lambda: said.exists() and said.read_text()) == "<an answer>|123 456"
    shown = [message for message in front.messages if "display_data" in message["msg_type"]]
    assert [message["parent_header"]["msg_id"] for message in shown] == [cell, cell]


@pytest.mark.slow
def test_nobody_before_the_notebook_is_asked_nothing(kernel: Kernel, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = ASK.format(said=str(said), prompt=f'"{PROMPT}"', secret=True) + BUSY
    reply = kernel.client.execute_interactive(code, allow_stdin=False, timeout=60)
    assert reply["content"]["status"] == "ok"
    assert said.read_text() == "None|None"


__all__ = ["kernel", "workspace"]
