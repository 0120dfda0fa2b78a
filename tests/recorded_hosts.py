"""What hosts have answered to the probe, as facts for the checks: one good host, and changes to it.

The outputs of nvidia-smi are those of an H200, and for other cards the same in their names and sizes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from jupyter_remote.config_models import HostConfig
from jupyter_remote.hosts.facts import Facts

GIB = 1 << 30

HEADER = """\
Thu Nov 26 21:11:47 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda:<8} |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
"""
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
    "NVIDIA driver is installed and running.\n\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.86\n"
LOADED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Release Build\nGCC version:  gcc 12\n"
NVCC = "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release {cuda}, V{cuda}.99\n"


def said(output: str = "", status: int | None = 0) -> dict[str, Any]:
    """A command that ended so."""
    return {"status": status, "output": output, "seconds": 0.1}


MISSING = said("", 127)
HANGS = said("", None)


def cards(*rows: str, driver: str = "580.159.04", cuda: str = "13.0", mig: str = "") -> dict[str, Any]:
    """The commands about NVIDIA GPUs; a row is `NAME, MIB, MODE`."""
    lines = []
    for number, row in enumerate(rows):
        name, memory, mode = row.split(", ")
        lines.append(f"{number}, {name}, {memory}, {driver}, {mode}")
    listed = "".join(f"GPU {n}: {row.split(', ')[0]} (UUID: GPU-{n})\n" for n, row in enumerate(rows))
    return {
        "nvidia": said(HEADER.format(driver=driver, cuda=cuda)),
        "nvidia_query": said("\n".join(lines) + "\n"),
        "nvidia_list": said(listed + mig),
    }


A10 = cards("NVIDIA A10, 23028, Default", driver="535.183.01", cuda="12.2")
A100_MIG = cards(
    "NVIDIA A100-SXM4-80GB, 81920, Default",
    driver="550.54.15",
    cuda="12.4",
    mig="  MIG 3g.40gb     Device  0: (UUID: MIG-1)\n  MIG 3g.40gb     Device  1: (UUID: MIG-2)\n",
)
H100 = cards(*["NVIDIA H100 80GB HBM3, 81559, Default"] * 8, driver="570.86.15", cuda="12.8")
BROKEN = {name: said(NO_DRIVER, 9) for name in A10}
HUNG = dict.fromkeys(A10, HANGS)
MISMATCHED = {name: said(MISMATCH, 18) for name in A10}
NO_DEVICES = {name: said("No devices were found\n", 6) for name in A10}


def place(path: str, free: float = 100 * GIB, **facts: Any) -> dict[str, Any]:
    """A folder of the host."""
    base = {"path": path, "exists": True, "device": 1, "total": 200 * GIB, "free": int(free), "inodes": 10**7}
    return {**base, "inodes_free": 10**6, "noexec": False, "problem": "", **facts}


PYTHON = {
    "version": "3.11.2",
    "executable": "/usr/bin/python3",
    "prefix": "/usr",
    "ipython": "8.12.3",
    "ipykernel": "6.29",
    "torch": "2.4.0",
    "torch_cuda": "12.1",
    "encoding": "utf-8",
}
PATH = "/usr/local/bin:/usr/bin:/bin"
SEEN = f"\n@@PATH {PATH}\n@@program python3 /usr/bin/python3\n@@program uv /usr/bin/uv\n@@modules \n"

GOOD: dict[str, Any] = {
    "commands": {
        **H100,
        "pythons": said("@@python 3.11.2 /usr/bin/python3\n@@python 3.6.9 /opt/old/bin/python3\n"),
        "path": said(SEEN),
        "login": said(SEEN.replace("@@modules ", "@@modules /usr/share/lmod")),
        "umask": said("0022\n"),
        "charmap": said("UTF-8\n"),
        "cpus": said("64\n"),
        "quota": said("Disk quotas for user me (uid 1000): none\n"),
        "nvcc": said(NVCC.format(cuda="12.4")),
        "mps": said("", 1),
        "rocm": MISSING,
        "docker": said("27.3.1\n"),
        "podman": MISSING,
        "apptainer": said("apptainer version 1.3.4\n"),
        "singularity": MISSING,
        "slurm": said("slurm 23.11.4\n"),
        "slurm_ping": said("Slurmctld(primary) at head is UP\n"),
        "pbs": said("Server Max Tot Que Run Hld\npbs01 0 12 3 9 0\n"),
        "interpreter": said(f"\n@@{json.dumps(PYTHON)}\n"),
    },
    "files": {
        "/etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.4 LTS"\n',
        "/etc/resolv.conf": "nameserver 10.0.0.2\n",
        "/etc/ssh/sshd_config": "#MaxSessions 10\n",
        "/proc/driver/nvidia/version": LOADED.format(driver="570.86.15"),
        "/proc/net/route": "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100000A\t0003\t0\n",
        "/proc/net/ipv6_route": "",
        "/proc/meminfo": "MemTotal: 263799132 kB\nMemFree: 1 kB\nMemAvailable: 131899566 kB\n",
        "/proc/loadavg": "3.20 2.1 1.0 3/1000 12345\n",
    },
    "places": {
        "home": place("/home/me"),
        "tmp": place("/tmp"),
        "tmpdir": place("/home/me/$TMPDIR", exists=False),
        "state": place("/home/me/.local/state/jupyter-remote"),
        "workspace": place("/home/me/jupyter-remote/project", exists=False),
        "scratch": place("/scratch/me"),
        "/scratch": place("/scratch", exists=False),
        "/data": place("/data", exists=False),
    },
    "reach": {"github.com:443": "", "example.com:443": ""},
    "nodes": [["/dev/nvidia0", True], ["/dev/nvidiactl", True], ["/dev/dri/renderD128", False]],
    "variables": {
        "PATH": PATH,
        "LANG": "en_US.UTF-8",
        "SHELL": "/bin/bash",
        "https_proxy": "http://proxy:3128",
    },
    "leftovers": {"live": [{"name": "nb", "silent": False}], "sessions": [], "agents": [], "processes": []},
    "late": [],
}
HELLO: dict[str, Any] = {
    "hostname": "gpu01",
    "python": "3.11.2",
    "executable": "/usr/bin/python3",
    "platform": "linux",
    "machine": "x86_64",
    "state": "/home/me/.local/state/jupyter-remote",
    "version": "0.1.0",
    "protocol": 1,
    "skew": 0.2,
    "noise": "",
    "transport": {"name": "paramiko", "reason": "the ssh configuration asks for nothing special"},
}
LOCAL: dict[str, Any] = {
    "settings": {
        "hostname": "gpu01.example.org",
        "user": "me",
        "port": 22,
        "proxy_jump": [],
        "proxy_command": None,
        "strict": "ask",
        "identities_only": False,
        "forward_agent": False,
        "source": "ssh -G",
        "file": "~/.ssh/config",
    },
    "transport": {"wanted": "auto", "reason": None},
    "keys": [
        {"path": "/home/me/.ssh/id_ed25519", "private": True, "mode": 0o600, "readable": True, "is_key": True}
    ],
    "named_key": None,
    "agent": {"socket": "/tmp/agent", "keys": 1},
    "known": [{"where": "known_hosts:3", "marker": "", "kind": "ssh-ed25519", "fingerprint": "SHA256:abc"}],
    "addresses": ["192.0.2.7"],
    "greeting": "SSH-2.0-OpenSSH_9.2p1",
}


def merged(base: Any, change: Mapping[str, Any]) -> Any:
    """The base with what the change says, level by level; commands, places and lists are replaced whole."""
    whole = {"output", "free", "keys", "settings_whole"}
    result = dict(base)
    for key, value in change.items():
        before = result.get(key)
        deep = isinstance(before, dict) and isinstance(value, dict) and not (whole & set(before))
        result[key] = merged(before, value) if deep else value
    return result


def facts(
    answer: Mapping[str, Any] | None = None,
    hello: Mapping[str, Any] | None = None,
    local: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Facts:
    """The good host with these changes."""
    return Facts(
        HostConfig(name="gpu01", **settings),
        merged(HELLO, hello or {}),
        merged(copy.deepcopy(GOOD), answer or {}),
        merged(LOCAL, local or {}),
    )
