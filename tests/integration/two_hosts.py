"""Two hosts with states of their own (both are this machine), and the commands asked as a user asks them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_remote
from jupyter_remote import history
from jupyter_remote.cli import main
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run

Document = dict[str, Any]


class Bench:
    """Two hosts with states of their own (both are this machine), and a workspace under git."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = root / "project"
        self.capsys: pytest.CaptureFixture[str]

    def remote(self, host: str = "one") -> Remote:
        return jupyter_remote.connect(host, workspace=self.workspace)

    def state(self, host: str = "one") -> Path:
        return self.root / host

    def folder(self, run: Run, place: str = "runs") -> Path:
        return self.state(run.host) / place / run.id

    def call(self, *words: str) -> tuple[int, str, str]:
        """A command's exit code, stdout and stderr."""
        self.capsys.readouterr()
        code = main(words)
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def ask(self, *words: str) -> Document:
        """The document of a command that succeeds."""
        code, out, err = self.call(*words, "--json")
        assert code == 0, out + err
        document: Document = json.loads(out)
        return document

    def listed(self, *words: str) -> list[str]:
        return [row["id"] for row in self.ask("runs", *words)["runs"]]

    def git(self, *words: str) -> str:
        author = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
        done = subprocess.run(["git", *author, *words], cwd=self.workspace, check=True, capture_output=True)
        return done.stdout.decode().strip()


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.capsys = capsys
    history.flush()
    for name in ("config", "data", "project", "cache"):
        (tmp_path / name).mkdir()
    hosts = {
        name: {
            "type": "command",
            "command": [
                "env",
                f"JUPYTER_REMOTE_STATE={tmp_path / name}",
                f"XDG_CACHE_HOME={tmp_path / 'cache'}",
            ],
            "workspace": str(tmp_path / f"mirror-{name}"),
        }
        for name in ("one", "two")
    }
    hosts["gone"] = {"type": "command", "command": ["/no/such"]}
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(tmp_path / "local"))
    monkeypatch.chdir(made.workspace)
    yield made
    for name in ("one", "two"):
        made.remote(name).stop_sessions()
        made.remote(name).close()
    made.remote("local").close()
    history.flush()
