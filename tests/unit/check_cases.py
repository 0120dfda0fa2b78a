"""What may be wrong with a host, and what each check says of it: one case a line."""

from __future__ import annotations

import json
from typing import Any

from recorded_hosts import (
    A10,
    A100_MIG,
    BROKEN,
    GIB,
    HANGS,
    HUNG,
    LOADED,
    MISMATCHED,
    MISSING,
    NO_DEVICES,
    NVCC,
    PYTHON,
    SEEN,
    cards,
    place,
    said,
)

SHELL_PATH = SEEN.replace("@@PATH ", "@@PATH /opt/slurm/bin:").replace(
    "@@modules", "@@program sbatch /opt\n@@modules"
)


def commands(**changed: Any) -> dict[str, Any]:
    return {"answer": {"commands": changed}}


def places(**changed: Any) -> dict[str, Any]:
    return {"answer": {"places": changed}}


def local(**changed: Any) -> dict[str, Any]:
    return {"local": changed}


def interpreter(**changed: Any) -> dict[str, Any]:
    return commands(interpreter=said(f"@@{json.dumps({**PYTHON, **changed})}\n"))


def variables(**changed: Any) -> dict[str, Any]:
    return {"answer": {"variables": changed}}


def key(**changed: Any) -> dict[str, Any]:
    good = {"path": "/k", "private": True, "mode": 0o600, "readable": True, "is_key": True}
    return local(keys=[{**good, **changed}])


NO_WAY = {"github.com:443": "no address", "example.com:443": "no address"}
CLOSED = dict.fromkeys(NO_WAY, "Connection timed out")
NO_PROXY = {"https_proxy": None}
FULL = place("/home/me", 0, problem="ENOSPC")

# Check, what is otherwise than on the good host, the finding's state, words of its text and of its remedy.
CASES: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("ssh settings", local(error="ssh can't use its configuration: line 3"), "failed", "line 3", "Correct"),
    ("ssh settings", local(settings={"proxy_jump": ["a", "b"]}), "ok", "through a, b", ""),
    ("ssh settings", local(settings={"proxy_command": "nc x"}), "ok", "through `nc x`", ""),
    ("ssh settings", local(settings={"forward_agent": True}), "warning", "forwarded", "forward_agent"),
    ("transport", {"hello": {"transport": None}}, "ok", "auto", ""),
    ("name", local(addresses=[], dns="Name or service not known"), "failed", "no address", "VPN"),
    ("port", {}, "ok", "greets as SSH-2.0-OpenSSH_9.2p1", ""),
    ("port", local(greeting=None, port="refused"), "failed", "nothing listens", "sshd runs"),
    ("port", local(greeting=None, port="silent"), "failed", "does not answer", "VPN"),
    ("port", local(greeting=None, port="No route to host"), "failed", "No route", "network"),
    ("port", local(greeting="HTTP/1.1 400"), "failed", "no ssh server", "`port`"),
    ("port", local(greeting=""), "failed", "says nothing", "MaxStartups"),
    ("port", local(addresses=[]), "not applicable", "no address", ""),
    ("host key", local(known=[]), "warning", "not known", "yes"),
    (
        "host key",
        local(problem={"kind": "HostKeyError", "message": "changed", "hint": "-R"}),
        "failed",
        "changed",
        "-R",
    ),
    ("keys", key(mode=0o644), "failed", "mode 644", "chmod 600 /k"),
    ("keys", key(readable=False, problem="Permission denied"), "failed", "Permission denied", "chmod"),
    ("keys", key(is_key=False), "warning", "no private key", ".pub"),
    ("keys", local(keys=[], agent={"socket": "/a", "keys": 2}), "ok", "agent holds", ""),
    ("keys", local(keys=[], agent={"socket": None, "why": "none"}), "warning", "no key file", "ssh-keygen"),
    ("keys", local(keys=[], named_key="~/.ssh/no"), "failed", "~/.ssh/no", "path"),
    ("ssh agent", local(agent={"socket": None, "why": "not set"}), "not applicable", "not set", ""),
    (
        "ssh agent",
        local(agent={"socket": "/a", "keys": None, "why": "gone"}),
        "warning",
        "nobody answers",
        "ssh-agent",
    ),
    ("ssh agent", local(agent={"socket": "/a", "keys": 9}), "warning", "9 keys", "IdentitiesOnly"),
    (
        "login",
        local(problem={"kind": "X", "message": "no Python", "hint": ""}),
        "failed",
        "no Python",
        "by hand",
    ),
    (
        "sessions limit",
        {"answer": {"files": {"/etc/ssh/sshd_config": "MaxSessions 1\n"}}},
        "warning",
        "1 session",
        "MaxS",
    ),
    (
        "sessions limit",
        {"answer": {"files": {"/etc/ssh/sshd_config": None}}},
        "not applicable",
        "can't be read",
        "",
    ),
    ("shell noise", {"hello": {"noise": "Welcome\nto it"}}, "warning", "Welcome", ".bashrc"),
    ("python", commands(pythons=said("")), "ok", "3.11.2 (/usr/bin/python3)", ""),
    ("interpreter", interpreter(version="3.6.9"), "failed", "3.6.9", "set gpu01 python=/usr/bin/python3"),
    ("interpreter", commands(interpreter=HANGS), "failed", "does not start", "env_setup"),
    ("interpreter", commands(interpreter=said("no Python at 'x'", 127)), "failed", "no Python at", "python="),
    (
        "interpreter",
        {**commands(interpreter=said("bad", 1)), "env_setup": "false"},
        "not applicable",
        "env_setup",
        "",
    ),
    ("IPython", interpreter(ipython=None), "warning", "no IPython", "env create gpu01"),
    ("IPython", commands(interpreter=HANGS), "not applicable", "did not start", ""),
    ("ipykernel", interpreter(ipykernel=None), "not applicable", "none is needed", ""),
    ("env_setup", {"env_setup": "module load x"}, "ok", "runs", ""),
    (
        "env_setup",
        {**commands(interpreter=said("module: not found", 127)), "env_setup": "x"},
        "failed",
        "127",
        "/etc/pro",
    ),
    ("env_setup", {**commands(interpreter=HANGS), "env_setup": "x"}, "failed", "does not end", "by hand"),
    ("PATH", commands(login=said(SHELL_PATH)), "warning", "finds sbatch", 'PATH="/opt/slurm/bin:$PATH"'),
    ("PATH", commands(login=HANGS), "warning", "login shell does not start", "profile"),
    ("PATH", commands(login=said("?", 1)), "not applicable", "did not say", ""),
    ("modules", commands(login=said(SEEN)), "not applicable", "no `module`", ""),
    ("builders", commands(path=said(""), login=said("")), "ok", "venv and pip", ""),
    (
        "home",
        places(home=place("/home/me", problem="EACCES")),
        "failed",
        "no permission",
        "JUPYTER_REMOTE_STATE",
    ),
    ("home", places(home=place("/home/me", problem="EROFS")), "failed", "read-only", "workspace=/scratch/me"),
    ("home", places(home=FULL), "failed", "full", "clean gpu01"),
    ("home", places(home=place("/home/me", 10 << 20)), "failed", "10.0 MiB free", "clean gpu01"),
    ("home", places(home=place("/home/me", 2 * GIB)), "warning", "2.0 GiB free", "clean gpu01"),
    (
        "home",
        {"answer": {"places": {"home": None}, "late": ["places home"]}},
        "failed",
        "not answer",
        "file system",
    ),
    ("tmp", places(tmp=place("/tmp", noexec=True)), "warning", "noexec", "env.TMPDIR=/scratch/me"),
    ("tmp", places(tmpdir=place("/big/tmp")), "ok", "/big/tmp", ""),
    ("tmp", places(tmp=place("/tmp", problem="ENOSPC")), "failed", "full", "TMPDIR"),
    ("tmp", places(tmp=place("/tmp", 100 << 20)), "warning", "100.0 MiB", "TMPDIR"),
    ("state", places(state=place("/s", problem="EDQUOT")), "failed", "quota", "JUPYTER_REMOTE_STATE"),
    (
        "state",
        places(home=place("/h", problem="EACCES"), state=place("/tmp/s")),
        "warning",
        "vanish",
        "STATE",
    ),
    ("state", places(state=place("/s", 1 << 20)), "failed", "can't log", "clean"),
    (
        "workspace",
        places(workspace=place("/w", problem="EACCES")),
        "failed",
        "can't be written",
        "workspace=/scratch",
    ),
    ("workspace", places(workspace=place("/w", 1 << 20)), "failed", "no room", "clean"),
    ("workspace", places(workspace=place("/w", noexec=True)), "warning", "noexec", "workspace="),
    ("workspace", places(workspace=place("/w", 3 * GIB)), "warning", "3.0 GiB", "clean"),
    (
        "scratch",
        places(scratch=place("/home/me/$SCRATCH", exists=False)),
        "not applicable",
        "no $SCRATCH",
        "",
    ),
    ("inodes", places(home=place("/home/me", inodes_free=12)), "failed", "12 of", "small files"),
    ("inodes", places(home=place("/home/me", inodes=0, inodes_free=0)), "ok", "enough", ""),
    ("quota", commands(quota=MISSING), "not applicable", "no `quota`", ""),
    ("quota", commands(quota=HANGS), "warning", "does not answer", "file server"),
    ("quota", commands(quota=said("nfs:/home 1000* 900 1000 0\n")), "failed", "used up", "clean"),
    ("quota", commands(quota=said("nfs:/home 950 1000 1100 0\n")), "warning", "nearly", "clean"),
    ("umask", commands(umask=said("0000\n")), "warning", "everybody", "umask 022"),
    ("umask", commands(umask=MISSING), "not applicable", "did not say", ""),
    ("GPU", commands(**A10), "ok", "1 × NVIDIA A10, 22.5 GiB", ""),
    ("GPU", commands(**A100_MIG), "ok", "1 × NVIDIA A100-SXM4-80GB, 80.0 GiB", ""),
    ("GPU", commands(**HUNG), "failed", "hangs", "xid"),
    ("GPU", commands(**BROKEN), "failed", "no NVIDIA driver runs", "lsmod"),
    (
        "GPU",
        {"answer": {"commands": BROKEN, "nodes": []}},
        "failed",
        "device files are not there",
        "--gpus all",
    ),
    ("GPU", commands(**MISMATCHED), "failed", "mismatch", "Restart"),
    ("GPU", commands(**NO_DEVICES), "failed", "no permission", "GPU permissions"),
    ("GPU", {"answer": {"commands": NO_DEVICES, "nodes": []}}, "failed", "finds no GPU", "--gres"),
    ("GPU", commands(**dict.fromkeys(A10, said("Segmentation fault", 139))), "failed", "139", "by hand"),
    ("GPU", commands(**dict.fromkeys(A10, MISSING)), "warning", "no nvidia-smi", "PATH"),
    (
        "GPU",
        {
            "answer": {
                "commands": dict.fromkeys(A10, MISSING),
                "nodes": [],
                "files": {"/proc/driver/nvidia/version": None},
            }
        },
        *("not applicable", "no GPU", ""),
    ),
    (
        "GPU",
        commands(**dict.fromkeys(A10, MISSING), rocm=said("GPU[0]\t\t: Card series: \t\tInstinct MI300X\n")),
        *("ok", "1 × Instinct MI300X", ""),
    ),
    ("GPU permissions", {"answer": {"nodes": [["/dev/nvidia0", False]]}}, "failed", "/dev/nvidia0", "group"),
    ("GPU permissions", {"answer": {"nodes": [["/dev/kfd", False]]}}, "failed", "/dev/kfd", "render"),
    ("GPU permissions", {"answer": {"nodes": []}}, "not applicable", "no device files", ""),
    ("GPU driver", {"answer": {"commands": MISMATCHED}}, "ok", "570.86.15", ""),
    (
        "GPU driver",
        {
            "answer": {
                "commands": MISMATCHED,
                "files": {"/proc/driver/nvidia/version": LOADED.format(driver="560.35.03")},
            }
        },
        *("failed", "the loaded driver is 560.35.03, its libraries are 570.86", "Restart"),
    ),
    (
        "GPU driver",
        {"answer": {"commands": dict.fromkeys(A10, MISSING), "files": {"/proc/driver/nvidia/version": None}}},
        *("not applicable", "no NVIDIA driver", ""),
    ),
    ("CUDA", commands(nvcc=said(NVCC.format(cuda="13.0"))), "failed", "nvcc is of CUDA 13.0", "12.8"),
    ("CUDA", commands(nvcc=said(NVCC.format(cuda="12.9"))), "warning", "12.9", "PTX"),
    ("CUDA", interpreter(torch_cuda="13.0"), "failed", "PyTorch is built for CUDA 13.0", "older"),
    ("CUDA", interpreter(torch_cuda=None), "warning", "without CUDA", "index"),
    ("CUDA", commands(**BROKEN), "not applicable", "no NVIDIA GPU", ""),
    ("GPU mode", commands(**cards("A, 1, Prohibited")), "failed", "Prohibited", "-c DEFAULT"),
    ("GPU mode", commands(**cards("A, 1, Exclusive_Process")), "warning", "one process", "--fresh"),
    (
        "GPU mode",
        commands(**cards("A, 1, Exclusive_Process"), mps=said("root nvidia-cuda-mps-control -d\n")),
        "ok",
        "MPS",
        "",
    ),
    ("GPU mode", commands(mps=said("bob nvidia-cuda-mps-control -d\n")), "ok", "as bob", ""),
    ("CUDA_VISIBLE_DEVICES", variables(CUDA_VISIBLE_DEVICES=""), "failed", "no GPU", "profile"),
    ("CUDA_VISIBLE_DEVICES", variables(CUDA_VISIBLE_DEVICES="0,1"), "ok", "0,1", ""),
    ("CUDA_VISIBLE_DEVICES", commands(**BROKEN), "not applicable", "no NVIDIA GPU", ""),
    ("MIG", commands(**A100_MIG), "ok", "2 MIG instances: 3g.40gb", ""),
    ("MIG", {}, "not applicable", "no GPU is divided", ""),
    ("network", {"answer": {"reach": CLOSED}}, "ok", "https_proxy names a proxy", ""),
    ("network", {"answer": {"reach": CLOSED, "variables": NO_PROXY}}, "warning", "timed out", "--offline"),
    ("network", {"answer": {"reach": NO_WAY, "variables": NO_PROXY}}, "warning", "no DNS", "--offline"),
    (
        "network",
        {
            "answer": {
                "reach": CLOSED,
                "variables": NO_PROXY,
                "files": {"/proc/net/route": "Iface Destination\n"},
            }
        },
        *("warning", "no default route", "--offline"),
    ),
    ("network", {"reach": []}, "not applicable", "no address", ""),
    ("DNS", {"answer": {"reach": NO_WAY, "variables": NO_PROXY}}, "warning", "10.0.0.2", "resolv.conf"),
    ("DNS", {"answer": {"reach": NO_WAY}}, "ok", "proxy", ""),
    (
        "proxy",
        variables(https_proxy=None, http_proxy="http://p:1"),
        "warning",
        "no https_proxy",
        "env.https_proxy",
    ),
    ("proxy", variables(https_proxy=None), "not applicable", "no proxy", ""),
    ("clock", {"hello": {"skew": -42.0}}, "warning", "42.0 s behind", "set-ntp"),
    ("clock", {"hello": {"skew": 4000.0}}, "failed", "ahead", "set-ntp"),
    ("locale", commands(charmap=said("ANSI_X3.4-1968\n")), "warning", "ANSI_X3.4-1968", "LC_ALL=C.UTF-8"),
    ("load", {"answer": {"files": {"/proc/loadavg": "200.0 1 1"}}}, "warning", "busy", "another host"),
    ("load", {"answer": {"files": {"/proc/loadavg": None}}}, "not applicable", "did not say", ""),
    (
        "memory",
        {"answer": {"files": {"/proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 90000 kB\n"}}},
        "warning",
        "free",
        "sess",
    ),
    ("memory", {"answer": {"files": {"/proc/meminfo": ""}}}, "not applicable", "did not say", ""),
    (
        "Slurm",
        commands(slurm_ping=said("Slurmctld(primary) at head is DOWN\n")),
        "warning",
        "DOWN",
        "scontrol ping",
    ),
    ("Slurm", commands(slurm_ping=HANGS), "warning", "hang", "controller"),
    ("Slurm", commands(slurm=MISSING, login=said(SHELL_PATH)), "not applicable", "a login shell has it", ""),
    ("PBS", commands(pbs=said("Connection refused", 2)), "warning", "Connection refused", "qstat"),
    ("PBS", commands(pbs=HANGS), "warning", "hangs", "qstat"),
    ("PBS", {**commands(pbs=HANGS), "launcher": "pbs"}, "failed", "hangs", "qstat"),
    ("Slurm", {**commands(slurm_ping=HANGS), "launcher": "slurm"}, "failed", "hang", "controller"),
    ("PBS", commands(pbs=MISSING), "not applicable", "no PBS", ""),
    (
        "containers",
        commands(docker=said("permission denied while trying to connect", 1), apptainer=MISSING),
        *("warning", "permission denied", "group `docker`"),
    ),
    (
        "containers",
        commands(docker=said("Cannot connect to the Docker daemon", 1), apptainer=MISSING),
        *("warning", "daemon", "systemctl"),
    ),
    ("containers", commands(docker=HANGS), "ok", "apptainer can be used; docker is there and", ""),
    ("containers", commands(docker=MISSING, apptainer=MISSING), "not applicable", "neither", ""),
    (
        "leftovers",
        {"answer": {"leftovers": {"live": [{"name": "t", "silent": True}]}}},
        "warning",
        "t",
        "sessions stop gpu01 t",
    ),
    (
        "leftovers",
        {"answer": {"leftovers": {"processes": [{"pid": 1}]}}},
        "warning",
        "1 processes",
        "clean gpu01",
    ),
    (
        "leftovers",
        {"answer": {"leftovers": {"agents": ["a"] * 11}}},
        "warning",
        "11 old agents",
        "clean gpu01",
    ),
]
