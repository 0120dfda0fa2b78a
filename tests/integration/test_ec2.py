"""Machines of EC2: found, started, stopped, not there. Moto's EC2, with real ssh servers for machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from hosts import await_true
from sshd import Server, SshHost

from jupyter_remote.cli import main
from jupyter_remote.config import Config
from jupyter_remote.errors import ConfigError, ConnectError, HostUnreachable, LaunchError, UsageError
from jupyter_remote.hosts import ec2
from jupyter_remote.pool import connect
from jupyter_remote.remote import Remote
from jupyter_remote.widgets.picker import HostPicker

pytestmark = pytest.mark.slow

# One that moto has; to ask it for all takes seconds.
IMAGE = "ami-12c6146b"


@dataclass
class Cloud:
    """What a test needs of the EC2 it has.

    Attributes:
        client: of boto3, for what a user would do elsewhere.
        instance: the id of the machine that the host `trainer` means.
    """

    client: Any
    instance: str
    folder: Path
    configure: Callable[..., None]
    new_machine: Callable[..., str]

    @property
    def state(self) -> str:
        said = self.client.describe_instances(InstanceIds=[self.instance])
        return str(said["Reservations"][0]["Instances"][0]["State"]["Name"])

    def refuse(self, *wanted: tuple[str, str]) -> None:
        """What is refused next: action and code, one request each."""
        (self.folder / "refuse.json").write_text(json.dumps(wanted))


@dataclass
class Service:
    """The EC2 of these tests: where it listens, and what its machines are."""

    endpoint: str
    folder: Path
    model: Server


@pytest.fixture(scope="module")
def service(sshd: SshHost) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="jr-ec2-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "bin").mkdir()
        model = sshd.start(env={"PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin"})
        sshd.stop(model)  # its configuration and keys are what is wanted
        program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        script = Path(__file__).with_name("ec2_cloud.py")
        words = [script, folder, program, model.folder / "sshd_config", model.port, sshd.uid]
        argv = [sys.executable, *map(str, words)]
        with (folder / "moto.log").open("wb") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdin is not None and process.stdout is not None
        with process.stdin, process.stdout, process:
            yield Service(process.stdout.readline().strip(), folder, model)
            process.stdin.close()


@pytest.fixture
def cloud(
    service: Service, ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    # Where boto3 looks; nothing of the machine's own.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": service.endpoint,
        "AWS_ACCESS_KEY_ID": "key-of-the-test",
        "AWS_SECRET_ACCESS_KEY": "canary-of-aws",
        "AWS_EC2_METADATA_DISABLED": "true",
        "JUPYTER_REMOTE_CONFIG_DIR": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ec2, "POLL_S", 0.05)
    (service.folder / "refuse.json").unlink(missing_ok=True)
    client = boto3.client("ec2", region_name="us-east-1")
    made: list[str] = []

    def new_machine(**more: Any) -> str:
        made.append(_new_machine(client, **more))
        with ssh_host.known_hosts.open("a") as file:
            file.writelines(f"{made[-1]} {key}\n" for key in service.model.public_keys)
        client.stop_instances(InstanceIds=[made[-1]])
        return made[-1]

    def configure(**options: Any) -> None:
        entry = {
            "type": "ec2",
            "user": ssh_host.user,
            "port": service.model.port,
            "ssh_key": str(ssh_host.key),
            "workspace": f"~/{tmp_path.name}",
            "ec2": {"tags": {"Name": "trainer"}, "region": "us-east-1", **options},
        }
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "hosts.yaml").write_text(json.dumps({"hosts": {"trainer": entry}}))

    configure()
    workspace = tmp_path / "project"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    found = Cloud(client, new_machine(), service.folder, configure, new_machine)
    await_true(lambda: found.state == "stopped")
    yield found
    configure()
    connect("trainer").close()
    client.terminate_instances(InstanceIds=made)


def _new_machine(client: Any, **more: Any) -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "trainer"}]}]
    made = client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=tags, **more)
    return str(made["Instances"][0]["InstanceId"])


def printed(remote: Remote, code: str) -> str:
    lines: list[str] = []
    run = remote.run_cell(code).wait(
        lambda event: lines.append(event.text) if event.kind == "stdout" else None
    )
    run.check()
    return "".join(lines)


def test_a_machine_is_started_used_stopped_and_found_again_elsewhere(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    remote = connect("trainer")
    with pytest.raises(HostUnreachable, match=r"is stopped\n.*jupyter remote start trainer"):
        assert remote.info
    assert main(["start", "trainer"]) == 0
    out, err = capfd.readouterr()
    assert "trainer: " in out and "its sshd answers" in out
    assert "is starting" in err and "runs at 127.0.0.2; waiting for its sshd" in err
    assert printed(remote, "import os; print(os.environ['SSH_CONNECTION'].split()[2])") == "127.0.0.2\n"

    assert main(["stop", "trainer"]) == 0
    assert cloud.state == "stopped"
    assert main(["start", "trainer"]) == 0
    # Another address, the same key, and the same object finds it.
    assert printed(remote, "import os; print(os.environ['SSH_CONNECTION'].split()[2])") == "127.0.0.3\n"
    remote.stop_sessions()


def test_starting_and_stopping_wait_for_what_the_machine_is_doing(cloud: Cloud) -> None:
    machine, told = ec2.Machine(Config.load().host("trainer")), list[str]()
    cloud.client.start_instances(InstanceIds=[cloud.instance])
    assert machine.stop(told.append).state == "stopped"
    cloud.client.start_instances(InstanceIds=[cloud.instance])
    assert machine.start(told.append).state == "running"
    cloud.client.stop_instances(InstanceIds=[cloud.instance])
    assert machine.start(told.append).state == "running"
    assert f"{cloud.instance} is pending" in told and f"{cloud.instance} is stopping" in told
    # What is done already costs nothing.
    told.clear()
    assert machine.start(told.append).state == "running"
    assert [line for line in told if "starting" in line] == []


REFUSALS: list[tuple[str, str, type[Exception], str]] = [
    ("StartInstances", "InsufficientInstanceCapacity", LaunchError, "try later"),
    ("StartInstances", "UnauthorizedOperation", ConfigError, "permission"),
    ("DescribeInstances", "AuthFailure", ConfigError, "ec2.profile"),
    ("DescribeInstances", "SomethingNew", ConnectError, "refused by the test"),
]


def test_what_ec2_refuses_is_said_with_advice(cloud: Cloud) -> None:
    machine = ec2.Machine(Config.load().host("trainer"))
    for action, code, kind, advice in REFUSALS:
        cloud.refuse((action, code))
        with pytest.raises(kind, match=f"EC2 refuses: {code}(?s:.*){advice}") as caught:
            machine.start(lambda line: None)
        assert "canary-of-aws" not in repr(caught.getrepr(showlocals=True))


def test_throttled_requests_are_made_again(cloud: Cloud) -> None:
    machine = ec2.Machine(Config.load().host("trainer"))
    cloud.refuse(*[("DescribeInstances", "RequestLimitExceeded")] * 2)
    assert machine.look().state == "stopped"


def test_a_machine_that_is_not_there_or_there_twice(cloud: Cloud) -> None:
    cloud.configure(tags={"Name": "nobody"})
    with pytest.raises(ConfigError, match="there is no machine Name=nobody in us-east-1"):
        assert connect("trainer").info
    cloud.configure(instance_id="i-0123456789abcdef0")
    with pytest.raises(ConfigError, match=r"InvalidInstanceID\.NotFound(?s:.*)Check `ec2.instance_id`"):
        assert connect("trainer").info
    cloud.configure()
    second = cloud.new_machine()
    with pytest.raises(ConfigError, match=r"2 machines have the tags Name=trainer: .*\n.*ec2.instance_id"):
        assert connect("trainer").info
    cloud.client.terminate_instances(InstanceIds=[second])
    assert ec2.Machine(Config.load().host("trainer")).look().state == "stopped"


def test_no_credentials_no_profile_no_region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.configure(region=None)
    with pytest.raises(ConfigError, match="region"):
        assert connect("trainer").info
    cloud.configure(profile="another")
    with pytest.raises(ConfigError, match="another"):
        assert connect("trainer").info
    cloud.configure()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match=r"no credentials for EC2(?s:.*)aws configure"):
        assert connect("trainer").info


def test_without_boto3_it_says_what_to_install(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"takes the package boto3\n.*jupyter-remote-cells\[aws\]"):
        assert connect("trainer").info


def test_ec2_out_of_reach(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(ec2, "ATTEMPTS", 1)
    with pytest.raises(HostUnreachable, match="EC2 does not answer"):
        assert connect("trainer").info


def test_a_machine_with_runs_is_stopped_only_by_force(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", "trainer"]) == 0
    run = connect("trainer").run_cell("import time; time.sleep(100)")
    assert main(["stop", "trainer"]) == UsageError.exit_code
    assert f"trainer still runs {run.id}" in capfd.readouterr().err
    assert cloud.state == "running"
    assert main(["stop", "trainer", "--force"]) == 0
    assert cloud.state == "stopped"


def test_other_hosts_can_not_be_started(cloud: Cloud, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["start", "local"]) == UsageError.exit_code
    assert "local is this machine: only hosts of type ec2 can be started" in capfd.readouterr().err


def test_the_picker_starts_and_stops_a_machine(cloud: Cloud) -> None:
    picker = HostPicker()
    assert picker.widget is not None
    parts = picker._parts

    def usable(host: str) -> set[str]:
        parts["list"].value = host
        return {name for name in ("start", "stop") if not parts[name].disabled}

    def said(words: str) -> None:
        assert f"%remote {words}" in parts["said"].value

    try:
        assert usable("local") == set() and usable("trainer") == {"start", "stop"}
        parts["start"].click()
        said("start trainer")
        assert "its sshd answers" in parts["said"].value
        assert cloud.state == "running"
        await_true(lambda: "ready" in dict(map(reversed, parts["list"].options))["trainer"])
        parts["stop"].click()
        said("stop trainer")
        assert cloud.state == "stopped"
        await_true(lambda: "unreachable" in dict(map(reversed, parts["list"].options))["trainer"])
        stopped = f"</span> trainer: the machine {cloud.instance} is stopped"
        await_true(lambda: stopped in parts["why"].value)
        assert usable("trainer") == {"start", "stop"}
    finally:
        for thread in picker._asking:
            thread.join()
        parts["whole"].close()
        connect("local").close()


def _fake_sudo(cloud: Cloud, text: str) -> Path:
    log = cloud.folder / "sudo.log"
    program = cloud.folder / "bin" / "sudo"
    program.write_text(f'#!/bin/sh\n{text}\n[ "$2" = -l ] || echo "$@" >> {log}\n')
    program.chmod(0o755)
    log.touch(mode=0o666)
    log.chmod(0o666)
    return log


def test_an_idle_machine_switches_itself_off_and_takes_it_back_for_a_run(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    log = _fake_sudo(cloud, "")
    cloud.configure(stop_when_idle="0.3s", idle_load=1000)
    assert main(["start", "trainer"]) == 0
    assert "it stops when nothing runs for" in capfd.readouterr().out
    remote = connect("trainer")
    run = remote.run_cell("input()")
    assert run.notice is not None and "stops when nothing runs there" in run.notice
    run.interrupt()
    run.wait()
    await_true(lambda: "shutdown -h +1 jupyter_remote: nothing has run for" in log.read_text())
    again = remote.run_cell("import time; time.sleep(60)")
    assert again.notice is None
    await_true(lambda: "shutdown -c" in log.read_text())
    again.stop()
    again.wait()
    # The settings say so no longer.
    remote.close()
    cloud.configure(stop_when_idle=None)
    after = connect("trainer")
    assert after.run_cell("1").wait().notice is None
    state = after.info["state"]
    await_true(
        lambda: printed(after, f"import os; print(os.path.exists({state!r} + '/idle.json'))") == "False\n"
    )
    after.stop_sessions()
    after.close()


def test_a_machine_that_can_not_stop_itself_is_announced(cloud: Cloud) -> None:
    _fake_sudo(cloud, 'echo "sudo: a password is required" >&2; exit 1')
    cloud.configure(stop_when_idle="1h")
    assert main(["start", "trainer"]) == 0
    run = connect("trainer").run_cell("1").wait()
    assert run.notice is not None
    assert (
        "can't stop itself when idle, and costs money" in run.notice and "password is required" in run.notice
    )
    connect("trainer").stop_sessions()


def test_a_shutdown_that_would_lose_the_machine_is_refused(cloud: Cloud) -> None:
    cloud.client.terminate_instances(InstanceIds=[cloud.instance])
    cloud.new_machine(InstanceInitiatedShutdownBehavior="terminate")
    cloud.configure(stop_when_idle="1h")
    assert main(["start", "trainer"]) == 0
    with pytest.raises(ConfigError, match="would terminate the machine"):
        connect("trainer").run_cell("1")
