"""Widgets of remote cells in a real kernel: what the front end is told, and what comes of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosts import await_true, local
from jupyter_client.manager import start_new_kernel
from test_fronts_local import Kernel, Message, kernel, workspace

import jupyter_remote

BAR = """
from tqdm.notebook import tqdm
print('a', flush=True)
for _ in tqdm(range(3), mininterval=0, desc='é'):
    print('b', flush=True)
print('c', flush=True)
"""
SLIDER = """
import ipywidgets
from IPython.display import display
slider, label = ipywidgets.IntSlider(), ipywidgets.Label()
def changed(change):
    if change['new'] == 13:
        raise ValueError('thirteen')
    print('now', change['new'], flush=True)
    label.value = str(2 * change['new'])
slider.observe(changed, 'value')
print(slider.comm.comm_id, label.comm.comm_id, flush=True)
display(slider, label)
"""
INTERACT = """
from ipywidgets import interact
@interact(x=(0, 10))
def f(x):
    print('x is', x, flush=True)
    assert x != 5, 'five'
    return x * x
"""
LOOP = "import os, time\nwhile not os.path.exists({go!r}): time.sleep(0.01)\n"


def said(messages: list[Message]) -> list[Any]:
    """What a front end was told: each kind with what it is about, ids by the order in which they came."""
    ids: dict[str, str] = {}
    told: list[Any] = []
    for one in messages:
        if one["kind"] == "comm_open":
            ids.setdefault(one["comm_id"], f"comm {len(ids)}")
        content: Any = {
            key: one.get(key) for key in ("name", "text", "comm_id", "target_name", "data", "ename")
        }
        state = (content["data"] or {}).get("state") or {}
        if "msg_id" in state:
            # The message whose outputs an output widget takes must be the one that is answered.
            state["msg_id"] = state["msg_id"] == one["parent"] if "parent" in one else bool(state["msg_id"])
        if "it/s]" in str(state.get("value")):
            state["value"] = "a rate"
        text = json.dumps(content)
        for key, name in ids.items():
            text = text.replace(key, name)
        told.append((one["kind"], text.partition("[00:")[0]))
    return told


def move(
    kernel: Kernel, comm_id: str, value: int, on_message: Callable[[Message], None] | None = None
) -> list[Message]:
    """Moves a slider as a front end does; returns all that comes of it."""
    return tell(kernel, comm_id, {"value": value}, on_message)


def tell(
    kernel: Kernel,
    comm_id: str,
    state: dict[str, Any],
    on_message: Callable[[Message], None] | None = None,
) -> list[Message]:
    """Changes a widget as a front end does; returns all that comes of it until the kernel is idle again."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    kernel.client.shell_channel.send(message)
    told: list[Message] = []
    while True:
        answer = kernel.client.get_iopub_msg(timeout=60)
        if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            told.append(
                {"kind": answer["msg_type"], **answer["content"], "parent": message["header"]["msg_id"]}
            )
            if told[-1].get("execution_state") == "idle":
                return [one for one in told if one["kind"] != "status"]
            if on_message is not None:
                on_message(told[-1])


def model(answer: Message, name: str) -> str:
    """The id of the model of that name that a cell has made."""
    (found,) = [
        one["comm_id"]
        for one in answer["outputs"]
        if one["kind"] == "comm_open" and one["data"]["state"]["_model_name"] == name
    ]
    return str(found)


@pytest.mark.parametrize("cell", [BAR, SLIDER, INTERACT.replace("5", "11")])
def test_a_cell_with_widgets_says_what_a_local_one_says(kernel: Kernel, cell: str) -> None:
    here = kernel.run(cell)
    there = kernel.run(f"%%remote local --quiet\n{cell}")
    assert (here["status"], there["status"]) == ("ok", "ok")
    assert said(there["outputs"]) == said(here["outputs"])
    assert "comm_open" in {one["kind"] for one in here["outputs"]}


def test_a_sliders_callback_runs_on_the_host_after_the_cell(kernel: Kernel) -> None:
    answer = kernel.run(f"%%remote local --quiet\n{SLIDER}import os\nhome = os.getpid()")
    slider, label = kernel.text(answer, "stdout").split()
    told = move(kernel, slider, 21)
    assert [one["kind"] for one in told] == ["comm_msg", "stream", "comm_msg"]
    assert told[1]["text"] == "now 21\n"
    assert (told[2]["comm_id"], told[2]["data"]["state"]) == (label, {"value": "42"})
    # Its variables are those of the session, an error is shown and ends nothing.
    assert kernel.text(kernel.run("%%remote local --quiet\nprint(slider.value)"), "stdout") == "21\n"
    assert [one.get("evalue") for one in move(kernel, slider, 13) if one["kind"] == "error"] == ["thirteen"]
    assert "now 14\n" in [one.get("text") for one in move(kernel, slider, 14)]


TWO = """
import ipywidgets, os, time
first, second = ipywidgets.IntSlider(), ipywidgets.IntSlider()
def moved(change):
    print('begin', change['new'], flush=True)
    while change['new'] == 2 and not os.path.exists(GO):
        time.sleep(0.01)
    print('end', change['new'], flush=True)
first.observe(moved, 'value')
second.observe(moved, 'value')
print(first.comm.comm_id, second.comm.comm_id, flush=True)
"""


def test_callbacks_of_two_threads_of_the_kernel_take_turns(kernel: Kernel, tmp_path: Path) -> None:
    client, go = kernel.client, tmp_path / "go"
    client.control_channel.send(client.session.msg("create_subshell_request"))
    subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
    answer = kernel.run(f"%%remote local --quiet\n{TWO.replace('GO', repr(str(go)))}")
    first, second = kernel.text(answer, "stdout").split()

    def send(comm_id: str, value: int) -> str:
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        message = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    told: dict[str, list[str]] = {}

    def until(what: str, of: str) -> None:
        while what not in told.get(of, []):
            message = client.get_iopub_msg(timeout=60)
            content = message["content"]
            said = content.get("execution_state") or content.get("text") or message["msg_type"]
            told.setdefault(message["parent_header"].get("msg_id"), []).extend(said.splitlines())

    # The first message still comes to the main thread, and makes the next come to the subshell's.
    until("idle", send(first, 1))
    slow = send(first, 2)
    until("begin 2", slow)
    after = send(second, 3)
    until("busy", after)
    go.touch()
    until("idle", slow)
    until("idle", after)
    # Nothing comes after the answer.
    assert [one for one in told[after] if one != "comm_msg"] == ["busy", "begin 3", "end 3", "idle"]
    assert [one for one in told[slow] if one != "comm_msg"] == ["busy", "begin 2", "end 2", "idle"]


def test_interact_shows_outputs_and_errors_in_its_own_place(kernel: Kernel) -> None:
    answers = []
    for line in ("", "%%remote local --quiet\n"):
        answer = kernel.run(line + INTERACT)
        assert answer["status"] == "ok"
        slider = model(answer, "IntSliderModel")
        told = [*answer["outputs"], *move(kernel, slider, 7), *move(kernel, slider, 5)]
        answers.append(said(told))
        assert [one["ename"] for one in told if one["kind"] == "error"] == ["AssertionError"] * 2
    assert answers[0] == answers[1]


def test_a_message_to_a_session_that_ended_closes_its_widgets(kernel: Kernel, workspace: Path) -> None:
    answer = kernel.run(f"%%remote local --quiet\n{SLIDER}")
    slider, label = kernel.text(answer, "stdout").split()
    remote = jupyter_remote.connect("local", workspace=workspace)
    remote.stop_sessions()
    told = move(kernel, slider, 1)
    assert {one["kind"] for one in told} == {"comm_close"}
    assert {slider, label} <= {one["comm_id"] for one in told}
    assert not [one for one in move(kernel, slider, 2) if "comm_id" in one]  # the kernel says: no such comm
    assert remote.info and not remote.sessions()


def test_a_restarted_session_does_not_know_the_widgets_of_the_one_before(kernel: Kernel) -> None:
    slider, _ = kernel.text(kernel.run(f"%%remote local --quiet\n{SLIDER}"), "stdout").split()
    kernel.run("%remote sessions stop local")
    kernel.run("%%remote local --quiet\nx = 1")
    told = move(kernel, slider, 1)
    assert [(one["kind"], one["comm_id"]) for one in told] == [("comm_close", slider)]
    assert kernel.text(kernel.run("%%remote local --quiet\nprint(x)"), "stdout") == "1\n"


def test_while_a_detached_run_has_the_session_the_kernel_stays_free(kernel: Kernel, tmp_path: Path) -> None:
    slider, label = kernel.text(kernel.run(f"%%remote local --quiet\n{SLIDER}"), "stdout").split()
    go = tmp_path / "go"
    kernel.run(f"%%remote local --detach\n{LOOP.format(go=str(go))}")
    assert move(kernel, slider, 3) == []
    assert move(kernel, slider, 4) == []
    assert kernel.run("1")["status"] == "ok"
    go.touch()
    values: list[str] = []

    def both() -> bool:
        answer = kernel.client.get_iopub_msg(timeout=60)
        if answer["msg_type"] == "comm_msg" and answer["content"]["comm_id"] == label:
            values.append(answer["content"]["data"]["state"]["value"])
        return len(values) == 2

    await_true(both)
    assert values == ["6", "8"]


def test_callbacks_are_no_runs_to_the_user_and_leave_at_most_one_directory(
    kernel: Kernel, workspace: Path
) -> None:
    slider, _ = kernel.text(kernel.run(f"%%remote local --quiet\n{SLIDER}"), "stdout").split()
    remote = jupyter_remote.connect("local", workspace=workspace)
    runs = Path(remote.info["state"]) / "runs"

    def heard(run: Path) -> bool:
        return bool(json.loads((run / "run.json").read_text())["kind"] == "callback")

    before = set(runs.iterdir())
    for value in range(1, 5):
        move(kernel, slider, value)
    assert len(set(runs.iterdir()) - before) == 1
    listed = kernel.run("%remote runs list --host local --limit 100000 --json")
    ids = {one["id"] for one in json.loads(kernel.text(listed, "stdout"))["runs"]}
    assert ids and not {one.name for one in runs.iterdir() if heard(one)} & ids


def test_a_run_that_is_attached_to_shows_its_widgets_in_another_kernel(
    kernel: Kernel, workspace: Path
) -> None:
    answer = kernel.run(f"%%remote local --quiet\n{SLIDER}")
    slider, label = kernel.text(answer, "stdout").split()
    name = kernel.text(kernel.run("print(_run.id)"), "stdout").strip()
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        other = Kernel(client)
        again = other.run(f"%remote attach {name} --quiet")
        assert said(again["outputs"]) == said(answer["outputs"])
        (update,) = [one for one in move(other, slider, 5) if one.get("comm_id") == label]
        assert update["data"]["state"] == {"value": "10"}
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_binary_state_goes_both_ways(kernel: Kernel) -> None:
    code = """
import ipywidgets
picture = ipywidgets.Image(value=bytes(range(256)) * 500, format='png')
back = ipywidgets.Image()
picture.observe(lambda change: setattr(back, 'value', change['new'][::-1]), 'value')
print(picture.comm.comm_id, back.comm.comm_id)
"""
    seen: list[tuple[str, bytes]] = []
    deserialize = kernel.client.session.deserialize

    def noted(*arguments: Any, **options: Any) -> Any:
        message = deserialize(*arguments, **options)
        seen.extend((message["content"]["comm_id"], bytes(one)) for one in message["buffers"])
        return message

    kernel.client.session.deserialize = noted
    answer = kernel.run(f"%%remote local --quiet\n{code}")
    picture, back = kernel.text(answer, "stdout").split()
    assert (picture, bytes(range(256)) * 500) in seen
    data = {"method": "update", "state": {}, "buffer_paths": [["value"]]}
    message = kernel.client.session.msg("comm_msg", {"comm_id": picture, "data": data})
    kernel.client.session.send(kernel.client.shell_channel.socket, message, buffers=[b"\0\xffab"])
    await_true(lambda: kernel.client.get_iopub_msg(timeout=60) and (back, b"ba\xff\0") in seen)


__all__ = ["kernel", "local", "workspace"]
