"""Machines of Amazon EC2: which one a host means, where it is now, starting and stopping it.

What runs there is none of its business: a machine that runs is reached by ssh like any other. boto3 is the
extra `aws`; credentials are as boto3 finds them, and are never stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ConnectError, HostUnreachable, LaunchError, RemoteError
from ..greeting import Address, greets
from . import ssh_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config_models import HostConfig

Told = Callable[[str], None]

# How long a machine may take, in seconds: to change its state, and then until its sshd answers.
STATE_S = 600.0
GREETING_S = 300.0
# Between two looks; EC2 answers about as often without throttling.
POLL_S = 2.0
# Throttled requests and such without an answer are made again, later and later.
ATTEMPTS = 5
_GONE = ("terminated", "shutting-down")


@dataclass(frozen=True)
class Instance:
    """A machine as EC2 describes it.

    Attributes:
        id: of the instance, ``i-…``.
        state: ``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or ``terminated``.
        public, private: its addresses; they change when it is started again.
        kind: its type, ``g5.xlarge``.
        why: what EC2 says about its last change of state.
    """

    id: str
    state: str
    public: str | None
    private: str | None
    kind: str
    why: str


class Machine:
    """The machine that a host's ``ec2:`` names.

    Args:
        host: the resolved settings.

    Raises:
        ConfigError: boto3 is missing, or has no region or profile of that name.
    """

    def __init__(self, host: HostConfig) -> None:
        self.host = host
        with _explained(host):
            self._client = _client(host)

    def look(self) -> Instance:
        """The machine as it is now.

        Raises:
            ConfigError: there is none, or more than one has these tags; or EC2 refuses the question.
            HostUnreachable: EC2 does not answer.
        """
        options = self.host.ec2
        if options.instance_id:
            question: dict[str, Any] = {"InstanceIds": [options.instance_id]}
        else:
            question = {"Filters": [{"Name": f"tag:{k}", "Values": [v]} for k, v in options.tags.items()]}
        with _explained(self.host):
            pages = self._client.get_paginator("describe_instances").paginate(**question)
            found = [_instance(one) for page in pages for r in page["Reservations"] for one in r["Instances"]]
        alive = [one for one in found if one.state not in _GONE]
        if len(alive) == 1:
            return alive[0]
        what = options.instance_id or ", ".join(f"{k}={v}" for k, v in options.tags.items())
        if not alive:
            gone = f"; {found[0].id} is {found[0].state}" if found else ""
            raise ConfigError(
                f"there is no machine {what} in {self._client.meta.region_name}{gone}",
                host=self.host.name,
                hint="Check `ec2.instance_id` or `ec2.tags`, `ec2.region` and `ec2.profile`.",
            )
        raise ConfigError(
            f"{len(alive)} machines have the tags {what}: {', '.join(one.id for one in alive)}",
            host=self.host.name,
            hint="Name one by `ec2.instance_id`, or add a tag that only one has.",
        )

    def start(self, told: Told) -> Instance:
        """Starts the machine, whatever it is doing now, and waits until its sshd answers.

        Args:
            told: hears what it does, one line each time that changes.

        Raises:
            LaunchError: it can't be started, or doesn't get there in time.
            ConfigError, HostUnreachable: as :meth:`look`.
        """
        now = self.look()
        if now.state == "stopping":
            now = self._await(("stopped",), told)
        if now.state == "stopped":
            told(f"{now.id} ({now.kind}) is starting")
            self._change("start_instances", now.id)
        now = self._await(("running",), told)
        at = address(self.host, now)
        told(f"{now.id} runs at {at}; waiting for its sshd")
        where = Address(at, ssh_config.resolve(at, host=self.host).port)
        deadline = time.monotonic() + GREETING_S
        while not greets(where):
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"{now.id} runs at {at}, but no sshd answers on port {where.port} after {GREETING_S:g} s",
                    host=self.host.name,
                    hint="Check its security group, that this machine may reach the address, and "
                    "`ec2.address`: public or private.",
                )
            time.sleep(POLL_S / 4)
        return now

    def stop(self, told: Told) -> Instance:
        """Stops the machine, whatever it is doing now, and waits until it has.

        Raises:
            LaunchError: it can't be stopped, or doesn't in time.
            ConfigError, HostUnreachable: as :meth:`look`.
        """
        now = self.look()
        if now.state == "pending":
            now = self._await(("running",), told)
        if now.state == "running":
            told(f"{now.id} is stopping")
            self._change("stop_instances", now.id)
        return self._await(("stopped",), told)

    def shutdown_stops(self) -> bool:
        """Whether a shutdown from inside only stops the machine, and doesn't terminate it."""
        with _explained(self.host):
            said = self._client.describe_instance_attribute(
                InstanceId=self.look().id, Attribute="instanceInitiatedShutdownBehavior"
            )
        return str(said["InstanceInitiatedShutdownBehavior"]["Value"]) == "stop"

    def _change(self, verb: str, instance: str) -> None:
        with _explained(self.host):
            getattr(self._client, verb)(InstanceIds=[instance])

    def _await(self, wanted: tuple[str, ...], told: Told) -> Instance:
        deadline, told_state = time.monotonic() + STATE_S, ""
        while (now := self.look()).state not in wanted:
            if now.state != told_state:
                told(f"{now.id} is {now.state}")
            if wanted == ("running",) and now.state == "stopped" and told_state == "pending":
                raise LaunchError(
                    f"{now.id} did not start: {now.why or 'EC2 says no more'}", host=self.host.name
                )
            told_state = now.state
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"{now.id} is still {now.state} after {STATE_S:g} s, not {wanted[0]}", host=self.host.name
                )
            time.sleep(POLL_S)
        return now


def located(host: HostConfig) -> HostConfig:
    """The same settings with the address that the machine has now.

    Its host key is known by the id of the instance, since the address is another one after each start.

    Raises:
        HostUnreachable: the machine does not run, or EC2 does not answer.
        ConfigError: as :meth:`Machine.look`.
    """
    if host.hostname:
        return host
    now = Machine(host).look()
    if now.state != "running":
        raise HostUnreachable(
            f"{host.name}: the machine {now.id} is {now.state}",
            host=host.name,
            hint=f"Start it: `jupyter remote start {host.name}`.",
        )
    ssh = host.ssh.model_copy(update={"host_key_alias": host.ssh.host_key_alias or now.id})
    return host.model_copy(update={"hostname": address(host, now), "ssh": ssh})


def address(host: HostConfig, instance: Instance) -> str:
    """Where a running machine is reached.

    Raises:
        HostUnreachable: it has no such address.
    """
    at = instance.private if host.ec2.address == "private" else instance.public
    if at is None:
        raise HostUnreachable(
            f"{host.name}: {instance.id} has no {host.ec2.address} address",
            host=host.name,
            hint="Set `ec2.address` to public or private, or `hostname` where another way leads to it.",
        )
    return at


def _client(host: HostConfig) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise ConfigError(
            f"{host.name} is a machine of EC2, which takes the package boto3",
            host=host.name,
            hint="Install it here: `pip install 'jupyter-remote-cells[aws]'`.",
        ) from None
    patience = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, connect_timeout=10, read_timeout=30
    )
    session = boto3.Session(profile_name=host.ec2.profile, region_name=host.ec2.region)
    return session.client("ec2", config=patience)


def _instance(said: dict[str, Any]) -> Instance:
    return Instance(
        said["InstanceId"],
        said["State"]["Name"],
        said.get("PublicIpAddress") or None,
        said.get("PrivateIpAddress") or None,
        said.get("InstanceType", ""),
        (said.get("StateReason") or {}).get("Message", ""),
    )


# What EC2's codes mean for the user: the error, and what to do next.
_CODES: dict[str, tuple[type[RemoteError], str]] = {
    "UnauthorizedOperation": (
        ConfigError,
        "Ask for the permission that it names, or use another `ec2.profile`.",
    ),
    "AuthFailure": (
        ConfigError,
        "The credentials are not valid there: check `ec2.profile`, or log in again.",
    ),
    "ExpiredToken": (ConfigError, "The credentials have expired: log in again (`aws sso login`)."),
    "RequestExpired": (ConfigError, "The credentials have expired, or this machine's clock is wrong."),
    "InvalidInstanceID.NotFound": (ConfigError, "Check `ec2.instance_id` and `ec2.region`."),
    "InvalidInstanceID.Malformed": (ConfigError, "`ec2.instance_id` looks like i-0123456789abcdef0."),
    "InsufficientInstanceCapacity": (
        LaunchError,
        "EC2 has no such machine free now: try later, or another type.",
    ),
    "InstanceLimitExceeded": (LaunchError, "The account's limit is reached: stop another one, or raise it."),
    "VcpuLimitExceeded": (LaunchError, "The account's limit is reached: stop another one, or raise it."),
    "IncorrectInstanceState": (LaunchError, "It is just changing its state: try again in a minute."),
    "IncorrectState": (LaunchError, "It is just changing its state: try again in a minute."),
    "RequestLimitExceeded": (
        ConnectError,
        "EC2 is asked too often from this account: try again in a minute.",
    ),
}


@contextmanager
def _explained(host: HostConfig) -> Iterator[None]:
    """Turns what boto3 raises into errors of ours."""
    try:
        from botocore import exceptions as aws
    except ImportError:
        yield  # whoever makes the client says what is missing
        return
    try:
        yield
    except aws.ClientError as error:
        said = error.response.get("Error", {})
        kind, hint = _CODES.get(said.get("Code", ""), (ConnectError, ""))
        text = str(said.get("Message") or error).partition(" Encoded authorization failure")[0]
        raise kind(f"EC2 refuses: {said.get('Code')}: {text}", host=host.name, hint=hint) from None
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError) as error:
        hint = "Give boto3 some as ever: `aws configure`, `aws sso login`, AWS_PROFILE or `ec2.profile`."
        raise ConfigError(f"no credentials for EC2: {error}", host=host.name, hint=hint) from None
    except (aws.ProfileNotFound, aws.NoRegionError, aws.InvalidRegionError) as error:
        hint = "Set `ec2.region` and `ec2.profile`, or what `aws configure` asks for."
        raise ConfigError(f"EC2: {error}", host=host.name, hint=hint) from None
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        raise HostUnreachable(f"EC2 does not answer: {error}", host=host.name) from None
    except aws.BotoCoreError as error:
        raise ConnectError(f"EC2: {error}", host=host.name) from None
