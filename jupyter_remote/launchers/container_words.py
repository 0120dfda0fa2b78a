"""What engines of containers say, for people: why one did not start, how it ended. Text only."""

from __future__ import annotations

import re
from signal import Signals

from ..errors import LaunchError
from .job import Standing, Verdict

# What is said, and what to do then; the first that fits counts.
_ADVICE = {
    r"there is no (docker|podman|apptainer) here": (
        "Install it there, or choose another one: `--set engine=podman` (or docker, apptainer). It has to be "
        "on the PATH of a non-interactive login: try `ssh HOST which {0}`."
    ),
    r"permission denied[^\n]*(\.sock|socket)|(\.sock|socket)[^\n]*permission denied": (
        "Your user there may not use the engine's socket: `sudo usermod -aG docker USER` and a new login; "
        "or `--set engine=podman`, which needs no such right."
    ),
    r"cannot connect to the docker daemon|cannot connect to podman|docker daemon running": (
        "Its daemon doesn't run there, or DOCKER_HOST leads elsewhere: `sudo systemctl start docker`; "
        "or `--set engine=podman`, which has none."
    ),
    r"not to be pulled": "Pull it there (`docker pull IMAGE`, or with podman), or leave `pull` at `missing`.",
    r"could not open image|unable to open image": (
        "Apptainer takes the path of a .sif file or of a folder on the host, or `docker://NAME`."
    ),
    r"no basic auth|denied: |unauthorized|authentication required|pull access denied|manifest unknown|"
    r"not found: manifest|repository [^\n]*not|short-name|no such image|image not known|name unknown|"
    r"invalid reference format|must be lowercase": (
        "Is the image's name right? `docker image ls` (or podman) there lists what it has; a private one "
        "needs `docker login` there first."
    ),
    r"dial tcp|no such host|i/o timeout|proxyconnect|tls handshake|connection refused|pinging container": (
        "The host does not reach the registry. Bring the image there: "
        "`docker save IMAGE | ssh HOST docker load` (or podman)."
    ),
    r"device driver|nvidia\.com/gpu|CDI|gave the container \d+ GPUs|nvidia-container": (
        "See whether `nvidia-smi` works on the host. Docker needs the NVIDIA Container Toolkit "
        "(`nvidia-ctk runtime configure`), podman its device list "
        "(`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`), apptainer the driver's libraries."
    ),
    r"exec: \"?sh\"?:|exec sh|\bsh: (no such|not found)|stat sh": (
        "The image has no shell; sessions and programs need /bin/sh and Python 3.8 or newer in it."
    ),
    r"PermissionError|/log: permission denied|read-only file system": (
        "The user inside may not write to the workspace or to the state folder of jupyter_remote there: "
        "`--set user=` takes another (`id -u`:`id -g` is what is tried); a daemon with `userns-remap` can't."
    ),
    r"sh: [^\n]*(can't|cannot) open|sh: [^\n]*/script: no such file": (
        "The engine runs on another machine than the agent (DOCKER_HOST?), and does not see its folders. "
        "Make that machine the host."
    ),
    r"no python3|no module named|traceback \(most recent|python 3\.8 or newer|unknown option: -I": (
        "Sessions and programs need Python 3.8 or newer with its whole standard library in the image "
        "(Debian's python3-minimal is not enough). Take one that has it, e.g. `--set image=python:3.12`; "
        "one that is not on its PATH is named by `--set python=/opt/conda/bin/python`."
    ),
    r"there is no \S+ here to be mounted|bind source path": (
        "`container.volumes` names paths of the host; make it there, or take it out."
    ),
    r"is not set here": (
        "`container.env` names variables of a non-interactive login on the host. A value from here goes with "
        "`--pass-env NAME`."
    ),
    r"unknown (shorthand )?flag|invalid argument": (
        "The engine knows no such option or value; it comes from `container:` of the host or from `--set`."
    ),
    r"slirp4netns|pasta|netavark|\bcni\b|failed to (create|set up) network|iptables": (
        "The engine can't make a network of its own there; `--set network=host` needs none."
    ),
    r"newuidmap|subuid|subgid": (
        "Podman without root needs ids to give away: `sudo usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 USER` there, and the package uidmap."
    ),
    r"no space left": "`docker system df` (or podman) there shows what takes the space.",
}
_NOISE = re.compile(
    r"(?m)^(See '|Run '|Usage:|time=|\s*$|WARNING:|INFO:|Trying to pull|Emulate Docker).*$\n?|"
    r"^(docker: |podman: |Error: |FATAL:\s+)?(Error response from daemon: )?"
)


def explained(said: str) -> tuple[str, str | None]:
    """What it comes to in one line, and what to do; None when we know nothing better than its words.

    Args:
        said: the engine's words.
    """
    text = _NOISE.sub("", said).strip()
    first = text.splitlines()[-1].strip() if text else ""
    for pattern, advice in _ADVICE.items():
        if match := re.search(pattern, said, re.IGNORECASE):
            return first, advice.replace("{0}", (match.groups() or ("docker",))[0] or "docker")
    return first, None


def refused(host: str, said: str, code: int) -> LaunchError:
    """The error for a container that did not start."""
    first, hint = explained(said)
    first = first or f"nothing was said, exit code {code}"
    hint = (
        hint or "`docker run --rm IMAGE true` (or podman, apptainer exec) there shows whether it can at all."
    )
    return LaunchError(f"{host}: the container could not be started: {first}", host=host, hint=hint)


def line(standing: Standing, ahead: int | None) -> str:
    """What the status line says of one whose session is not there yet."""
    return "pulling its image" if standing.phase == "waiting" else "starting its container"


def verdict(standing: Standing) -> Verdict:
    """What the end of a container means for a run that has none in its log."""
    named = f"its container {standing.id}" if standing.id else "its container"
    code = standing.exit_code
    if standing.phase == "gone":
        return Verdict("lost", 1, f"{named} is gone, and left no exit code")
    if standing.word == "refused":
        first, hint = explained(standing.reason)
        told = f"{named} could not be started: {first or f'exit code {code}'}"
        return Verdict("failed", 1, f"{told}. {hint}" if hint else told)
    if standing.word == "oom":
        more = "`--set memory=` allows more"
        return Verdict("failed", 137, f"{named} used more memory than it may (out of memory); {more}")
    if standing.word == "cancelled" or code == 143:
        return Verdict("stopped", 143, f"{named} was stopped")
    if code == 137:
        return Verdict("failed", 137, f"{named} was killed (SIGKILL): by somebody, or for want of memory")
    how = f"exit code {code}"
    if code > 128:
        known = {one.value: one.name for one in Signals}
        how = known.get(code - 128, f"signal {code - 128}")
    last = explained(standing.reason)[0]
    told = f"{named} ended without a word of its own ({how})"
    return Verdict("failed", code or 1, f"{told}: {last}" if last else told)
