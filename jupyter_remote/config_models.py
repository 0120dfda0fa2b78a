"""What `hosts.yaml` may contain: one model per section, one field per key.

Only shapes, defaults and single-value rules belong here. Reading files, layering and error texts are
in `config_file` and `config`; what a key does is in the module that uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from .config_schedulers import PbsOptions, RayOptions, SlurmOptions
from .config_types import (
    Amount,
    ArchiveKind,
    Duration,
    HostKind,
    LauncherKind,
    Section,
    Size,
    TransportKind,
    Variables,
    Word,
)
from .excerpt import DEFAULT_LIMIT


class SshOptions(Section):
    """`ssh:` of a host. A key that is not set is as the ssh configuration says."""

    # None: as the ssh configuration says. True or "ask": ask about an unknown key. False, "no" or
    # "accept-new": accept it. "yes" (with quotes: YAML's own yes is True): refuse it and ask nobody.
    # A changed key is refused whatever stands here.
    strict_host_key_checking: bool | Literal["ask", "accept-new", "yes", "no"] | None = None
    # Whether the link is compressed.
    compression: bool | None = None
    # Which cipher, by OpenSSH's name.
    cipher: Word | None = None
    # Whether runs may use your ssh agent while a link brings it.
    forward_agent: bool | None = None
    # Seconds between two signs of life of an idle link.
    keepalive: Duration | None = None
    # The name under which the host's key is known; for a machine whose address changes.
    host_key_alias: Word | None = None
    # Instead of `~/.ssh/config`.
    config_file: str | None = None


class SyncOptions(Section):
    """`sync:` of a host or project; the lists of all layers add up."""

    # Patterns of files that go although git would leave them out.
    include: tuple[str, ...] = ()
    # Patterns of files that stay here although git would take them.
    exclude: tuple[str, ...] = ()
    # Patterns of files that every run brings here when it ends.
    pull: tuple[str, ...] = ()
    # A larger file is skipped, with a word about it.
    max_file_size: Size | None = None


class MetricOptions(Section):
    """`metrics:`: what counts as a metric of a run, beside the usual."""

    # Names (`gflops*`), or regular expressions with named groups.
    patterns: tuple[str, ...] = ()
    # Files that runs write, as in a .gitignore.
    files: tuple[str, ...] = ()


class ContainerOptions(Section):
    """`container:`: what a session or program runs in when `launcher: container`."""

    # The program that runs containers.
    engine: Literal["docker", "podman", "apptainer"] = "docker"
    # What the container is made of; it is never pulled from here, only by the engine.
    image: str | None = None
    # The Python of the cells, in the image.
    python: str | None = None
    # `host`, `none` or one of the engine's.
    network: Word | None = None
    # `all`, a number or UUIDs, as the engine takes them.
    gpus: str | None = None
    # The limit, as the engine takes it: 16g.
    memory: Word | None = None
    # The limit.
    cpus: Amount | None = None
    # Size of /dev/shm, which data loaders of PyTorch need: 8g.
    shm: Word | None = None
    # `UID:GID` inside; the default makes files that belong to you.
    user: Word | None = None
    # Whether a missing image is fetched by the engine.
    pull: Literal["missing", "never"] = "missing"
    # Names of the host's variables that go in.
    env: tuple[str, ...] = ()
    # Further folders, `HOST:CONTAINER[:ro]`.
    volumes: tuple[str, ...] = ()
    # Further words of the engine's `run`.
    args: tuple[str, ...] = ()
    # How often it is looked whether a container is still watched, and no engine is asked for that.
    poll: Annotated[Duration, Field(ge=1)] = 2.0


class Ec2Options(Section):
    """`ec2:`: which machine `type: ec2` starts and stops."""

    # The id of the machine.
    instance_id: Word | None = None
    # Instead of the id; exactly one machine may have all of them.
    tags: dict[str, str] = Field(default_factory=dict)
    # As boto3 finds it when it is not set.
    region: str | None = None
    # Of the AWS configuration.
    profile: str | None = None
    # Which of its addresses is used.
    address: Literal["public", "private"] = "public"
    # It switches itself off when none of my runs goes on for so long, and its load is no higher than that.
    stop_when_idle: Duration | None = None
    # The load (1 minute, all processors) up to which it counts as idle.
    idle_load: Amount = 0.5


class HostSettings(Section):
    """The keys of one entry under `hosts:` (and of `defaults:`)."""

    # Which kind of host it is: ssh, ec2, command, local, or one that another package brings.
    type: HostKind = "ssh"
    # Where it is: a name, an address, or an alias of the ssh configuration; default is the entry's own name.
    hostname: Word | None = None
    # Where other hosts reach it (`MASTER_ADDR`); default is `hostname`.
    address: Word | None = None
    # Who logs in; default is as the ssh configuration says.
    user: Word | None = None
    # Of its sshd; default is as the ssh configuration says.
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    # The private key, or its public half when the agent has it.
    ssh_key: str | None = None
    # How bytes get there: auto, paramiko, openssh, or one that another package brings; `auto` takes
    # paramiko unless the ssh configuration asks for more than it can.
    transport: TransportKind = "auto"
    ssh: SshOptions = SshOptions()
    # For `type: command`: the words that lead to a shell, such as `[docker, exec, -i, NAME]`.
    command: tuple[str, ...] = ()
    # The interpreter of sessions and programs on the host.
    python: str = "python3"
    # Where the workspace's mirror is on the host; `{project}` is the name of the local folder.
    workspace: str = "~/jupyter-remote/{project}"
    # Where `env create` keeps environments on the host; empty for a folder beside the runs.
    env_root: str = ""
    # What environments are made with, where `python` is one of them.
    env_python: str = ""
    # Lines of shell that are sourced before a session or program starts: `module load cuda`.
    env_setup: str = ""
    # How long those lines may take.
    env_setup_timeout: Annotated[Duration, Field(gt=0)] = 300.0
    # Environment variables of sessions and programs.
    env: Variables = Field(default_factory=dict)
    sync: SyncOptions = SyncOptions()
    metrics: MetricOptions = MetricOptions()
    # How processes are started there: process, container, slurm, pbs, ray, or one of another package.
    launcher: LauncherKind = "process"
    container: ContainerOptions = ContainerOptions()
    slurm: SlurmOptions = SlurmOptions()
    pbs: PbsOptions = PbsOptions()
    ray: RayOptions = RayOptions()
    ec2: Ec2Options = Ec2Options()
    # What a kind of another package is told; that package says which keys there are.
    plugin: dict[str, Any] = Field(default_factory=dict)
    # What `setup` found; written by it.
    facts: dict[str, Any] = Field(default_factory=dict)
    # What `setup` and `doctor` try to reach from the host, each NAME:PORT.
    reach: tuple[Word, ...] = ("github.com:443", "example.com:443")
    # A folder on the host where all its users write who has which GPU; None for one of one's own.
    gpu_leases: str | None = None
    # Whether variables may be pickled, and code that the host sends be run here.
    trust: Literal["pickle"] | None = None
    # How long connecting may take.
    connect_timeout: Annotated[Duration, Field(gt=0)] = 30.0
    # A session that nobody uses ends after this time; `null` for never.
    session_idle: Duration | None = 86400.0
    # Of a run that prints more, beginning and end are kept; `null` for no limit.
    log_cap: Size | None = 10 << 30
    # So much of what a cell prints is shown in the notebook; all of it is in the log.
    output_limit: Size | None = DEFAULT_LIMIT


class HostConfig(HostSettings):
    """One host, all layers resolved. `name` is what the user calls it, and no key of the file."""

    name: str

    @property
    def destination(self) -> str:
        """What ssh is asked for: `hostname` or else the name; either may be an alias of the ssh config."""
        return self.hostname or self.name

    @property
    def interpreter(self) -> str:
        """The Python of the runs: `python`, or on the built-in host that of the notebook itself."""
        return self.python if self.type != "local" or "python" in self.model_fields_set else sys.executable


class Archive(Section):
    """One entry under `archives:`."""

    # Which kind of archive it is: s3, folder, or one that another package brings.
    type: ArchiveKind
    # For `type: s3`.
    bucket: str | None = None
    # What the names of all objects begin with.
    prefix: str = ""
    # Of another service that speaks S3's protocol.
    endpoint_url: str | None = None
    # As boto3 finds it when it is not set.
    region: str | None = None
    # Of the AWS configuration.
    profile: str | None = None
    # For `type: folder`.
    path: str | None = None
    # What a kind of another package is told.
    plugin: dict[str, Any] = Field(default_factory=dict)


class ConfigFile(Section):
    """A whole `hosts.yaml` or `.jupyter-remote.yaml`."""

    defaults: HostSettings = HostSettings()
    hosts: dict[str, HostSettings] = Field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    archives: dict[str, Archive] = Field(default_factory=dict)


def section_at(root: type[Section], path: tuple[str | int, ...]) -> type[Section] | None:
    """The model that holds the last key of `path`, or None where keys are free (`env`, `facts`)."""
    model: type[Section] | None = root
    free: type[Section] | None = None
    for key in path[:-1]:
        if free is not None:
            model, free = free, None
        elif model is not None and str(key) in model.model_fields:
            annotation: Any = model.model_fields[str(key)].annotation
            if isinstance(annotation, type) and issubclass(annotation, Section):
                model = annotation
            else:
                values = [arg for arg in getattr(annotation, "__args__", ()) if isinstance(arg, type)]
                free = next((arg for arg in values if issubclass(arg, Section)), None)
                model = None
        else:
            return None
    return model


def is_text(path: tuple[str, ...]) -> bool:
    """Whether the host key at `path` takes text as it stands, so that it must not be read as YAML."""
    if len(path) == 2 and path[0] == "env":
        return True
    model = section_at(HostSettings, path)
    field = model.model_fields.get(path[-1]) if model else None
    return field is not None and field.annotation in (str, str | None, Word | None)


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` overlaid by `over`: mappings merge, the lists of `sync` add up, everything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(_by_one_name(key, before), _by_one_name(key, value))
        else:
            merged[key] = value
    if isinstance(base.get("sync"), Mapping) and isinstance(over.get("sync"), Mapping):
        for key in ("include", "exclude", "pull"):
            if key in base["sync"] and key in over["sync"]:
                merged["sync"][key] = [*base["sync"][key], *over["sync"][key]]
    return merged


def _by_one_name(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A section without synonyms, so that a layer replaces what another says by another name."""
    return {one_name(section, key): value for key, value in values.items()}


def one_name(section: str, key: str) -> str:
    """The name of a key of that section of a host, of which `key` may be a synonym."""
    field = HostSettings.model_fields.get(section)
    names: Mapping[str, str] = getattr(field.annotation, "SYNONYMS", {}) if field else {}
    return names.get(key, key)
