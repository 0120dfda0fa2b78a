"""What `setup` and `doctor` ask a host, in one message, and getting the answer.

The agent runs what is asked here and understands none of it (`agent/probe.py`); what the answers mean is in
`facts` and the `checks` modules.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..agent import gpus
from ..agent import messages as m
from ..errors import ProtocolError
from .facts import GPU_FIELDS, Facts
from .shell_probe import FIND_PYTHONS, SEE_PATH

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..connection import Connection

# All of it goes on at the same time, so this is what one program that hangs costs.
SECONDS = 6.0

# Run with the interpreter of the settings, whichever Python that is; nothing of the user's is imported.
_LOOK = """
import json, os, re, sys
try:
    from importlib.util import find_spec
except ImportError:
    find_spec = None
def where(name):
    try:
        return find_spec(name)
    except Exception:
        return None
def version(name):
    try:
        from importlib.metadata import version
        return version(name)
    except Exception:
        return "" if where(name) else None
def built_for(name):
    spec = where(name)
    for folder in (spec and spec.submodule_search_locations) or []:
        try:
            with open(os.path.join(folder, "version.py")) as file:
                found = re.search("cuda[^=]*= *'([^']+)'", file.read())
            return found and found.group(1)
        except Exception:
            return None
print("\\n@@" + json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])), "executable": sys.executable, "prefix": sys.prefix,
    "ipython": version("IPython") if where("IPython") else None,
    "ipykernel": version("ipykernel") if where("ipykernel") else None,
    "torch": version("torch") if where("torch") else None, "torch_cuda": built_for("torch"),
    "encoding": sys.stdout.encoding,
}))
"""
_SETUP = "JUPYTER_REMOTE_ENV_SETUP"
# As a session's worker is started (`agent/child.py`), but with nothing written to a file.
_IN_SETUP = f'eval "${_SETUP}" || exit $?; unset {_SETUP}; exec "$@"'
_BASH = 'b=`command -v bash` || b=/bin/sh; exec "$b" -c "$0" "$b" "$@"'

# Without root its first command starts a process that stays (`catatonit`), and nothing may stay of a look:
# unless that is there already, podman is not asked itself, but for what it needs.
_PODMAN = (
    "command -v podman > /dev/null || exit 127; u=`id -u`; "
    'p=`cat "${XDG_RUNTIME_DIR:-/tmp/podman-run-$u}/libpod/tmp/pause.pid" 2> /dev/null`; '
    'if [ "$u" = 0 ] || { [ -n "$p" ] && kill -0 "$p" 2> /dev/null; }; '
    "then exec podman info --format '{{.Version.Version}}'; fi; "
    "command -v newuidmap > /dev/null || { echo 'newuidmap is missing (package uidmap)'; exit 1; }; "
    'for f in /etc/subuid /etc/subgid; do grep -qE "^(`id -un`|$u):" $f || '
    '{ echo "$f has no line for `id -un`"; exit 1; }; done; podman --version'
)

_COMMANDS: dict[str, list[str]] = {
    "pythons": ["sh", "-c", FIND_PYTHONS],
    "path": ["sh", "-c", SEE_PATH],
    "login": ["-{shell}", "-c", f"exec sh -c '{SEE_PATH}'"],
    "cpus": ["sh", "-c", "nproc 2>/dev/null || getconf _NPROCESSORS_ONLN"],
    "umask": ["sh", "-c", "umask"],
    "charmap": ["locale", "charmap"],
    "quota": ["quota", "-w"],
    "nvidia": ["nvidia-smi"],
    "nvidia_query": ["nvidia-smi", *gpus.query(GPU_FIELDS)],
    "nvidia_list": ["nvidia-smi", "-L"],
    "nvcc": ["nvcc", "--version"],
    "mps": ["sh", "-c", "ps -e -o user= -o args= | grep '[n]vidia-cuda-mps-control'"],
    "rocm": ["rocm-smi", "--showproductname"],
    "docker": ["docker", "info", "--format", "{{.ServerVersion}}"],
    "podman": ["sh", "-c", _PODMAN],
    "apptainer": ["apptainer", "--version"],
    "singularity": ["singularity", "--version"],
    "slurm": ["sinfo", "--version"],
    "slurm_ping": ["scontrol", "ping"],
    "pbs": ["qstat", "-B"],
}
_FILES = (
    "/proc/meminfo",
    "/proc/loadavg",
    "/etc/os-release",
    "/etc/resolv.conf",
    "/etc/ssh/sshd_config",
    "/proc/driver/nvidia/version",
    "/proc/net/route",
    "/proc/net/ipv6_route",
)
_NODES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/renderD*")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy")
_VARIABLES = (
    *_PROXIES,
    *("SHELL", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SCRATCH", "CUDA_VISIBLE_DEVICES"),
    *("JUPYTER_REMOTE_STATE", "XDG_STATE_HOME", "CUDA_MPS_PIPE_DIRECTORY", "LMOD_CMD", "MODULESHOME"),
    *("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
)


def question(host: HostConfig, state: str, workspace: str) -> m.Probe:
    """What a host of these settings is asked.

    Args:
        host: the resolved settings.
        state: the folder in which the agent keeps its state, as it said.
        workspace: the mirror of the workspace there.
    """
    look = ["sh", "-c", _BASH, _IN_SETUP, "{python}", "-c", _LOOK]
    places = {
        "home": "~",
        "tmp": "/tmp",
        "tmpdir": "$TMPDIR",
        "state": state,
        "workspace": workspace,
        "scratch": "$SCRATCH",
        "/scratch": "/scratch",
        "/data": "/data",
    }
    return m.Probe(
        {
            "seconds": SECONDS,
            "python": host.interpreter,
            "env_root": host.env_root,
            "env": {**host.env, _SETUP: host.env_setup or ":"},
            "commands": {**_COMMANDS, "interpreter": look},
            "places": places,
            "reach": [list(_address(text)) for text in host.reach],
            "files": list(_FILES),
            "nodes": list(_NODES),
            "variables": list(_VARIABLES),
        }
    )


def ask(connection: Connection, workspace: str, local: dict[str, Any] | None = None) -> Facts:
    """What the host is and has: one round trip.

    Args:
        connection: to the host.
        workspace: the mirror of the workspace there.
        local: what is known from here, see `local_facts`.

    Raises:
        ConnectionLost: the link broke.
        ProtocolError: the answer is no answer.
    """
    hello = dict(connection.hello)
    start = time.monotonic()
    answer = connection.ask(question(connection.host, str(hello["state"]), workspace))
    if not isinstance(answer.get("commands"), dict):
        raise ProtocolError("the agent did not answer what it was asked", host=connection.host.name)
    transport = {"name": connection.transport.name, "reason": connection.transport.reason}
    hello.update(noise=connection.noise, transport=transport, took=round(time.monotonic() - start, 2))
    return Facts(connection.host, hello, answer, local or {})


def _address(text: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    return (name.strip("[]"), int(port)) if name and port.isdigit() else (text, 443)
