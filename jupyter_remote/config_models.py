"""What `hosts.yaml` may contain: one model per section, one field per key.

Only shapes, defaults and single-value rules belong here. Reading files, layering and error texts are
in `config_file` and `config`; what a key does is in the module that uses it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .durations import parse_duration
from .errors import UsageError
from .excerpt import DEFAULT_LIMIT

_SIZES = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    try:
        return parse_duration(str(value))
    except UsageError:
        raise ValueError("a duration such as 30, 90s, 15m, 1h30m or 24h") from None


def parse_size(value: object) -> int:
    """Bytes of `1000`, `"500M"`, `"2 GiB"`; K, M, G and T are powers of 1024.

    Raises:
        ValueError: it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
    if match is None or isinstance(value, bool):
        raise ValueError("a size such as 1000, 500M or 2G")
    return int(float(match[1]) * 1024 ** _SIZES[match[2].upper()])


def _word(value: str) -> str:
    # These end up as arguments of `ssh`: a leading dash would be read as an option.
    if not value or value.startswith("-") or any(ch.isspace() or not ch.isprintable() for ch in value):
        raise ValueError("one word without spaces that does not start with `-`")
    return value


def _variable_names(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"names of variables (letters, digits, `_`); `{name}` is none")
    return value


Duration = Annotated[float, BeforeValidator(_seconds)]
Size = Annotated[int, BeforeValidator(parse_size)]
Word = Annotated[str, AfterValidator(_word)]
AtLeastOne = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Variables = Annotated[dict[str, str], AfterValidator(_variable_names)]


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )
    # Other names of keys: those that the users of a program know from its own options.
    SYNONYMS: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _by_one_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not cls.SYNONYMS:
            return data
        found: dict[Any, Any] = {}
        for key, value in data.items():
            name = cls.SYNONYMS.get(key, key)
            if name in found and found[name] != value:
                raise ValueError(f"one of {name} and {key}: they are the same")
            found[name] = value
        return found


class SshOptions(Section):
    """`ssh:` of a host. A key that is not set is as the ssh configuration says."""

    # None: as the ssh configuration says. True or "ask": ask about an unknown key. False, "no" or
    # "accept-new": accept it. "yes" (with quotes: YAML's own yes is True): refuse it and ask nobody.
    # A changed key is refused whatever stands here.
    strict_host_key_checking: bool | Literal["ask", "accept-new", "yes", "no"] | None = None
    compression: bool | None = None
    cipher: Word | None = None
    forward_agent: bool | None = None
    keepalive: Duration | None = None
    # The name under which the host's key is known; for a machine whose address changes.
    host_key_alias: Word | None = None
    config_file: str | None = None


class SyncOptions(Section):
    """`sync:` of a host or project; the lists of all layers add up."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    pull: tuple[str, ...] = ()
    max_file_size: Size | None = None


class ContainerOptions(Section):
    """`container:`: where the worker runs when `launcher: container`."""

    engine: Literal["docker", "podman", "apptainer"] = "docker"
    image: str | None = None
    network: str | None = None
    gpus: str | None = None
    env: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


class SlurmOptions(Section):
    """`slurm:`: what is asked of Slurm when `launcher: slurm`."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    nodes: AtLeastOne | None = None
    tasks: AtLeastOne | None = None
    gpus: str | None = None
    cpus: AtLeastOne | None = None
    memory: str | None = None
    constraint: str | None = None
    array: str | None = None
    # Seconds between two questions to the scheduler while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    # How a running session is reached: `auto` tries `srun --overlap`, `inbox` takes files only.
    control: Literal["auto", "inbox"] = "auto"
    args: tuple[str, ...] = ()
    # Further options of sbatch, under their own names.
    acctg_freq: str | None = None
    batch: str | None = None
    bb: str | None = None
    begin: str | None = None
    cluster_constraint: str | None = None
    clusters: str | None = None
    comment: str | None = None
    contiguous: bool | None = None
    core_spec: str | None = None
    cores_per_socket: str | None = None
    cpu_freq: str | None = None
    cpus_per_gpu: str | None = None
    deadline: str | None = None
    delay_boot: str | None = None
    dependency: str | None = None
    distribution: str | None = None
    exclude: str | None = None
    exclusive: bool | Literal["user", "mcs", "topo"] | None = None
    extra_node_info: str | None = None
    gpu_bind: str | None = None
    gpu_freq: str | None = None
    gpus_per_node: str | None = None
    gpus_per_socket: str | None = None
    gpus_per_task: str | None = None
    gres: str | None = None
    gres_flags: str | None = None
    hint: str | None = None
    hold: bool | None = None
    licenses: str | None = None
    mail_type: str | None = None
    mail_user: str | None = None
    mem_bind: str | None = None
    mem_per_cpu: str | None = None
    mem_per_gpu: str | None = None
    mincpus: str | None = None
    network: str | None = None
    nice: str | None = None
    nodelist: str | None = None
    ntasks_per_core: str | None = None
    ntasks_per_gpu: str | None = None
    ntasks_per_node: str | None = None
    ntasks_per_socket: str | None = None
    overcommit: bool | None = None
    oversubscribe: bool | None = None
    power: str | None = None
    prefer: str | None = None
    priority: str | None = None
    profile: str | None = None
    reboot: bool | None = None
    reservation: str | None = None
    signal: str | None = None
    sockets_per_node: str | None = None
    spread_job: bool | None = None
    switches: str | None = None
    thread_spec: str | None = None
    threads_per_core: str | None = None
    time_min: str | None = None
    tmp: str | None = None
    use_min_nodes: bool | None = None
    wckey: str | None = None


class PbsQueue(Section):
    """An entry of `pbs.queues`: which jobs `queue: auto` gives to that queue. Amounts are of a whole job."""

    min_cpus: AtLeastOne | None = None
    max_cpus: AtLeastOne | None = None
    min_gpus: NotNegative | None = None
    max_gpus: NotNegative | None = None
    min_memory: Size | None = None
    max_memory: Size | None = None
    max_walltime: Duration | None = None


class PbsOptions(Section):
    """`pbs:`: what is asked of PBS when `launcher: pbs`."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        "ncpus": "cpus",
        "ngpus": "gpus",
        "mem": "memory",
        "time": "walltime",
    }

    # The name of one, or `auto`: the first of `queues` that takes the job.
    queue: str | None = None
    queues: dict[str, PbsQueue] = Field(default_factory=dict)
    project: str | None = None
    walltime: str | None = None
    # Of how many nodes; without it the amounts are those of the job, with it of each node.
    nodes: AtLeastOne | None = None
    cpus: AtLeastOne | None = None
    gpus: NotNegative | None = None
    memory: str | None = None
    # Chunks in PBS's own words, instead of the four before.
    select: str | None = None
    storage: str | None = None
    place: str | None = None
    # Further ones for `-l`: `jobfs=100GB,software=x`.
    resources: str | None = None
    account: str | None = None
    priority: str | None = None
    depend: str | None = None
    begin: str | None = None
    hold: bool | None = None
    mail_user: str | None = None
    mail_events: Word | None = None
    # Of Grid Engine, for several CPUs; `smp` when it is not set.
    parallel_environment: str | None = None
    # Seconds between two questions to the scheduler while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    args: tuple[str, ...] = ()


class RayOptions(Section):
    """`ray:`: what is asked of Ray when `launcher: ray`."""

    # Of the cluster's job server, `http://127.0.0.1:8265`; `auto` leaves it to Ray.
    address: str = "auto"
    # The program there: a name, or its path in an environment that is not on the PATH.
    program: str = "ray"
    cpus: Amount | None = None
    gpus: Amount | None = None
    memory: Size | None = None
    resources: dict[str, float] = Field(default_factory=dict)
    # Seconds between two questions to Ray while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    # Further words of `ray job submit`, such as --runtime-env=FILE.
    args: tuple[str, ...] = ()


class Ec2Options(Section):
    """`ec2:`: which machine `type: ec2` starts and stops."""

    instance_id: Word | None = None
    # Instead of the id; exactly one machine may have all of them.
    tags: dict[str, str] = Field(default_factory=dict)
    region: str | None = None
    profile: str | None = None
    address: Literal["public", "private"] = "public"
    # It switches itself off when none of my runs goes on for so long, and its load is no higher than that.
    stop_when_idle: Duration | None = None
    idle_load: Amount = 0.5


class HostSettings(Section):
    """The keys of one entry under `hosts:` (and of `defaults:`)."""

    type: Literal["ssh", "ec2", "command", "local"] = "ssh"
    hostname: Word | None = None
    address: Word | None = None
    user: Word | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    ssh_key: str | None = None
    transport: Literal["auto", "paramiko", "openssh"] = "auto"
    ssh: SshOptions = SshOptions()
    command: tuple[str, ...] = ()
    python: str = "python3"
    workspace: str = "~/jupyter-remote/{project}"
    # Where `env create` keeps environments on the host; empty for a folder beside the runs.
    env_root: str = ""
    # What environments are made with, where `python` is one of them.
    env_python: str = ""
    env_setup: str = ""
    env_setup_timeout: Annotated[Duration, Field(gt=0)] = 300.0
    env: Variables = Field(default_factory=dict)
    sync: SyncOptions = SyncOptions()
    launcher: Literal["process", "container", "slurm", "pbs", "ray"] = "process"
    container: ContainerOptions = ContainerOptions()
    slurm: SlurmOptions = SlurmOptions()
    pbs: PbsOptions = PbsOptions()
    ray: RayOptions = RayOptions()
    ec2: Ec2Options = Ec2Options()
    facts: dict[str, Any] = Field(default_factory=dict)
    # What `setup` and `doctor` try to reach from the host, each NAME:PORT.
    reach: tuple[Word, ...] = ("github.com:443", "example.com:443")
    # A folder on the host where all its users write who has which GPU; None for one of one's own.
    gpu_leases: str | None = None
    # Whether variables may be pickled, and code that the host sends be run here.
    trust: Literal["pickle"] | None = None
    connect_timeout: Annotated[Duration, Field(gt=0)] = 30.0
    session_idle: Duration | None = 86400.0
    log_cap: Size | None = 10 << 30
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

    type: Literal["s3", "folder"]
    bucket: str | None = None
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    path: str | None = None


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
            merged[key] = deep_merge(before, value)
        else:
            merged[key] = value
    if isinstance(base.get("sync"), Mapping) and isinstance(over.get("sync"), Mapping):
        for key in ("include", "exclude", "pull"):
            if key in base["sync"] and key in over["sync"]:
                merged["sync"][key] = [*base["sync"][key], *over["sync"][key]]
    return merged
