"""Kinds of another package: found, used, and told apart from ours when they fail."""

from __future__ import annotations

import json
import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hosts import Place, await_true

from jupyter_remote import job_board, jobs, records
from jupyter_remote.archives.registry import open_archive
from jupyter_remote.config import Config
from jupyter_remote.errors import ConfigError, UsageError
from jupyter_remote.launchers import LAUNCHERS, launcher
from jupyter_remote.remote import Remote
from jupyter_remote.runs import settled

KUBECTL = """#!/bin/sh
# exec -i -n NAMESPACE POD -- COMMAND: as if this machine were that pod.
echo "$*" >>"$0.calls"
[ "$5" = trainer-0 ] || { echo "Error from server (NotFound): pods \\"$5\\" not found" >&2; exit 1; }
shift 6
exec "$@"
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(folder))
    return folder / "hosts.yaml"


@pytest.mark.slow
def test_a_pod_is_a_host(plugin: Path, hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    hosts.write_text(
        "hosts:\n"
        "  trainer: {type: pod, workspace: "
        + str(tmp_path / "mirror")
        + ", plugin: {pod: trainer-0, namespace: ml}}\n"
        "  nameless: {type: pod}\n"
    )
    config = Config.load(tmp_path)
    with pytest.raises(ConfigError, match=r"`type: pod` needs `plugin.pod`"):
        config.host("nameless")
    with Remote(config.host("trainer"), tmp_path) as remote:
        assert remote.run_cell("6 * 7").wait().check().result == {"text/plain": "42"}
        remote.stop_sessions()
    assert Path(f"{program}.calls").read_text().startswith("exec -i -n ml trainer-0 -- sh -c ")


def test_an_archive_of_the_team(
    plugin: Path, hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_SHARE", str(tmp_path / "share"))
    hosts.write_text("archives:\n  ours: {type: share, plugin: {team: vision}}\n")
    assert str(tmp_path / "share" / "vision") in str(open_archive("ours").where)


def test_names_that_nobody_has_list_those_of_other_packages(
    plugin: Path, hosts: Path, tmp_path: Path
) -> None:
    hosts.write_text("hosts:\n  a: {launcher: tps}\n  b: {type: pot}\narchives:\n  c: {type: shore}\n")
    with pytest.raises(ConfigError) as told:
        Config.load(tmp_path)
    assert "process, container, slurm, pbs, ray or tsp" in str(told.value)
    assert "ssh, ec2, command, local or pod" in str(told.value) and "s3, folder or share" in str(told.value)
    with pytest.raises(UsageError, match="did you mean tsp"):
        launcher("tps")


def test_a_workspace_tells_no_plugin_what_to_do(plugin: Path, hosts: Path, tmp_path: Path) -> None:
    (tmp_path / ".jupyter-remote.yaml").write_text("hosts:\n  a: {type: pod, plugin: {pod: other}}\n")
    with pytest.raises(
        ConfigError, match="not in a workspace's file, because it would tell a program of another package"
    ):
        Config.load(tmp_path)


def test_ours_stay_ours_and_a_broken_one_is_named(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("late", "jupyter_remote_more.nowhere", "jupyter_remote.launchers")
    ours = EntryPoint("slurm", "jupyter_remote_more.tsp", "jupyter_remote.launchers")
    monkeypatch.setattr("jupyter_remote.plugins.installed", lambda group: {"late": broken, "slurm": ours})
    assert launcher("slurm").__name__ == "jupyter_remote.launchers.slurm"  # type: ignore[attr-defined]
    assert list(LAUNCHERS) == ["process", "container", "slurm", "pbs", "ray", "late"]
    with pytest.raises(
        ConfigError, match=r"the launcher `late` of the package jupyter_remote_more.nowhere can't be"
    ):
        launcher("late")


def test_a_run_whose_launcher_is_not_here_is_shown_as_it_was_left(local: Place) -> None:
    """It was started from where that package is installed; a list of runs with it is one all the same."""
    run = local.run("1")
    path = local.folder(run) / "run.json"
    await_true(lambda: json.loads(path.read_text())["state"] == "finished")  # its supervisor's last word
    job = {"launcher": "spooled", "key": "k", "id": "7", "own": 1}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "running", "job": job}))
    (local.folder(run) / "events.jsonl").write_text("")
    ((record),) = settled(local.remote, list(records.records(local.remote, 1, ids=[run.id])))
    assert record["state"] == "running"
    assert jobs.note_use(local.remote.connection(), [record | {"state": "finished"}])
    told: list[str] = []
    followed = local.remote.attach(run.id)
    followed.on_job = told.append
    with job_board.watching(followed, local.remote.link):
        assert "there is no launcher 'spooled'" in told[0]
