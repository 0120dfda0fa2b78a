"""Layers, names, sources, and what an error of the configuration says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_remote import config as config_module
from jupyter_remote.config import Config
from jupyter_remote.config_file import parse
from jupyter_remote.config_models import HostSettings
from jupyter_remote.config_types import parse_size
from jupyter_remote.errors import ConfigError, UnknownHost, UsageError

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "ssh_config").write_text("Host alias1 gpu-*\n  User them\nHost *\n  Port 22\n")


@pytest.fixture
def hosts_yaml(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "config" / "hosts.yaml"
        path.write_text(text)
        return path

    return write


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("hosts.yaml"))
    assert caught.value.exit_code == 3
    return str(caught.value).splitlines()


def test_a_workspace_can_not_lead_an_archive_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "hosts.yaml").write_text("archives: {lab: {type: folder, path: /lab}}")
    workspace = tmp_path / "project"
    workspace.mkdir()
    (workspace / ".jupyter-remote.yaml").write_text("archives: {other: {type: folder, path: /other}}")
    assert set(Config.load(workspace).archives) == {"lab", "other"}
    (workspace / ".jupyter-remote.yaml").write_text("archives: {lab: {type: s3, bucket: theirs}}")
    with pytest.raises(ConfigError, match=r"archives\.lab is defined already, in hosts\.yaml"):
        Config.load(workspace)


def test_the_example_of_the_design_is_valid(hosts_yaml: Write) -> None:
    hosts_yaml("""
defaults: {connect_timeout: 30}
hosts:
  dgx01:
    type: ssh
    hostname: gpu-server-01
    user: user
    port: 22
    ssh_key: ~/.ssh/id_ed25519
    transport: auto
    ssh:
      {strict_host_key_checking: true, compression: false, cipher: aes256-ctr, forward_agent: false,
       keepalive: 30}
    python: python3
    workspace: ~/jupyter-remote/{project}
    env_setup: |
      module load python3
    env: {HF_HOME: /scratch/hf}
    sync: {exclude: ["data/"], pull: ["results/**"]}
    launcher: process
    container: {engine: docker, image: "nvcr/pytorch", network: host, gpus: all, env: [AWS_ACCESS_KEY_ID]}
    slurm: {partition: gpu, account: a56, time: "02:00:00", gpus: 1}
    facts: {gpu_info: NVIDIA GH200, gpu_count: 1, python_version: "3.11"}
groups: {gpus: [dgx01, alias1]}
archives: {lab: {type: s3, bucket: runs, prefix: me/, endpoint_url: null}}
""")
    config = Config.load()
    host = config.host("dgx01")
    assert (host.name, host.destination, host.port) == ("dgx01", "gpu-server-01", 22)
    assert host.env_setup == "module load python3\n"
    assert host.slurm.gpus == "1"
    assert host.facts["gpu_count"] == 1
    assert config.groups == {"gpus": ("dgx01", "alias1")}
    assert config.archives["lab"].bucket == "runs"
    with pytest.raises(ValueError, match="frozen"):
        host.port = 23


def test_without_any_file_there_is_local() -> None:
    config = Config.load()
    assert config.names() == ["local"]
    assert config.host("local").type == "local"
    assert config.where("local") == "built-in"
    assert config.sources("local")["type"] == "built-in"


@pytest.mark.parametrize("text", ["", "# nothing\n", "hosts:\n", "hosts: {}\ngroups:\ndefaults:\n", "---\n"])
def test_empty_files_and_sections_are_valid(hosts_yaml: Write, text: str) -> None:
    hosts_yaml(text)
    assert Config.load().names() == ["local"]


def test_layers_from_weak_to_strong(hosts_yaml: Write, tmp_path: Path) -> None:
    path = hosts_yaml(
        "defaults:\n  user: d1\n  port: 1\n  python: d1\n  env: {A: d1, B: d1}\n  sync: {exclude: [d1]}\n"
        "hosts:\n  h:\n    python: h1\n    launcher: slurm\n    env: {B: h1}\n    sync: {exclude: [h1]}\n"
    )
    project = tmp_path / ".jupyter-remote.yaml"
    project.write_text(
        "defaults: {user: d2, python: d2, env: {A: d2}, sync: {exclude: [d2], pull: [p2]}}\n"
        "hosts: {h: {launcher: pbs}}\n"
    )
    config = Config.load(tmp_path)
    host = config.host("h", {"env.C": "call", "sync": {"pull": ["call"]}, "connect_timeout": "5"})
    assert (host.user, host.port, host.python, host.launcher) == ("d2", 1, "h1", "pbs")
    assert host.env == {"A": "d2", "B": "h1", "C": "call"}
    assert host.sync.exclude == ("d1", "d2", "h1")
    assert host.sync.pull == ("p2", "call")
    assert host.connect_timeout == 5
    sources = config.sources("h")
    assert sources["user"] == f"{project}:1"
    assert sources["port"] == f"{path}:3"
    assert sources["env.B"] == f"{path}:11"
    assert sources["sync.exclude"] == f"{path}:6, {project}:1, {path}:12"
    assert sources["transport"] == "default"
    assert Config.load().host("h").launcher == "slurm"


def test_local_can_be_changed_but_stays_local(hosts_yaml: Write) -> None:
    hosts_yaml("defaults: {type: ssh, python: py}\nhosts: {local: {workspace: /w}}\n")
    host = Config.load().host("local")
    assert (host.type, host.python, host.workspace) == ("local", "py", "/w")


def test_aliases_of_ssh_are_hosts(hosts_yaml: Write) -> None:
    hosts_yaml("defaults: {python: py}\n")
    config = Config.load()
    assert config.host("alias1").python == "py"
    assert config.host("gpu-17").type == "ssh"
    assert config.where("alias1") == "ssh config"
    assert config.sources("alias1")["user"] == "ssh config"


def test_unknown_host_lists_the_nearest_first(hosts_yaml: Write) -> None:
    hosts_yaml("hosts: {dgx01: {}, other: {}}\n")
    with pytest.raises(
        UnknownHost, match=r"no host `dgx1`; did you mean `dgx01`\? Valid: dgx01, alias1, local, other"
    ):
        Config.load().host("dgx1")


def test_many_hosts_are_counted_not_listed(hosts_yaml: Write) -> None:
    hosts_yaml("hosts:\n" + "".join(f"  node{n}: {{}}\n" for n in range(300)))
    with pytest.raises(UnknownHost, match="and 282 more"):
        Config.load().host("xyz")


def test_expand_hosts(hosts_yaml: Write) -> None:
    hosts_yaml("hosts: {a: {}, b: {}, c: {}}\ngroups: {g: [b, c]}\n")
    config = Config.load()
    assert config.expand_hosts("c, @g,a") == ["c", "b", "a"]
    assert config.expand_hosts("alias1") == ["alias1"]
    for text, error, match in (
        ("", UsageError, "names no host"),
        (",", UsageError, "names no host"),
        ("any", UsageError, "a choice of one host"),
        ("a,zz", UnknownHost, "no host `zz`"),
        ("@gg", UnknownHost, "no group `gg`; did you mean `g`"),
    ):
        with pytest.raises(error, match=match):
            config.expand_hosts(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "hosts:\n  a:\n    prot: 1\n",
            "hosts.yaml:3: hosts.a.prot: unknown key; did you mean `port`? Valid: address, command,",
        ),
        (
            "host: {}\n",
            "hosts.yaml:1: host: unknown key; did you mean `hosts`? Valid: archives, defaults, groups, hosts",
        ),
        ("hosts: {a: {port: x}}", "hosts.yaml:1: hosts.a.port: found `x`; valid is a whole number"),
        ("hosts: {a: {port: 0}}", "found `0`; valid is a number greater than or equal to 1"),
        (
            "hosts:\n  a: {type: shh}",
            "hosts.yaml:2: hosts.a.type: found `shh`; valid is ssh, ec2, command or local",
        ),
        ("hosts: {a: {ssh: {chiper: x}}}", "hosts.a.ssh.chiper: unknown key; did you mean `cipher`?"),
        (
            "hosts: {a: {ssh: {compression: maybe}}}",
            "hosts.a.ssh.compression: found `maybe`; valid is true or false",
        ),
        (
            "hosts: {a: {ssh: {strict_host_key_checking: perhaps}}}",
            "found `perhaps`; valid is true or false or ask, accept-new, yes or no",
        ),
        ("hosts: {a: {sync: {pull: x}}}", "hosts.a.sync.pull: found `x`; valid is a list"),
        ("hosts: {a: {sync: {pull: [[x]]}}}", "hosts.a.sync.pull[0]: found a list; valid is text"),
        ("hosts: {a: {env: {1x: y}}}", "hosts.a.env: found a mapping; valid is names of variables"),
        ("hosts: {a: {slurm: 3}}", "hosts.a.slurm: found `3`; valid is a mapping"),
        ("hosts: [a]", "hosts.yaml:1: hosts: found a list; valid is a mapping"),
        ("hosts: {a: {session_idle: soon}}", "found `soon`; valid is a duration such as"),
        ("hosts: {a: {sync: {max_file_size: big}}}", "found `big`; valid is a size such as"),
        (
            "hosts: {a: {hostname: -oProxyCommand=x}}",
            "valid is one word without spaces that does not start with `-`",
        ),
        (
            "hosts: {a: {user: }}\narchives: {x: {bucket: b}}",
            "hosts.yaml:2: archives.x.type: this key is needed",
        ),
        ("hosts: {a: {password: x}}", "passwords and other secrets are never stored"),
        ("hosts: {a b: {}}", "hosts.a b: a name has only letters, digits"),
        ("hosts: {a: {}, a: {}}", "hosts.yaml:1: hosts.a: the key is there twice, first in line 1"),
        ("hosts: [", "hosts.yaml:1: this is no valid YAML: "),
        ("a: 1\n\thosts: x", "hosts.yaml:2: this is no valid YAML: "),
        ("a: &a {b: *a}", "hosts.yaml:1: this is no valid YAML: an alias that contains itself"),
        ("hosts: !!python/object/apply:os.getcwd []", "hosts.yaml:1: this is no valid YAML: the tag"),
        ("- a", "hosts.yaml:1: found a list; valid is a mapping"),
    ],
)
def test_a_problem_names_file_line_key_and_what_is_valid(text: str, expected: str) -> None:
    (line,) = problems(text)
    assert expected in line


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    lines = problems("hosts:\n  a:\n    port: x\n    usr: y\n  b: {type: z}\nfoo: 1\n")
    assert [line.split(": ")[0] for line in lines] == [
        "hosts.yaml:3",
        "hosts.yaml:4",
        "hosts.yaml:5",
        "hosts.yaml:6",
    ]


def test_a_secret_is_not_repeated_in_the_message() -> None:
    assert "hunter2" not in problems("hosts: {a: {password: hunter2}}")[0]


def test_a_group_that_names_an_unknown_host_is_an_error(hosts_yaml: Write) -> None:
    path = hosts_yaml("hosts: {a: {}}\ngroups:\n  g:\n    - a\n    - aa\n")
    with pytest.raises(ConfigError) as caught:
        Config.load()
    assert str(caught.value).startswith(f"{path}:5: groups.g[1]: there is no host `aa`; did you mean `a`?")


def test_a_command_host_needs_its_command(hosts_yaml: Write) -> None:
    path = hosts_yaml("hosts:\n  pod: {type: command}\n")
    with pytest.raises(ConfigError, match=f"{path}:2: hosts.pod: `type: command` needs `command`"):
        Config.load().host("pod")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("hosts:\n  h:\n    trust: pickle\n", "hosts.h.trust"),
        ("defaults:\n  user: me\n  trust: pickle\n", "defaults.trust"),
        ("hosts:\n  new:\n    type: command\n", "hosts.new.type"),
        ("defaults:\n  user: me\n  type: command\n", "defaults.type"),
        ("hosts:\n  pod:\n    command: [evil]\n", "hosts.pod.command"),
        ("hosts:\n  h: {python: p,\n    ssh: {config_file: evil}}\n", "hosts.h.ssh.config_file"),
    ],
)
def test_a_workspace_can_not_make_this_machine_run_code(
    hosts_yaml: Write, tmp_path: Path, text: str, key: str
) -> None:
    own = hosts_yaml("hosts:\n  h: {}\n  pod: {type: command, command: [docker]}\n")
    project = tmp_path / ".jupyter-remote.yaml"
    project.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Config.load(tmp_path)
    said = caught.value.message
    assert said.startswith(f"{project}:3: {key}: not in a workspace's file, because it would")
    assert len(said.splitlines()) == 1
    assert caught.value.hint == f"If you want that, put it into your own {own}."
    # The very same in the user's own file is fine.
    project.unlink()
    hosts_yaml(text)
    Config.load(tmp_path)


def test_a_workspace_may_say_the_rest_of_such_hosts(hosts_yaml: Write, tmp_path: Path) -> None:
    hosts_yaml("hosts: {pod: {type: command, command: [docker]}, h: {trust: pickle}}\n")
    (tmp_path / ".jupyter-remote.yaml").write_text(
        "hosts: {pod: {python: py, trust: null}, h: {sync: {pull: [a]}}, other: {hostname: elsewhere}}\n"
    )
    config = Config.load(tmp_path)
    assert (config.host("pod").command, config.host("pod").python) == (("docker",), "py")
    assert (config.host("h").trust, config.host("h").sync.pull) == ("pickle", ("a",))
    assert config.host("other").trust is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("hosts: {h: {hostname: evil}}", "hosts.h.hostname"),
        ("defaults: {hostname: evil}", "defaults.hostname"),
        ("hosts: {h: {ssh: {strict_host_key_checking: false}}}", "hosts.h.ssh"),
        ("hosts: {evil.com: {}}", "hosts.evil.com"),
    ],
)
def test_a_workspace_can_not_say_where_a_trusted_host_leads(
    hosts_yaml: Write, tmp_path: Path, text: str, key: str
) -> None:
    hosts_yaml("defaults: {trust: pickle}\nhosts: {h: {}}\n")
    project = tmp_path / ".jupyter-remote.yaml"
    project.write_text(text)
    config = Config.load(tmp_path)
    with pytest.raises(ConfigError, match=f"{project}:1: {key}: .* whose pickles are read here") as caught:
        config.host("evil.com" if "evil.com" in key else "h")
    assert "hosts.yaml" in caught.value.hint


def test_an_override_is_judged_like_a_file() -> None:
    with pytest.raises(
        ConfigError, match=r"this call: slurm.partitoin: unknown key; did you mean `partition`"
    ):
        Config.load().host("local", {"slurm.partitoin": "x"})


def test_scalars_stay_what_was_typed() -> None:
    data = parse(
        "hosts:\n  a:\n    slurm: {time: 02:00:00}\n    python: 3.10\n"
        "    env: {M: 0755, D: 2026-11-22}\n    facts: {n: 2, f: 1.5}\n",
        Path("h"),
    ).data["hosts"]["a"]
    host = HostSettings.model_validate(data)
    assert (host.slurm.time, host.python, host.env) == ("02:00:00", "3.10", {"M": "0755", "D": "2026-11-22"})
    assert host.facts == {"n": 2, "f": 1.5}


def test_merge_keys_and_odd_names() -> None:
    data = parse("hosts:\n  on: &b {user: x}\n  1: {<<: *b, port: 5}\n", Path("h")).data
    assert data["hosts"] == {"on": {"user": "x"}, "1": {"user": "x", "port": 5}}


def test_durations_and_sizes() -> None:
    host = HostSettings.model_validate({"session_idle": "1h30m", "sync": {"max_file_size": "1.5G"}})
    assert host.session_idle == 5400
    assert host.sync.max_file_size == 1536 * 1024**2
    assert parse_size("10 MiB") == parse_size(str(10 * 1024**2))


def test_unchanged_files_are_not_read_again(hosts_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hosts_yaml("hosts: {a: {}}\n")
    first = Config.load()
    assert Config.load() is first
    path.write_text("hosts: {b: {}}\n")
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    assert Config.load().names() == ["b", "local"]
    path.unlink()
    assert Config.load().names() == ["local"]


def test_an_alias_that_goes_is_seen(tmp_path: Path) -> None:
    assert Config.load().is_known("alias1")
    (tmp_path / "ssh_config").write_text("Host other\n")
    assert not Config.load().is_known("alias1")


def test_what_cannot_be_read_is_named(hosts_yaml: Write) -> None:
    path = hosts_yaml("")
    path.write_bytes(b"hosts: \xff\xfe")
    with pytest.raises(ConfigError, match=f"{path}: is not UTF-8"):
        Config.load()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match=f"{path}: can't be read"):
        Config.load()


def test_the_default_folder_is_jupyters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JUPYTER_REMOTE_CONFIG_DIR")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert config_module.config_dir() == tmp_path / "remote"
