"""`forward` as a user has it: in a terminal and in a notebook."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_forward import Web, web

import jupyter_remote
from jupyter_remote import forward_records
from jupyter_remote.cli import main

# The fronts.

TERMINAL = [sys.executable, "-c", "import sys; from jupyter_remote.cli import main; sys.exit(main())"]


def test_a_terminal_shows_the_address_and_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    port = str(web.server_port)

    def start(*words: str) -> tuple[subprocess.Popen[str], str]:
        program = subprocess.Popen([*TERMINAL, "forward", *words], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        return program, program.stdout.readline()

    first, line = start("local", port)
    url = line.split()[0]
    assert line == f"{url} leads to local:{port} (port {port} is taken here)\n"
    second, _ = start("local", port)
    third, _ = start("local", port)
    with urllib.request.urlopen(f"{url}x", timeout=30) as answer:
        assert answer.read() == b"/x"

    def listed() -> list[int]:
        capsys.readouterr()
        assert main(["forward", "--list", "--json"]) == 0
        return [one["process"]["pid"] for one in json.loads(capsys.readouterr().out)["forwards"]]

    assert listed() == [first.pid, second.pid, third.pid]
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 0
    second.kill()
    second.wait(30)
    assert listed() == [third.pid], "one that was killed is not believed"
    assert main(["forward", "--stop", "gpu1"]) == 0 and third.poll() is None
    assert main(["forward", "--stop", "local", port]) == 0
    assert third.wait(30) == 0
    assert listed() == [] and not list(forward_records.folder().iterdir())
    for program in (first, second, third):
        assert program.stdout is not None
        program.stdout.close()


def test_a_notebook_goes_on_at_once(tmp_path: Path, web: Web) -> None:
    cells = [
        "%load_ext jupyter_remote",
        f"%remote forward local {web.server_port}",
        "import urllib.request, jupyter_remote.forward_records as known\n"
        "((_, facts),) = known.running()\n"
        "print(urllib.request.urlopen(facts['url'] + 'nb').read())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    (shown,) = notebook.cells[1].outputs
    url = shown.data["text/plain"].split()[0]
    assert f'<a href="{url}" target="_blank"' in shown.data["text/html"]
    assert notebook.cells[2].outputs[0].text == "b'/nb'\n"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=30)
    assert not list(forward_records.running())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("local",), "no port of local named"),
        (("local", "99999"), "99999 is not a port"),
        (("local", "80", "--to", "a:b"), "HOST, HOST:PORT or [IPV6]:PORT"),
        (("local", "80", "--local-port", "99999"), "99999 is not a port"),
        ((), "no host named"),
    ],
)
def test_wrong_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["forward", *words]) == 2
    assert said in capsys.readouterr().err
    jupyter_remote.connect("local").close()


__all__ = ["web"]
