"""What a host's settings may ask of a scheduler: one model per launcher, one field per key.

What a key becomes is in `launchers/`, in the module of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .config_types import Amount, AtLeastOne, Duration, NotNegative, Section, Size, Word


class SlurmOptions(Section):
    """`slurm:`: what is asked of Slurm when `launcher: slurm`."""

    # Which one; the cluster's default when not set.
    partition: str | None = None
    # Which account pays.
    account: str | None = None
    # Which quality of service.
    qos: str | None = None
    # The limit: 30 (minutes), 2h, 01:30:00 or 1-12:00:00.
    time: str | None = None
    # How many; with more than one a program starts on each.
    nodes: AtLeastOne | None = None
    # How many in all.
    tasks: AtLeastOne | None = None
    # How many, or KIND:N.
    gpus: str | None = None
    # For each task.
    cpus: AtLeastOne | None = None
    # Of each node: 16G.
    memory: str | None = None
    # Features that the nodes must have.
    constraint: str | None = None
    # Numbers of tasks: 0-15, 1,3,5 or 0-99%4.
    array: str | None = None
    # Seconds between two questions to the scheduler while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    # How a running session is reached: `auto` tries `srun --overlap`, `inbox` takes files only.
    control: Literal["auto", "inbox"] = "auto"
    # Further words of sbatch.
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
    OF_THE_HOST: ClassVar[tuple[str, ...]] = ("queues",)

    # The name of one, or `auto`: the first of `queues` that takes the job.
    queue: str | None = None
    # Which jobs `queue: auto` gives to which queue.
    queues: dict[str, PbsQueue] = Field(default_factory=dict)
    # Which project pays (`-P`).
    project: str | None = None
    # The limit: 2h or 01:30:00.
    walltime: str | None = None
    # Of how many nodes; without it the amounts are those of the job, with it of each node.
    nodes: AtLeastOne | None = None
    # How many.
    cpus: AtLeastOne | None = None
    # How many.
    gpus: NotNegative | None = None
    # 16GB, say.
    memory: str | None = None
    # Chunks in PBS's own words, instead of the four before.
    select: str | None = None
    # File systems to mount, as NCI's PBS wants them: gdata/ab12+scratch/ab12.
    storage: str | None = None
    # How chunks are spread: scatter, pack, excl.
    place: str | None = None
    # Further ones for `-l`: `jobfs=100GB,software=x`.
    resources: str | None = None
    # For accounting (`-A`).
    account: str | None = None
    # From -1024 to 1023.
    priority: str | None = None
    # Jobs that have to end before: afterok:1234.
    depend: str | None = None
    # Not before this time (`-a`).
    begin: str | None = None
    # Whether it waits until it is released.
    hold: bool | None = None
    # To whom mail goes.
    mail_user: str | None = None
    # When: a, b, e in any combination, or n.
    mail_events: Word | None = None
    # Of Grid Engine, for several CPUs; `smp` when it is not set.
    parallel_environment: str | None = None
    # Seconds between two questions to the scheduler while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    # Further words of qsub.
    args: tuple[str, ...] = ()


class RayOptions(Section):
    """`ray:`: what is asked of Ray when `launcher: ray`."""

    OF_THE_HOST: ClassVar[tuple[str, ...]] = ("address", "program")

    # Of the cluster's job server, `http://127.0.0.1:8265`; `auto` leaves it to Ray.
    address: str = "auto"
    # The program there: a name, or its path in an environment that is not on the PATH.
    program: str = "ray"
    # Of the entrypoint.
    cpus: Amount | None = None
    # Of the entrypoint.
    gpus: Amount | None = None
    # Of the entrypoint.
    memory: Size | None = None
    # Further resources of the entrypoint, by name.
    resources: dict[str, float] = Field(default_factory=dict)
    # Seconds between two questions to Ray while nobody waits for a job to start.
    poll: Annotated[Duration, Field(ge=1)] = 30.0
    # Further words of `ray job submit`, such as --runtime-env=FILE.
    args: tuple[str, ...] = ()
