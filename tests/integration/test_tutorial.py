"""docs/tutorial.md, done as it says: its shell lines in a terminal, its cells in a kernel, in their order."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from terminal import talk

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"(<!-- not run: [^>]*-->\n)?```(sh|python)\n(.*?)```", re.DOTALL)

STAY = "until [ -s ~/practice/server/sshd.pid ]; do sleep 0.05; done"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"), reason="no sshd"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder here; `jupyter` is that of these tests."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    # OpenSSH's `~` is the home of the user database, whatever $HOME says.
    (folder / "config").mkdir()
    (folder / "config" / "hosts.yaml").write_text(
        f"defaults: {{ssh: {{config_file: {folder}/.ssh/config}}}}\n"
    )
    (folder / ".ssh" / "config").write_text(f"UserKnownHostsFile {folder}/.ssh/known_hosts\n")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(folder / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    yield folder
    pid = folder / "practice" / "server" / "sshd.pid"
    if pid.exists():  # the tutorial did not come to its end
        psutil.Process(int(pid.read_text())).kill()


def test_the_tutorial(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Sessions on "the host" keep their state here, and the mirror is in a folder that is no user's.
    host_side = f"StrictModes no\nSetEnv JUPYTER_REMOTE_STATE={home}/state XDG_STATE_HOME={home}/state"
    page = PAGE.read_text(encoding="utf-8").replace("2299", str(port)).replace("StrictModes no", host_side)
    done: dict[str, str] = {}
    manager = client = None
    try:
        for skipped, language, text in _BLOCK.findall(page):
            if skipped:
                continue
            if language == "sh":
                asked = [("Trust it?", "yes")] if " setup " in text else []
                # The terminal must not be closed before sshd has left it, as none is in real life.
                stay = STAY if "sshd_config <<" in text else ""
                code, shown = talk(
                    ["bash", "-ec", f"[ ! -d ~/practice ] || cd ~/practice/project\n{text}\n{stay}"], asked
                )
                assert code == 0, f"{text}\n{shown}"
            else:
                if client is None:
                    manager, client = start_new_kernel(cwd=str(home / "practice" / "project"))
                outputs: list[str] = []
                reply = client.execute_interactive(
                    text,
                    output_hook=lambda message, seen=outputs: seen.append(str(message["content"])),
                    timeout=90,
                )
                shown = "\n".join(outputs)
                assert reply["content"]["status"] == "ok", f"{text}\n{shown}"
            done[text] = shown
    finally:
        if manager is not None and client is not None:
            client.stop_channels()
            manager.shutdown_kernel()
    everything = "\n".join(done.values())
    assert f"hello from {socket.gethostname()}" in everything
    assert "'text/plain': '30'" in everything
    setup = next(shown for text, shown in done.items() if " setup " in text)
    assert "was not remembered" not in setup, setup
    assert (home / "practice" / "project" / "results" / "squares.txt").read_text() == "[0, 1, 4, 9, 16]"
    listed = next(shown for text, shown in done.items() if "runs list" in text)
    assert "slow" in listed and "box" in listed
    assert subprocess.run(["jupyter-remote", "show", "box"], capture_output=True, check=False).returncode == 3
