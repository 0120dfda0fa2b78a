"""What the GPUs of this host are and do, as ``nvidia-smi`` and ``rocm-smi`` tell it; nothing is decided here.

A driver that hangs holds nobody: its program gets PATIENCE seconds, is killed, and is not waited for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time

from .processes import marker_of, unmark

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Sequence

# A driver that is not kept loaded takes seconds for its first answer where there are many cards.
PATIENCE = 10.0
MIB = 1 << 20
# Where these programs are, but not on the PATH of a shell that nobody logged in to.
ELSEWHERE = os.pathsep.join(("/usr/bin", "/usr/lib/wsl/lib", "/opt/rocm/bin"))
# What a card is, and what changes.
FIXED = ("index", "uuid", "name", "driver_version", "mig.mode.current", "compute_mode")
LIVE = ("memory.total", "memory.used", "memory.free", "utilization.gpu", "temperature.gpu", "power.draw")
_NAMES = {"driver_version": "driver", "compute_mode": "mode", "mig.mode.current": "mig"}
_NAMES.update({"utilization.gpu": "utilization", "temperature.gpu": "temperature", "power.draw": "power"})
_AMD = [
    "--showproductname",
    "--showuniqueid",
    "--showmeminfo",
    "vram",
    "--showuse",
    "--showtemp",
    "--showpower",
    "--showpids",
]
_stuck: list[tuple[subprocess.Popen[bytes], float]] = []


class SmiError(Exception):
    """Why nothing is known of the GPUs."""


def program(name: str) -> str | None:
    """Where ``nvidia-smi`` or ``rocm-smi`` is."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), ELSEWHERE)))


def ask(argv: Sequence[str], patience: float | None = None) -> str:
    """What a program prints, within so many seconds (``patience``; None for the usual ones).

    Raises:
        SmiError: it can't be started, fails, or does not answer in time.
    """
    name = os.path.basename(argv[0])
    _stuck[:] = [one for one in _stuck if one[0].poll() is None]
    if _stuck:
        since = time.strftime("%H:%M:%S", time.localtime(_stuck[0][1]))
        raise SmiError(f"{name} hangs since {since} and can't be ended: the driver does not answer")
    patience = PATIENCE if patience is None else patience
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except OSError as error:
        raise SmiError(f"{name} can't be started: {error.strerror}") from None
    try:
        out, err = (text.decode("utf-8", "replace") for text in process.communicate(timeout=patience))
    except subprocess.TimeoutExpired:
        put_away(process)
        raise SmiError(f"{name} did not answer within {patience:g} s, as when the driver hangs") from None
    if process.returncode:
        said = " ".join((out + err).split())[:300]
        raise SmiError(f"{name} failed with exit code {process.returncode}: {said}")
    return out


def put_away(process: subprocess.Popen[bytes]) -> None:
    """Kills it with its children, and waits for nothing: what sleeps in a driver can't be killed."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # it has ended
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(0.2)
    except subprocess.TimeoutExpired:
        _stuck.append((process, time.time()))


def look(who: bool = True) -> dict[str, Any]:
    """All GPUs: ``gpus``, and ``gpu_error``, why some or all are missing (None when none is).

    Sizes are in bytes, use in percent, temperature in °C, power in W; None is what a card doesn't tell.

    Args:
        who: whether it is also told which processes use them.
    """
    found: list[dict[str, Any]] = []
    errors = []
    for name, read in (("nvidia-smi", nvidia), ("rocm-smi", amd)):
        path = program(name)
        if path is not None:
            try:
                gpus = read(path)
                found += gpus
                if who and read is nvidia:
                    note_processes(path, gpus)
            except SmiError as error:
                errors.append(str(error))
    return {"gpus": found, "gpu_error": "; ".join(errors) or None}


# NVIDIA.


def nvidia(path: str) -> list[dict[str, Any]]:
    """The cards that ``nvidia-smi`` tells of, without their processes.

    Raises:
        SmiError: it tells nothing.
    """
    fields, text = list(FIXED + LIVE), ""
    while True:
        try:
            text = ask([path, *query(fields)])
            break
        except SmiError as error:
            # An older one doesn't know all of them.
            unknown = re.search(r'Field "(.+?)" is not a valid field', str(error))
            if unknown is None or unknown[1] not in fields:
                raise
            fields.remove(unknown[1])
    gpus = [gpu for gpu in (read_row(fields, line) for line in text.splitlines()) if gpu is not None]
    if not gpus:
        raise SmiError(f"nvidia-smi: {' '.join(text.split())[:300] or 'no devices were found'}")
    return gpus


def query(fields: Sequence[str]) -> list[str]:
    """The arguments that ask ``nvidia-smi`` for fields of all cards."""
    return [f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]


def read_row(fields: Sequence[str], line: str) -> dict[str, Any] | None:
    """A card from a line of ``nvidia-smi``; None when the line says something else."""
    row = [cell.strip() for cell in line.split(",")]
    if len(row) != len(fields) or not row[0].isdigit():
        return None
    told = dict(zip(fields, row))
    gpu: dict[str, Any] = {}
    for field in FIXED + LIVE if "uuid" in told else fields:
        text, name = told.get(field, ""), _NAMES.get(field, field.replace(".", "_"))
        if field in LIVE:
            gpu[name] = _bytes(text) if field.startswith("memory") else number(text)
        else:
            gpu[name] = text
    gpu["index"] = int(row[0])
    if "uuid" in told:
        enabled = gpu.pop("mig") == "Enabled"
        gpu.update(vendor="nvidia", processes=[], mig=[] if enabled else None)
    return gpu


def number(text: str) -> float | None:
    """A number; None for ``[N/A]`` and whatever else stands for what isn't told."""
    try:
        return float(text)
    except ValueError:
        return None


def _bytes(text: str, unit: int = MIB) -> int | None:
    value = number(text)
    return None if value is None else int(value * unit)


def note_processes(path: str, gpus: list[dict[str, Any]]) -> None:
    """Notes with each card which processes use it, and which instances (MIG) it is divided into.

    Raises:
        SmiError: ``nvidia-smi`` does not tell.
    """
    by_uuid = {gpu["uuid"]: gpu for gpu in gpus}
    for gpu in gpus:
        gpu["processes"] = []
    if any(gpu["mig"] is not None for gpu in gpus):
        return _note_instances(path, by_uuid)
    # The name comes last, since it may hold a comma.
    arguments = [
        "--query-compute-apps=gpu_uuid,pid,used_memory,process_name",
        "--format=csv,noheader,nounits",
    ]
    for line in ask([path, *arguments]).splitlines():
        row = [cell.strip() for cell in line.split(",", 3)]
        if len(row) == 4 and row[0] in by_uuid and row[1].isdigit():
            by_uuid[row[0]]["processes"].append(process(int(row[1]), row[3], _bytes(row[2])))


def read_instances(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The instances (MIG) in what ``nvidia-smi -L`` prints: by their card and index, their name and UUID."""
    names: dict[tuple[str, str], tuple[str, str]] = {}
    card = ""
    for line in text.splitlines():
        found = re.match(r"GPU \d+: .*\(UUID: (\S+)\)|\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (\S+)\)", line)
        if found is not None and found[1]:
            card = found[1]
        elif found is not None:
            names[card, found[3]] = found[2], found[4]
    return names


def _note_instances(path: str, by_uuid: dict[str, dict[str, Any]]) -> None:
    # The long form takes five times as long, and only it says what an instance has and who uses it; the
    # names of the instances are in the list alone.
    from xml.etree import ElementTree  # 10 ms

    names = read_instances(ask([path, "-L"]))
    try:
        root = ElementTree.fromstring(ask([path, "-q", "-x"]))
    except ElementTree.ParseError as error:
        raise SmiError(f"nvidia-smi -q -x: {error}") from None
    for node in root.iter("gpu"):
        gpu = by_uuid.get(node.findtext("uuid", ""))
        if gpu is None:
            continue
        parts: dict[tuple[str, str], dict[str, Any]] = {}
        for part in node.iter("mig_device"):
            number_of = part.findtext("index", "")
            name, uuid = names.get((gpu["uuid"], number_of), ("", ""))
            sizes = {
                f"memory_{key}": _bytes(part.findtext(f"fb_memory_usage/{key}", "").partition(" ")[0])
                for key in ("total", "used", "free")
            }
            key = part.findtext("gpu_instance_id", ""), part.findtext("compute_instance_id", "")
            parts[key] = {"index": number_of, "uuid": uuid, "name": name, **sizes, "processes": []}
        if gpu["mig"] is not None:
            gpu["mig"] = list(parts.values())
        for one in node.iter("process_info"):
            pid, kind = one.findtext("pid", ""), one.findtext("type", "")
            if not pid.isdigit() or "C" not in kind:
                continue
            memory = _bytes(one.findtext("used_memory", "").partition(" ")[0])
            fact = process(int(pid), one.findtext("process_name", ""), memory)
            gpu["processes"].append(fact)
            key = one.findtext("gpu_instance_id", ""), one.findtext("compute_instance_id", "")
            if key in parts:
                parts[key]["processes"].append(fact)


# AMD.


def amd(path: str) -> list[dict[str, Any]]:
    """The cards that ``rocm-smi`` tells of. Which of several cards a process uses, it doesn't tell.

    Raises:
        SmiError: it tells nothing.
    """
    text = ask([path, *_AMD, "--json"])
    try:
        told = json.loads(text[text.index("{") :])
        cards = sorted((int(name[4:]), card) for name, card in told.items() if re.fullmatch(r"card\d+", name))
        gpus = [_amd_card(index, card) for index, card in cards]
    except (ValueError, AttributeError, TypeError) as error:
        raise SmiError(f"rocm-smi said something else than JSON: {error}") from None
    system = told.get("system") or {}
    for name, said in system.items():
        row = [cell.strip() for cell in str(said).split(",")]
        if name.startswith("PID") and name[3:].isdigit() and len(row) > 2 and len(gpus) == 1:
            gpus[0]["processes"].append(process(int(name[3:]), row[0], _bytes(row[2], 1)))
    return gpus


def _amd_card(index: int, card: dict[str, Any]) -> dict[str, Any]:
    told = {str(key).lower(): str(value).strip() for key, value in card.items()}

    def pick(*beginnings: str) -> str:
        # What they are called differs by version and card.
        return next((told[key] for start in beginnings for key in told if key.startswith(start)), "")

    total = _bytes(pick("vram total memory (b)"), 1)
    used = _bytes(pick("vram total used memory (b)"), 1)
    unique = pick("unique id").lower()
    unique = unique[2:] if unique.startswith("0x") else ""
    return {
        "index": index,
        "uuid": f"GPU-{unique}" if unique else f"AMD-{index}",
        "name": pick("card series", "card model", "device name") or "AMD GPU",
        "vendor": "amd",
        "driver": "",
        "mode": "",
        "mig": None,
        "memory_total": total,
        "memory_used": used,
        "memory_free": None if total is None or used is None else total - used,
        "utilization": number(pick("gpu use (%)")),
        "temperature": number(
            pick("temperature (sensor junction)", "temperature (sensor edge)", "temperature")
        ),
        "power": number(pick("average graphics package power", "current socket graphics package power")),
        "processes": [],
    }


# Who.


def process(pid: int, name: str, memory: int | None) -> dict[str, Any]:
    """A process that uses so many bytes of a GPU's memory, and whose it is.

    ``supervisor`` is the pid of ours that it belongs to.
    """
    ours = unmark(marker_of(pid))
    return {
        "pid": pid,
        "name": name.rpartition("/")[2] or name,
        "user": _user(pid),
        "memory": memory,
        "supervisor": ours["pid"] if ours else None,
    }


def _user(pid: int) -> str | None:
    # The owner of /proc/PID may be root for a process of somebody else.
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            uid = next(int(line.split()[1]) for line in file if line.startswith("Uid:"))
    except (OSError, StopIteration):
        return None  # it has ended, or it is hidden or in another container
    return user_name(uid)


def user_name(uid: int) -> str:
    """The name of a user, the number where there is none.

    Args:
        uid: the user's number.
    """
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
