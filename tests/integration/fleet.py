"""Two hosts for campaigns, each an sshd with a home of its own, and one client; what tests ask of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sshd import SshHost

import jupyter_remote
from jupyter_remote import history
from jupyter_remote.campaigns.campaign import Campaign, Status
from jupyter_remote.cli import main

NAMES = ("one", "two")


class Fleet:
    """Two hosts, a workspace, and a client's own configuration and data."""

    def __init__(self, root: Path, ssh: SshHost, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.workspace = root / "project"
        self.homes = {name: ssh.new_home() for name in NAMES}
        self.capsys = capsys

    def state(self, host: str) -> Path:
        return self.homes[host] / ".local" / "state" / "jupyter-remote"

    def remote(self, host: str) -> jupyter_remote.Remote:
        return jupyter_remote.connect(host, workspace=self.workspace)

    def start(self, *steps: dict[str, Any], hosts: str = "one,two", **settings: Any) -> Campaign:
        return jupyter_remote.campaign({"name": "sweep", "steps": list(steps), **settings}, hosts)

    def driver(self, host: str, name: str = "sweep") -> int:
        told = json.loads((self.state(host) / "campaigns" / name / "driver.json").read_text())
        return int(told["pid"])

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *words: str) -> tuple[int, str, str]:
        """A command's exit code, stdout and stderr."""
        self.capsys.readouterr()
        code = main(words)
        said = self.capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def fleet(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Fleet]:
    history.flush()
    made = Fleet(tmp_path, ssh_host, capsys)
    hosts: dict[str, Any] = {}
    for name in NAMES:
        server = ssh_host.start(env={"HOME": str(made.homes[name])}, home=made.homes[name])
        ssh_host.alias(name, HostName="127.0.0.1", Port=server.port)
        hosts[name] = {"workspace": "~/mirror"}
    for folder in ("config", "data", "project"):
        (tmp_path / folder).mkdir()
    settings = {"hosts": hosts, "groups": {"both": list(NAMES)}}
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(made.workspace)
    yield made
    for name in NAMES:
        remote = made.remote(name)
        for path in (made.state(name) / "campaigns").glob("*/plan.json"):
            Campaign(path.parent.name, [name], made.workspace).stop()
        remote.stop_sessions()
        remote.end_remains()
        remote.close()
    made.remote("local").close()
    history.flush()


def states(status: Status) -> dict[str, str]:
    return {step.key: step.state for step in status.steps}


def printed(campaign: Campaign, key: str) -> str:
    return "".join(b"".join(log).decode() for step, log in campaign.logs() if step.key == key)


def most_at_once(records: list[dict[str, Any]]) -> int:
    moments = sorted([(r["started"], 1) for r in records] + [(r["ended"], -1) for r in records])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


@pytest.fixture
def home_fleet(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """The same, with the built-in host, whose Python is that of the tests."""
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(fleet.root / "state"))
    settings = json.loads((fleet.root / "config" / "hosts.yaml").read_text())
    settings["hosts"]["local"] = {"workspace": str(fleet.root / "mirror")}
    (fleet.root / "config" / "hosts.yaml").write_text(json.dumps(settings))
    yield fleet
    if (fleet.root / "state" / "campaigns").exists():
        Campaign("sweep", ["local"], fleet.workspace).stop()
    fleet.remote("local").stop_sessions()
    fleet.remote("local").close()
