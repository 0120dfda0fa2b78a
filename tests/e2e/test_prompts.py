"""What a host asks, answered in a real JupyterLab: at the notebook's prompt, and by the widget."""

from __future__ import annotations

import os

import pytest
from conftest import Open
from lab import Notebook
from playwright.sync_api import Locator, expect
from sshd import HOST, SshHost, ssh_host
from test_second_factor import PASSWORD, code, two

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root: it makes a PAM service"),
]

# A thread in the background connects, while the cell waits for it: no prompt of the notebook's is possible.
CONNECT = """import threading, jupyter_remote
from jupyter_remote.errors import RemoteError
said = []
def connect():
    try:
        said.append(jupyter_remote.connect({host!r}).connection().hello['python'])
    except RemoteError as error:
        said.append(error.message)
thread = threading.Thread(target=connect)
thread.start()
"""
BUSY = CONNECT + "thread.join()\nprint(said)"


def box(lab: Notebook, cell: int) -> Locator:
    return lab.output(cell).locator("input[type=password]")


def saved(lab: Notebook) -> str:
    lab.save()
    return lab.path.read_text(encoding="utf-8")


def test_a_password_and_a_code_at_the_notebooks_prompt(notebook: Open, two: SshHost) -> None:
    lab = notebook(["%%remote two --quiet\nprint(6 * 7)", "%remote sessions stop two"])
    lab.start(1)
    for name, answer in (("Password", PASSWORD), ("Verification code", code())):
        prompt = lab.output(1).locator(".jp-Stdin", has_text=name)
        field = prompt.locator("input[type=password]")
        field.fill(answer)
        lab.picture()
        field.press("Enter")
    lab.ended(1)
    expect(lab.output(1)).to_contain_text("42")
    assert PASSWORD not in saved(lab)
    lab.run(2)


def test_the_same_by_a_widget_while_the_cell_runs(notebook: Open, two: SshHost) -> None:
    lab = notebook([BUSY.format(host="two")])
    lab.start(1)
    field = box(lab, 1)
    expect(lab.output(1)).to_contain_text("Password")
    field.fill(PASSWORD)
    # Left without Enter, and the notebook saved: what was typed must not be in it.
    field.press("Tab")
    expect(field).to_have_value("")
    assert PASSWORD not in saved(lab)
    lab.picture()
    lab.output(1).get_by_role("button", name="OK").click()
    expect(lab.output(1)).to_contain_text("Verification code")
    box(lab, 1).fill(code())
    box(lab, 1).press("Enter")
    lab.ended(1)
    expect(lab.output(1)).to_contain_text("['3.")
    expect(box(lab, 1)).to_have_count(0)
    text = saved(lab)
    assert PASSWORD not in text and "PasswordModel" not in text and "widget-view" not in text


def test_when_no_cell_runs(notebook: Open, two: SshHost) -> None:
    lab = notebook([CONNECT.format(host="two"), "thread.join()\nprint(said)"])
    lab.run(1)
    for answer in (PASSWORD, code()):
        name = "Password" if answer == PASSWORD else "Verification code"
        expect(lab.output(1)).to_contain_text(name)
        box(lab, 1).fill(answer)
        box(lab, 1).press("Enter")
    expect(box(lab, 1)).to_have_count(0)
    lab.run(2)
    expect(lab.output(2)).to_contain_text("['3.")


def test_a_wrong_code_and_a_cancelled_prompt(notebook: Open, two: SshHost) -> None:
    lab = notebook([BUSY.format(host="two")])
    lab.start(1)
    for name, answer in (("Password", PASSWORD), ("Verification code", "000000")):
        expect(lab.output(1)).to_contain_text(name)
        box(lab, 1).fill(answer)
        box(lab, 1).press("Enter")
    expect(lab.output(1)).to_contain_text("Password")
    lab.output(1).get_by_role("button", name="Cancel").click()
    lab.ended(1)
    expect(lab.output(1)).to_contain_text("cancelled at the question")


BUTTON = """import ipywidgets, jupyter_remote
button, label = ipywidgets.Button(description='Connect'), ipywidgets.Label()
def clicked(_):
    label.value = 'Python ' + jupyter_remote.connect('two').connection().hello['python']
button.on_click(clicked)
ipywidgets.HBox([button, label])
"""


def test_the_button_of_another_widget_connects(notebook: Open, two: SshHost) -> None:
    lab = notebook([BUTTON])
    lab.run(1)
    lab.output(1).get_by_role("button", name="Connect").click()
    for name, answer in (("Password", PASSWORD), ("Verification code", code())):
        expect(lab.output(1)).to_contain_text(name)
        box(lab, 1).fill(answer)
        box(lab, 1).press("Enter")
    expect(lab.output(1)).to_contain_text("Python 3.")
    expect(box(lab, 1)).to_have_count(0)


def test_a_host_of_the_picker_is_tested(notebook: Open, two: SshHost) -> None:
    lab = notebook(["import jupyter_remote\njupyter_remote.host_picker()"])
    lab.run(1)
    lab.output(1).get_by_placeholder("Enter chooses").fill("two")
    expect(lab.output(1).locator("select option")).to_have_count(2)  # and key-and-two
    lab.output(1).get_by_role("button", name="Test").click()
    for name, answer in (("Password", PASSWORD), ("Verification code", code())):
        expect(lab.output(1)).to_contain_text(name)
        box(lab, 1).fill(answer)
        lab.picture()
        box(lab, 1).press("Enter")
    expect(lab.output(1)).to_contain_text("%remote doctor two")
    expect(lab.output(1)).to_contain_text("✓ leftovers")
    expect(lab.output(1)).not_to_contain_text("No such comm")  # what others say meanwhile is theirs
    assert PASSWORD not in saved(lab)


def test_an_unknown_host_key(notebook: Open, ssh_host: SshHost) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port)
    before = ssh_host.known_hosts.read_text()
    lab = notebook([BUSY.format(host="new")] * 2)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("ssh-ed25519 SHA256:")
    lab.picture()
    lab.output(1).get_by_role("button", name="Refuse").click()
    lab.ended(1)
    expect(lab.output(1)).to_contain_text("was not accepted")
    assert ssh_host.known_hosts.read_text() == before
    lab.start(2)
    lab.output(2).get_by_role("button", name="Trust and remember").click()
    lab.ended(2)
    expect(lab.output(2)).to_contain_text("['3.")
    assert ssh_host.known_hosts.read_text() == before + f"[{HOST}]:{server.port} {server.public_keys[0]}\n"


__all__ = ["ssh_host", "two"]
