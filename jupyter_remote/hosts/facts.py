"""What was found out about a host, as values that checks and tables can use. Pure: nothing is asked here.

Raw answers come from `probing` (the host's) and `local_facts` (this machine's); whether a fact is good or bad
is for the `checks` modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..agent import gpus
from .shell_probe import newest_first, parse

if TYPE_CHECKING:
    from ..config_models import HostConfig

# What is asked of each NVIDIA GPU, by the words of `agent/gpus.py`.
GPU_FIELDS = ("index", "name", "memory.total", "driver_version", "compute_mode")
_UNKNOWN_PATH = re.compile(r"/\$[A-Za-z_]")


@dataclass(frozen=True)
class Answer:
    """What a command on the host said.

    Attributes:
        status: its exit code; 127 when there is no such program, None when it did not end in time.
        output: what it printed, errors too.
    """

    status: int | None
    output: str

    @property
    def there(self) -> bool:
        """Whether there is such a program."""
        return self.status != 127

    @property
    def well(self) -> bool:
        """Whether it ended well."""
        return self.status == 0

    @property
    def hangs(self) -> bool:
        """Whether it did not end in time."""
        return self.status is None

    @property
    def first_line(self) -> str:
        """What it said first."""
        return next((line.strip() for line in self.output.splitlines() if line.strip()), "")

    @property
    def last_line(self) -> str:
        """What it said last."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")


class Facts:
    """One host.

    Args:
        host: the resolved settings.
        hello: what the agent said first, with `noise` and `transport`; empty when none was reached.
        answer: of the probe; empty when there was none.
        local: what this machine knows of the way there, see `local_facts`.
    """

    def __init__(
        self,
        host: HostConfig,
        hello: Mapping[str, Any],
        answer: Mapping[str, Any],
        local: Mapping[str, Any],
    ) -> None:
        self.host = host
        self.hello = hello
        self.answer = answer
        self.local = local

    @property
    def reached(self) -> bool:
        """Whether the host itself has answered."""
        return bool(self.answer)

    def command(self, name: str) -> Answer:
        """What a command said; one that was not asked for is not there."""
        found = self._group("commands").get(name) or {"status": 127, "output": ""}
        return Answer(found.get("status"), str(found.get("output") or found.get("error") or ""))

    def file(self, path: str) -> str:
        """The beginning of a file, "" when it can't be read."""
        text = self._group("files").get(path)
        return text if isinstance(text, str) else ""

    def place(self, name: str) -> dict[str, Any] | None:
        """The facts of a folder; None when it is not there, or did not answer."""
        found = self._group("places").get(name)
        if not isinstance(found, dict) or "free" not in found or _UNKNOWN_PATH.search(str(found["path"])):
            return None
        return found

    def variable(self, name: str) -> str | None:
        """A variable of the agent's environment, None when it isn't set."""
        return self._group("variables").get(name)

    @property
    def late(self) -> list[str]:
        """What did not answer in time: `places home`."""
        return list(self.answer.get("late") or ())

    @cached_property
    def cpus(self) -> int | None:
        """How many processors this user may use."""
        text = self.command("cpus").first_line
        return int(text) if text.isdigit() else None

    @cached_property
    def load(self) -> float | None:
        """The load of the last minute."""
        found = re.match(r"[\d.]+", self.file("/proc/loadavg"))
        return float(found[0]) if found else None

    @cached_property
    def memory(self) -> dict[str, int]:
        """`total` and `available` bytes; empty where that isn't told."""
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB", self.file("/proc/meminfo"), re.MULTILINE))
        free = found.get("MemAvailable", found.get("MemFree"))
        if "MemTotal" not in found or free is None:
            return {}
        return {"total": int(found["MemTotal"]) << 10, "available": int(free) << 10}

    @property
    def nodes(self) -> dict[str, bool]:
        """Device files of GPUs, and whether this user may use them."""
        return {str(path): bool(usable) for path, usable in self.answer.get("nodes") or ()}

    @property
    def reach(self) -> dict[str, str]:
        """Addresses that were tried: "" where one answered, else why not."""
        found: dict[str, str] = {}
        for address in self.host.reach:
            name = address if re.search(r":\d+$", address) else f"{address}:443"
            why = self._group("reach").get(name, "no answer")
            found[name] = why if isinstance(why, str) else "no answer"
        return found

    @property
    def leftovers(self) -> dict[str, Any]:
        """What of us is there: `live` sessions, dead `sessions`, `agents`, `processes`."""
        return self._group("leftovers")

    @cached_property
    def pythons(self) -> list[tuple[str, str]]:
        """(version, path) of each Python that was found, newest first."""
        return newest_first(parse(self.command("pythons").output).pythons)

    @cached_property
    def programs(self) -> dict[str, str]:
        """Programs on the PATH of the runs, with their paths."""
        return parse(self.command("path").output).programs

    @cached_property
    def login_programs(self) -> dict[str, str]:
        """Programs on the PATH of a login shell, with their paths."""
        return parse(self.command("login").output).programs

    @cached_property
    def login_path(self) -> str | None:
        """PATH of a login shell, None when that said none."""
        found = re.findall(r"^@@PATH (.*)$", self.command("login").output, re.MULTILINE)
        return found[-1] if found else None

    @cached_property
    def modules(self) -> str:
        """Where the `module` command of login shells lives, "" without one."""
        return parse(self.command("login").output).modules or parse(self.command("path").output).modules

    @cached_property
    def interpreter(self) -> dict[str, Any]:
        """What the interpreter of the settings says of itself; empty when it didn't."""
        found = re.findall(r"^@@(\{.*\})$", self.command("interpreter").output, re.MULTILINE)
        try:
            value = json.loads(found[-1]) if found else {}
        except ValueError:
            value = {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def gpus(self) -> list[dict[str, Any]]:
        """The NVIDIA GPUs: `index`, `name`, `memory_total` in bytes (None where one doesn't tell), `mode`."""
        answer = self.command("nvidia_query")
        lines = answer.output.splitlines() if answer.well else ()
        return [row for line in lines if (row := gpus.read_row(GPU_FIELDS, line)) is not None]

    @cached_property
    def mig(self) -> list[str]:
        """The MIG instances, as `nvidia-smi -L` names them."""
        return [name for name, _ in gpus.read_instances(self.command("nvidia_list").output).values()]

    @cached_property
    def amd(self) -> list[str]:
        """The names of AMD GPUs."""
        answer = self.command("rocm")
        if not answer.well:
            return []
        found = re.findall(r"GPU\[(\d+)\].*?Card [Ss]eries:\s*(.+?)\s*$", answer.output, re.MULTILINE)
        return list(dict(found).values())

    @cached_property
    def driver(self) -> str:
        """The NVIDIA driver's version, "" without one."""
        for text in (self.command("nvidia").output, self.file("/proc/driver/nvidia/version")):
            if found := re.search(r"(?:Driver Version:|Kernel Module(?: for \S+)?)\s+(\d+\.[\d.]+)", text):
                return found[1]
        return ""

    @cached_property
    def cuda(self) -> str:
        """The newest CUDA that the driver runs, "" when it doesn't say."""
        found = re.search(r"CUDA Version:\s*(\d+\.\d+)", self.command("nvidia").output)
        return found[1] if found else ""

    @cached_property
    def containers(self) -> dict[str, str]:
        """Container engines that are there: "" where this user can use it, else why not."""
        found = {}
        for name in ("docker", "podman", "apptainer", "singularity"):
            answer = self.command(name)
            if answer.there:
                why = "" if answer.well else "does not answer" if answer.hangs else answer.last_line
                found[name] = why or ("" if answer.well else f"exit code {answer.status}")
        return found

    @cached_property
    def system(self) -> str:
        """The name of the operating system's release."""
        found = re.search(r'^PRETTY_NAME="?([^"\n]+)', self.file("/etc/os-release"), re.MULTILINE)
        return found[1] if found else str(self.hello.get("platform", ""))

    @property
    def default_route(self) -> bool | None:
        """Whether anything leads out of the host's own networks; None where that isn't told."""
        four, six = self.file("/proc/net/route"), self.file("/proc/net/ipv6_route")
        if not four and not six:
            return None
        lines = [line.split() for line in four.splitlines()[1:]]
        if any(len(cells) > 3 and cells[1] == "00000000" and int(cells[3], 16) & 2 for cells in lines):
            return True
        return any(
            line.startswith("0" * 32 + " 00 ") and not line.endswith(" lo") for line in six.splitlines()
        )

    def _group(self, name: str) -> dict[str, Any]:
        found = self.answer.get(name)
        return found if isinstance(found, dict) else {}


def to_save(facts: Facts) -> dict[str, Any]:
    """What of the facts is kept under `facts:` of the host: what doesn't change from day to day."""
    disk = facts.place("home")
    kept: dict[str, Any] = {
        "system": facts.system,
        "machine": facts.hello.get("machine"),
        "python_version": facts.interpreter.get("version") or facts.hello.get("python"),
        "cpu_count": facts.cpus,
        "memory": facts.memory.get("total"),
        "home_size": disk and disk["total"],
        "gpu_info": facts.gpus[0]["name"] if facts.gpus else facts.amd[0] if facts.amd else None,
        "gpu_count": len(facts.gpus) or len(facts.amd),
        "gpu_memory": facts.gpus[0]["memory_total"] if facts.gpus else None,
        "driver": facts.driver,
        "cuda": facts.cuda,
        "containers": [name for name, why in facts.containers.items() if not why],
        "scheduler": scheduler(facts),
        "modules": bool(facts.modules),
        "internet": not all(facts.reach.values()) if facts.reach else None,
    }
    return {key: value for key, value in kept.items() if value not in (None, "", [])}


def scheduler(facts: Facts) -> str:
    """`slurm` or `pbs` where its controller answers, else ""."""
    if facts.command("slurm").well and re.search(r"\bis UP", facts.command("slurm_ping").output):
        return "slurm"
    return "pbs" if facts.command("pbs").well else ""
