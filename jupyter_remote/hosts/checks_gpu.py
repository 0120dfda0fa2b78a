"""Checks of the host's GPUs: whether they can be seen, why not, and in which mode they are."""

from __future__ import annotations

import re

from ..call import format_size
from .facts import Facts
from .findings import Check, Finding, failed, not_applicable, ok, warning
from .shell_probe import version_of

_NO_DRIVER = re.compile(r"couldn't communicate with the NVIDIA driver", re.IGNORECASE)
_MISMATCH = re.compile(r"Driver/library version mismatch", re.IGNORECASE)
_NONE = re.compile(r"No devices were found", re.IGNORECASE)
_RESTARTED = "Restart the machine (or reload the nvidia modules when nobody uses them); only root can."


def _nodes(facts: Facts) -> list[str]:
    return [path for path in facts.nodes if path.startswith("/dev/nvidia")]


def _cards(facts: Facts) -> list[str]:
    return [path for path in _nodes(facts) if re.search(r"nvidia\d+$", path)]


def _gpu(facts: Facts) -> Finding:
    answer = facts.command("nvidia")
    if facts.gpus:
        names = [gpu["name"] for gpu in facts.gpus]
        memory = facts.gpus[0]["memory_total"]
        each = (
            f", {format_size(memory)} each"
            if memory and len(names) > 1
            else f", {format_size(memory)}"
            if memory
            else ""
        )
        return ok("; ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names)) + each)
    if facts.amd:
        return ok(f"{len(facts.amd)} × {facts.amd[0]}")
    if answer.hangs:
        return failed(
            "nvidia-smi hangs",
            "A GPU has fallen off the bus, or its driver is stuck: `dmesg | grep -i xid` says more. "
            + _RESTARTED,
        )
    if not answer.there:
        if _cards(facts) or facts.file("/proc/driver/nvidia/version"):
            return warning(
                "there is an NVIDIA driver, but no nvidia-smi on the PATH",
                "Put its folder on the PATH in `env_setup` (often /usr/bin or /usr/lib/wsl/lib).",
            )
        return not_applicable("no GPU: neither nvidia-smi nor rocm-smi is there")
    if _MISMATCH.search(answer.output):
        return failed(
            "the NVIDIA driver was updated, and the one that is loaded is older "
            "(driver/library version mismatch)",
            _RESTARTED,
        )
    if _NO_DRIVER.search(answer.output):
        if facts.file("/proc/driver/nvidia/version") and not _cards(facts):
            return failed(
                "the NVIDIA driver is loaded, but its device files are not there",
                "In a container: start it with its GPUs (`--gpus all`, `--nv`). Else: "
                "`nvidia-modprobe -u -c 0` as root.",
            )
        return failed(
            "no NVIDIA driver runs: nvidia-smi can't communicate with it",
            "`lsmod | grep nvidia` and `dmesg | grep -i nvidia` say why; after a new kernel "
            "the driver is built anew.",
        )
    if _NONE.search(answer.output):
        if facts.nodes and not all(facts.nodes.values()):
            return failed("no GPU may be used: no permission", "See the check `GPU permissions`.")
        return failed(
            "the NVIDIA driver finds no GPU",
            "In a job or container: ask for one (`--gpus 1`, `--gres=gpu:1`). Else: `dmesg | grep -i nvrm`.",
        )
    said = answer.last_line or "nothing"
    return failed(f"nvidia-smi ends with {answer.status}: {said}", "Run it there by hand: `nvidia-smi`.")


def _permissions(facts: Facts) -> Finding:
    if not facts.nodes:
        return not_applicable("no device files of GPUs")
    closed = [path for path, usable in facts.nodes.items() if not usable]
    if not closed:
        return ok(f"{len(facts.nodes)} device files may be used")
    group = (
        "render or video" if any("/dri/" in path or "kfd" in path for path in closed) else "video or vglusers"
    )
    shown = ", ".join(closed[:4]) + (" …" if len(closed) > 4 else "")
    if not any(path.startswith("/dev/nvidia") or path == "/dev/kfd" for path in closed):
        return ok(f"{shown} are closed to this user; only graphics needs them")
    return failed(
        f"no permission on {shown}",
        f"Ask to be put into the group that owns them (often {group}), or for a GPU of the "
        "scheduler, then log in anew.",
    )


def _driver(facts: Facts) -> Finding:
    if not facts.driver:
        return not_applicable("no NVIDIA driver")
    module = re.search(
        r"Kernel Module(?: for \S+)?\s+(\d+\.[\d.]+)", facts.file("/proc/driver/nvidia/version")
    )
    library = re.search(
        r"(?:NVML library|Driver) [Vv]ersion:\s*(\d+\.[\d.]+)", facts.command("nvidia").output
    )
    if module and library and not module[1].startswith(library[1]) and not library[1].startswith(module[1]):
        return failed(f"the loaded driver is {module[1]}, its libraries are {library[1]}", _RESTARTED)
    return ok(f"driver {facts.driver}")


def _cuda(facts: Facts) -> Finding:
    if not facts.gpus:
        return not_applicable("no NVIDIA GPU that can be used")
    if not facts.cuda:
        return not_applicable("nvidia-smi does not say which CUDA it runs")
    runs = version_of(facts.cuda)
    toolkit = re.search(r"release (\d+\.\d+)", facts.command("nvcc").output)
    torch = facts.interpreter.get("torch_cuda")
    for what, version in (("PyTorch is built for", torch), ("nvcc is of", toolkit and toolkit[1])):
        # Within one major version an older driver runs what was built with a newer toolkit.
        if version and version_of(str(version))[:1] > runs[:1]:
            return failed(
                f"{what} CUDA {version}, the driver runs at most {facts.cuda}",
                f"Install one built for CUDA {facts.cuda} or older, or ask for a newer driver "
                f"than {facts.driver}.",
            )
        if version and version_of(str(version)) > runs:
            return warning(
                f"{what} CUDA {version}, newer than the driver's {facts.cuda}",
                "Most works within one major version; what is compiled at run time (PTX) does not.",
            )
    if torch is None and facts.interpreter.get("torch"):
        return warning(
            "PyTorch there is built without CUDA",
            "Install a build with CUDA: it depends on the index that pip asks.",
        )
    more = f", PyTorch for {torch}" if torch else ""
    return ok(f"the driver runs CUDA {facts.cuda}{more}{f', nvcc {toolkit[1]}' if toolkit else ''}")


def _mode(facts: Facts) -> Finding:
    if not facts.gpus:
        return not_applicable("no NVIDIA GPU that can be used")
    modes = {str(gpu["index"]): str(gpu["mode"]) for gpu in facts.gpus}
    closed = [index for index, mode in modes.items() if mode == "Prohibited"]
    alone = [index for index, mode in modes.items() if mode.startswith("Exclusive")]
    if closed:
        return failed(
            f"GPU {', '.join(closed)}: compute mode Prohibited",
            f"As root: nvidia-smi -i {','.join(closed)} -c DEFAULT",
        )
    mps = facts.command("mps")
    if alone and not mps.well:
        return warning(
            f"GPU {', '.join(alone)} takes one process at a time (compute mode Exclusive)",
            "A session keeps its GPU until it ends: `sessions stop` frees it; use `--fresh` for short runs.",
        )
    if mps.well:
        owner = mps.first_line.split()[:1]
        if facts.variable("CUDA_MPS_PIPE_DIRECTORY") is None and owner not in ([], ["root"]):
            return ok(f"MPS runs, as {owner[0]}; programs use it when CUDA_MPS_PIPE_DIRECTORY says where")
        return ok("MPS runs: processes share a GPU through it")
    return ok("compute mode Default")


def _visible(facts: Facts) -> Finding:
    value = facts.variable("CUDA_VISIBLE_DEVICES")
    if not facts.gpus and value is None:
        return not_applicable("no NVIDIA GPU that can be used")
    if value is None:
        return ok("not set: all GPUs are visible")
    if value.strip() in ("", "-1", "NoDevFiles"):
        return failed(
            f"CUDA_VISIBLE_DEVICES is {value!r}: programs see no GPU",
            "The login's profile (or the scheduler) sets it so; take it out there, or ask "
            "the scheduler for a GPU.",
        )
    return ok(f"CUDA_VISIBLE_DEVICES={value}")


def _mig(facts: Facts) -> Finding:
    if not facts.gpus:
        return not_applicable("no NVIDIA GPU that can be used")
    if not facts.mig:
        return not_applicable("no GPU is divided (MIG)")
    return ok(
        f"{len(facts.mig)} MIG instances: {', '.join(sorted(set(facts.mig)))}; a process sees one of them"
    )


CHECKS = (
    Check("GPU", "whether GPUs can be seen, and why not", _gpu),
    Check("GPU permissions", "whether this user may use their device files", _permissions),
    Check("GPU driver", "whether the loaded driver and its libraries are the same", _driver),
    Check("CUDA", "whether the driver runs the CUDA that PyTorch and nvcc are of", _cuda),
    Check("GPU mode", "whether processes may share a GPU: compute mode, MPS", _mode),
    Check("CUDA_VISIBLE_DEVICES", "whether the login hides GPUs", _visible),
    Check("MIG", "whether GPUs are divided", _mig),
)
