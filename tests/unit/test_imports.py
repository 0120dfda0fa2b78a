"""Files of other tools: which tool wrote one, what becomes of it, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jupyter_remote.config import Config
from jupyter_remote.errors import ConfigError, UsageError
from jupyter_remote.hosts.imports import FORMATS, Plan, plan

KITT = """\
hosts:
  spark:
    name: spark
    hostname: spark.lab.example
    user: ada
    ssh_key: ~/.ssh/id_spark
    port: 2222
    kitt_path: ~/.local/bin/kitt
    storage_path: /data/kitt-results
    gpu_info: NVIDIA GB10
    gpu_count: 1
    python_version: Python 3.12.3
    notes: under the desk
  plain: {hostname: 10.1.2.3, port: 22, user: "", gpu_count: 0}
  locked: {hostname: locked.example, password: hunter2}
"""
GUILD = """\
diff: {command: meld}
remotes:
  lab:
    type: ssh
    description: the machine in the lab
    host: lab.example.org
    user: grace
    port: 2200
    private-key: ~/.ssh/lab.pem
    connect-timeout: 15
    venv-path: ~/envs/vision
    guild-home: ~/runs
  anaconda: {type: ssh, host: conda.example.org, conda-env: "py 3", init: ./prepare.sh}
  activated: {type: ssh, host: act.example.org, venv-activate: source /opt/env/activate, proxy: x}
  cloud:
    type: ec2
    region: eu-west-1
    ami: ami-0123
    instance-type: p3.2xlarge
    init: pip install torch
    connection: {user: ubuntu, private-key: ~/.ssh/aws.pem, password: hunter2}
  runs: {type: s3, bucket: lab-runs, root: /vision/, region: eu-west-1}
  notes: {type: gist, user: grace, gist-name: runs}
"""
QXUB = """\
defaults:
  project: ab12
  queue: gpuvolta
  runtime: 1h30m
  mem: 32GB
  cpus: "12"
  volumes: gdata/ab12+scratch/ab12
  resources: [ngpus=1, jobfs=10GB, walltime=04:00:00]
  name: "{user}-{timestamp}"
aliases: {main: {gpu: {}}}
remotes:
  gadi:
    url: ssh://grace@gadi.example.org:2200
    conda_env: torch
    working_dir: /scratch/{project}/{user}
    platform: nci
profiles:
  express:
    platform: nci
    defaults: {queue: auto, ncpus: 4}
    remote: {host: gadi.example.org, user: grace, qxub_command: module load x; qxub}
  laptop: {platform: local}
platforms:
  old:
    definition: https://example.org/platform.yaml
    remote: {host: old, working_dir: "/g/${PROJECT}/${USER}", conda_init: 'eval "$(conda shell.bash hook)"'}
"""


def made(tmp_path: Path, text: str) -> Plan:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    return plan(path)


def lost(found: Plan, *words: str) -> bool:
    return any(all(word in line for word in words) for line in found.lost)


def test_hosts_of_kitt(tmp_path: Path) -> None:
    found = made(tmp_path, KITT)
    assert found.title == FORMATS["kitt"].title
    assert found.hosts["spark"] == {
        "hostname": "spark.lab.example",
        "user": "ada",
        "port": 2222,
        "ssh_key": "~/.ssh/id_spark",
        "facts.gpu_info": "NVIDIA GB10",
        "facts.gpu_count": 1,
        "facts.python_version": "3.12.3",
    }
    assert found.hosts["plain"] == {"hostname": "10.1.2.3"}
    assert (
        lost(found, "spark", "kitt_path")
        and lost(found, "/data/kitt-results")
        and lost(found, "under the desk")
    )


def test_remotes_of_guild(tmp_path: Path) -> None:
    found = made(tmp_path, GUILD)
    assert found.title == FORMATS["guild"].title
    assert found.hosts["lab"] == {
        "hostname": "lab.example.org",
        "user": "grace",
        "port": 2200,
        "ssh_key": "~/.ssh/lab.pem",
        "connect_timeout": 15,
        "python": "~/envs/vision",
    }
    assert "conda activate 'py 3'" in found.hosts["anaconda"]["env_setup"]
    assert found.hosts["activated"]["env_setup"] == "source /opt/env/activate\n"
    assert found.hosts["cloud"] == {
        "type": "ec2",
        "user": "ubuntu",
        "ssh_key": "~/.ssh/aws.pem",
        "ec2.region": "eu-west-1",
    }
    assert found.archives == {
        "runs": {"type": "s3", "bucket": "lab-runs", "prefix": "vision/", "region": "eu-west-1"}
    }
    assert lost(found, "cloud", "set cloud ec2.instance_id=") and lost(found, "notes", "gist")
    assert lost(found, "`diff`") and lost(found, "lab", "guild-home") and lost(found, "activated", "`proxy`")
    assert lost(found, "anaconda", "`init`")


def test_places_of_qxub(tmp_path: Path) -> None:
    found = made(tmp_path, QXUB)
    assert found.title == FORMATS["qxub"].title
    pbs = {
        "pbs.project": "ab12",
        "pbs.queue": "gpuvolta",
        "pbs.walltime": "01:30:00",
        "pbs.memory": "32GB",
        "pbs.cpus": 12,
        "pbs.gpus": 1,
        "pbs.storage": "gdata/ab12+scratch/ab12",
    }
    assert found.hosts["gadi"] == {
        "hostname": "gadi.example.org",
        "user": "grace",
        "port": 2200,
        "workspace": "/scratch/ab12/$USER/{project}",
        "env_setup": 'eval "$(conda shell.bash hook)"\nconda activate torch\n',
        "launcher": "pbs",
        **pbs,
    }
    assert found.hosts["express"]["pbs.cpus"] == 4
    assert found.hosts["old"]["workspace"] == "/g/ab12/$USER/{project}"
    assert (
        lost(found, "express", "queue: auto")
        and lost(found, "laptop", "built in")
        and lost(found, "`aliases`")
    )
    assert (
        lost(found, "jobfs") and lost(found, "gadi", "`platform`") and lost(found, "express", "qxub_command")
    )


PLATFORM = """\
platform: {name: nci, type: pbs_pro}
queues:
  normal:
    limits: {max_cores: 48, max_memory_gb: 192, max_walltime: "48:00:00", max_jobs_per_user: 100}
    walltime_rules: [{cores: 1-48, max_walltime: "48:00:00"}, {cores: 49-240, max_walltime: "12:00:00"}]
  short: {limits: {max_cores: 48, max_walltime: "10:00:00"}}
  gpu: {limits: {max_cores: 48, max_gpus: 4, max_walltime: "24:00:00"}}
  huge: {limits: {max_memory_gb: 1400, min_memory_gb: 250}}
  copyq: {limits: {max_cores: 1}}
auto_selection:
  - {condition: gpus > 0, queue: gpu}
  - {condition: memory_gb > 500, queue: huge}
  - {condition: user == me, queue: short}
  - {condition: cores <= 48, queue: normal, is_default: true}
"""


@pytest.mark.parametrize("place", ["platforms/nci.yaml", "nci-file.yaml"])
def test_the_queues_of_a_platform_of_qxub(tmp_path: Path, place: str) -> None:
    (tmp_path / "platforms").mkdir()
    (tmp_path / place).write_text(PLATFORM)
    text = QXUB
    if not place.startswith("platforms/"):
        text = text.replace("platform: nci\n", f"platform_file: file://{tmp_path / place}\n")
    found = made(tmp_path, text)
    table = found.hosts["express"]["pbs.queues"]
    assert list(table) == ["gpu", "huge", "short", "normal"], "in the order in which qxub chooses"
    assert table["gpu"] == {"max_cpus": 48, "max_gpus": 4, "min_gpus": 1, "max_walltime": "24h"}
    assert table["huge"] == {"max_memory": "1400G", "min_memory": "500G"}
    assert table["normal"] == {"max_cpus": 48, "max_memory": "192G", "max_walltime": "48h"}
    assert found.hosts["express"]["pbs.queue"] == "auto"
    assert (
        lost(found, "copyq", "auto")
        and lost(found, "short", "user == me")
        and lost(found, "normal", "walltime_rules")
    )
    (tmp_path / place).write_text("queues: []")
    assert lost(made(tmp_path, text), "gadi", "has no `queues`")


@pytest.mark.parametrize("text", [KITT, GUILD])
def test_passwords_are_named_and_never_taken(tmp_path: Path, text: str) -> None:
    found = made(tmp_path, text)
    assert lost(found, "password", "never stored")
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("a: 1\n", UsageError, "`a`"),
        ("", UsageError, "no settings"),
        ("- 1\n", UsageError, "no settings"),
        ("a: [\n", ConfigError, "no YAML"),
        ("hosts: {gpu1: {hostname: h, launcher: slurm}}\n", UsageError, "KITT"),
        ("hosts: {}\n", UsageError, "Guild"),
        ("remotes: {}\n", UsageError, "qxub"),
        ("!!python/object/apply:os.system ['true']\n", ConfigError, "no YAML"),
    ],
)
def test_what_no_tool_wrote(tmp_path: Path, text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        made(tmp_path, text)
    with pytest.raises(UsageError, match="can't be read"):
        plan(tmp_path / "not-there")


def test_what_is_not_valid_here_is_left_out_and_said(tmp_path: Path) -> None:
    text = (
        "hosts:\n  bad name: {hostname: h, gpu_info: x}\n  dash: {hostname: -oProxyCommand=x}\n"
        "  far: {hostname: h, port: 99999}\n"
    )
    found = made(tmp_path, text)
    assert found.hosts == {}
    assert lost(found, "bad name") and lost(found, "dash") and lost(found, "far", "port")


def test_an_import_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text("# my hosts\nhosts:\n  lab:\n    hostname: mine  # do not touch\n")
    before = hosts.read_text()
    (tmp_path / "config.yml").write_text(GUILD)
    assert command("import", "config.yml", "--dry-run") is None
    assert hosts.read_text() == before
    assert "would be written" in capsys.readouterr().out

    command("import", "config.yml")
    said = capsys.readouterr().out
    assert "lab is there already" in said and "Not taken over:" in said
    assert hosts.read_text().startswith(before)
    config = Config.load(tmp_path)
    assert config.host("lab").hostname == "mine"
    assert config.host("activated").hostname == "act.example.org"
    assert config.archives["runs"].bucket == "lab-runs"

    command("import", "config.yml", "--replace", "--json")
    document = yaml.safe_load(capsys.readouterr().out)
    assert (document["existing"], document["written"]) == ([], True)
    assert Config.load(tmp_path).host("lab").port == 2200
    assert hosts.read_text().startswith("# my hosts\n")


def command(*words: str) -> object:
    from jupyter_remote.commands import HANDLERS
    from jupyter_remote.options import walk
    from jupyter_remote.parsing import parse

    (found,) = [one for path, one in walk() if path == words[:1]]
    return HANDLERS[words[:1]](parse(found, words[1:]), None)
