"""Widgets of a session in pages that are loaded anew, in saved notebooks, over links that break."""

from __future__ import annotations

import getpass
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hosts import Place, await_true
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from proxy import Proxy
from sshd import HOST, SshHost
from test_fronts_local import Kernel, Message
from test_widgets import BAR, LOOP, SLIDER, kernel, move, tell, workspace

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


__all__ = ["kernel", "workspace"]
