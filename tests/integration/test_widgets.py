"""Widgets of remote cells in a real kernel: what the front end is told, and what comes of its answers."""

from __future__ import annotations

import getpass
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hosts import Place, await_true, local
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from proxy import Proxy
from sshd import HOST, SshHost
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


PICTURE = "import ipywidgets\npicture = ipywidgets.Image(value=b'\\0\\xff' * 9, width='7')"


def ask_all(kernel: Kernel) -> dict[str, Any]:
    """The states of all widgets by their ids, as a page asks for them that is loaded anew."""
    session, shell = kernel.client.session, kernel.client.shell_channel
    name = uuid.uuid4().hex
    content = {"comm_id": name, "target_name": "jupyter.widget.control", "data": {}}
    shell.send(session.msg("comm_open", content, metadata={"version": "1.0.0"}))
    shell.send(session.msg("comm_msg", {"comm_id": name, "data": {"method": "request_states"}}))
    while True:
        answer = kernel.client.get_iopub_msg(timeout=60)
        if answer["msg_type"] == "comm_msg" and answer["content"]["comm_id"] == name:
            data = answer["content"]["data"]
            assert data["method"] == "update_states"
            for (widget, *path, last), one in zip(data["buffer_paths"], answer["buffers"], strict=True):
                into = data["states"][widget]
                for key in path:
                    into = into[key]
                into[last] = bytes(one)
            return dict(data["states"])


def test_a_page_that_is_loaded_anew_is_told_of_all_widgets(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(f"{PICTURE}\nhere = picture.comm.comm_id")
    shown = kernel.run(f"%%remote local --quiet\n{PICTURE}\nprint(picture.comm.comm_id)")
    slider, label = kernel.text(kernel.run(f"%%remote local --quiet\n{SLIDER}"), "stdout").split()
    move(kernel, slider, 21)
    here = str(kernel.run("here")["outputs"][0]["data"]["text/plain"]).strip("'")
    there = kernel.text(shown, "stdout").strip()
    # The host needn't answer: a run has the session.
    go = tmp_path / "go"
    kernel.run(f"%%remote local --detach\n{LOOP.format(go=str(go))}")
    states = ask_all(kernel)
    go.touch()
    for state in (states[here], states[there]):
        state["state"].pop("layout")
    assert states[there] == states[here] and states[there]["state"]["value"] == b"\0\xff" * 9
    assert states[slider]["state"]["value"] == 21
    assert states[label]["state"]["value"] == "42"
    # An older page asks each; a widget that is closed is not told of.
    data = {"method": "request_state"}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", {"comm_id": label, "data": data}))
    told = await_true(lambda: _update(kernel.client.get_iopub_msg(timeout=60), label))
    assert told["value"] == "42" and told["_model_name"] == "LabelModel"
    kernel.run("%%remote local --quiet\nlabel.close()")
    assert label not in ask_all(kernel)


def test_what_is_too_large_to_be_sent_is_said_unless_the_host_has_shown_it(kernel: Kernel) -> None:
    code = "import ipywidgets\nout = ipywidgets.Output()\nprint(out.comm.comm_id)"
    name = kernel.text(kernel.run(f"%%remote local --quiet\n{code}"), "stdout").strip()
    # Otherwise pyzmq would open descriptors for its own collector of messages, and keep them.
    kernel.client.session.copy_threshold = 1 << 30
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * (1 << 20)}
    for state, complaints in (({"outputs": [stream]}, []), ({"outputs": [stream], "more": 1}, ["stderr"])):
        assert [one.get("name") for one in tell(kernel, name, state)] == complaints


def _update(message: Message, comm_id: str) -> Any:
    content = message["content"]
    return message["msg_type"] == "comm_msg" and content["comm_id"] == comm_id and content["data"]["state"]


def test_a_session_without_widgets_does_not_import_what_they_need(local: Place) -> None:
    code = "import sys\nprint([name for name in ('comm', 'ipywidgets') if name in sys.modules])"
    assert local.printed(code) == "[]\n"
    code = "import comm\nprint(comm.__spec__.origin == comm.__file__, type(comm.create_comm()).__module__)"
    assert local.printed(code) == "True jupyter_remote_agent.comms\n"


def test_an_interrupt_reaches_the_callback(workspace: Path) -> None:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        kernel = Kernel(client)
        code = SLIDER.replace("label.value =", "while True: time.sleep(0.01)\n    label.value =")
        slider, _ = kernel.text(kernel.run(f"%%remote local --quiet\nimport time\n{code}"), "stdout").split()

        def interrupt(message: Message) -> None:
            if message.get("text") == "now 1\n":
                manager.interrupt_kernel()

        told = move(kernel, slider, 1, interrupt)
        assert [one["ename"] for one in told if one["kind"] == "error"] == ["KeyboardInterrupt"]
        assert kernel.text(kernel.run("%%remote local --quiet\nprint(slider.value)"), "stdout") == "1\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


@pytest.fixture
def ssh_workspace(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Proxy]]:
    """A project whose host, behind a real sshd, runs cells in the interpreter of the tests; and its link."""
    server = ssh_host.start_own("own")
    config = tmp_path / "config"
    config.mkdir()
    hosts = {"own": {"type": "ssh", "python": sys.executable}}
    (config / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    folder = tmp_path / "project"
    folder.mkdir()
    with Proxy(server.port) as proxy:
        ssh_host.alias("own", HostName=HOST, Port=proxy.port, User=getpass.getuser())
        with ssh_host.known_hosts.open("a") as file:
            file.writelines(f"[{HOST}]:{proxy.port} {key}\n" for key in server.public_keys)
        yield folder, proxy


def test_over_ssh_a_notebook_is_saved_with_its_widgets(ssh_workspace: tuple[Path, Proxy]) -> None:
    sources = [
        "%load_ext jupyter_remote",
        BAR,
        f"%%remote own --quiet\n{BAR}",
        f"%%remote own --quiet\n{SLIDER}",
        "%remote sessions stop own",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
    resources = {"metadata": {"path": str(ssh_workspace[0])}}
    NotebookClient(notebook, timeout=90, kernel_name="python3", resources=resources).execute()
    (here, there) = ([dict(one, kind=one.output_type) for one in notebook.cells[i].outputs] for i in (1, 2))
    assert [one["kind"] for one in there] == [one["kind"] for one in here]
    view = "application/vnd.jupyter.widget-view+json"
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    for cell in notebook.cells[1:4]:
        shown = [one["data"][view]["model_id"] for one in cell.outputs if view in one.get("data", {})]
        assert shown
        assert set(shown) <= set(models)
    bars = [one["state"] for one in models.values() if one["model_name"] == "FloatProgressModel"]
    assert [(bar["value"], bar["bar_style"]) for bar in bars] == [(3.0, "success")] * 2


def test_a_callback_outlives_its_link(ssh_workspace: tuple[Path, Proxy], tmp_path: Path) -> None:
    folder, proxy = ssh_workspace
    go = tmp_path / "go"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    code = f"import os, time\n{SLIDER.replace('label.value =', wait + chr(10) + '    label.value =')}"
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        kernel = Kernel(client)
        slider, label = kernel.text(kernel.run(f"%%remote own --quiet\n{code}"), "stdout").split()

        def cut(message: Message) -> None:
            if message.get("text") == "now 4\n":
                proxy.cut()
                go.touch()

        told = move(kernel, slider, 4, cut)
        assert [one["text"] for one in told if one.get("name") == "stdout"] == ["now 4\n"]
        updates = [one["data"]["state"] for one in told if one.get("comm_id") == label]
        assert updates == [{"value": "8"}]
        # Said over a link that has broken meanwhile, it is heard once too.
        proxy.cut()
        told = move(kernel, slider, 5)
        assert [one["text"] for one in told if one.get("name") == "stdout"] == ["now 5\n"]
        kernel.run("%remote sessions stop own")
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


__all__ = ["kernel", "local", "workspace"]
