"""Containers: docker, podman or apptainer starts, a script beside it watches, its name ends it.

The supervisor runs inside, with everything that a session is: signals, order of events, ends and counters are
those of any other host, and no program of the engine stands between. The folders of state and workspace are
mounted under their own paths, so its socket, its log and its mailbox are where they always are. The script is
`container_script.py`; what engines say, in our words, is `container_words.py`.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from ..errors import UsageError
from .container_script import POLL, left, script
from .container_words import line, refused, verdict
from .job import Answer, NoAnswer, Order, Standing, Work

if TYPE_CHECKING:
    from ..config_models import ContainerOptions, HostConfig

# fmt: off
__all__ = [
    "SETTINGS", "accounting", "ahead", "ended", "left", "line", "order", "poll", "queue", "refused",
    "standings", "used", "verdict",
]
# fmt: on

SETTINGS = "container"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def order(host: HostConfig, work: Work) -> Order:
    """A container whose first process is the supervisor.

    Raises:
        UsageError: no image is named, or a setting can't be meant.
    """
    wanted = host.container
    if not wanted.image:
        raise UsageError(
            "a container needs an image: `--set image=python:3.12`, or `container: {image: …}` of the host"
        )
    if wanted.image.startswith("-"):
        raise UsageError(f"{wanted.image!r} is no image: it starts with a dash")
    _check(wanted)
    count, devices = _gpus(wanted.gpus)
    words = _apptainer(wanted) if wanted.engine == "apptainer" else _words(wanted)
    paths = [_path(volume.partition(":")[0]) for volume in wanted.volumes if volume[:1] in ("/", "~")]
    python = wanted.python or (host.python if "python" in host.model_fields_set else "python3")
    visible = "" if wanted.engine != "apptainer" or wanted.gpus == "all" else ",".join(devices)
    return Order(
        kind="container",
        script=script(
            wanted.engine,
            shlex.quote(wanted.image),
            " ".join(words),
            pull=wanted.pull,
            python=_path(python),
            env=" ".join(wanted.env),
            volumes=" ".join(paths),
            gpus=count,
            visible=shlex.quote(visible) if visible else "",
        ),
        submit=["sh", "{script}", "submit"],
        id=r"(?m)^(jr-\S+)\s*$",
        cancel=["sh", "{script}", "cancel", "{id}"],
        direct=True,
        python=python,
    )


def _check(wanted: ContainerOptions) -> None:
    for name in wanted.env:
        if not _NAME.fullmatch(name):
            what = name.partition("=")[0]
            raise UsageError(
                f"container.env: {what!r} is no name of a variable of the host; values belong into "
                "`env:` of the host, or come with --pass-env"
            )
    for word in wanted.args:
        if re.match(r"(-e|--env)(=|$|[A-Za-z_])", word) and not word.startswith("--env-file"):
            raise UsageError(
                "container.args: a variable there could be seen by everybody (`ps`): name it in "
                "`container.env`, in `env:` of the host, or by --pass-env"
            )
    if wanted.shm and wanted.engine == "apptainer":
        raise UsageError("container.shm: apptainer has the host's /dev/shm, and sets no size")


def _path(text: str) -> str:
    """A path quoted for sh; a home is looked up there."""
    return f'"$HOME"/{shlex.quote(text[2:])}' if text.startswith("~/") else shlex.quote(text)


def _volume(text: str) -> str:
    source, colon, rest = text.partition(":")
    # A path without a second one is the same inside.
    return f"{_path(source)}:{shlex.quote(rest)}" if colon else f"{_path(source)}:{_path(source)}"


def _gpus(text: str | None) -> tuple[int, list[str]]:
    """How many there have to be at least, and which.

    Raises:
        UsageError: it is neither `all`, nor a number, nor `device=0,1`.
    """
    if text in (None, "", "0", "none"):
        return 0, []
    assert text is not None
    if text == "all":
        return 1, ["all"]
    if text.isdigit():
        return int(text), [str(number) for number in range(int(text))]
    if match := re.fullmatch(r"device=([\w:.-]+(?:,[\w:.-]+)*)", text):
        return len(match[1].split(",")), match[1].split(",")
    raise UsageError(f"{text!r} is no number of GPUs; valid are all, 2, device=0,1")


def _words(wanted: ContainerOptions) -> list[str]:
    """Of docker and podman, quoted for sh."""
    found = [f"--volume {_volume(volume)}" for volume in wanted.volumes]
    for option, value in (
        ("network", wanted.network),
        ("memory", wanted.memory),
        ("cpus", f"{wanted.cpus:g}" if wanted.cpus else None),
        ("shm-size", wanted.shm),
        ("user", wanted.user),  # the last one counts
    ):
        if value:
            found.append(f"--{option} {shlex.quote(value)}")
    count, devices = _gpus(wanted.gpus)
    if count and wanted.engine == "podman":  # by CDI: its `--gpus` means nothing in many versions
        found += [f"--device {shlex.quote(f'nvidia.com/gpu={device}')}" for device in devices]
    elif count:
        # A comma would begin another field of docker's, unless its own quotes are around it.
        text = f'"{wanted.gpus}"' if "," in str(wanted.gpus) else str(wanted.gpus)
        found.append(f"--gpus {shlex.quote(text)}")
    return found + [shlex.quote(word) for word in wanted.args]


def _apptainer(wanted: ContainerOptions) -> list[str]:
    found = [f"--bind {_volume(volume)}" for volume in wanted.volumes]
    if wanted.network and wanted.network != "host":
        found.append(f"--net --network {shlex.quote(wanted.network)}")
    if wanted.memory:
        found.append(f"--memory {shlex.quote(wanted.memory)}")
    if wanted.cpus:
        found.append(f"--cpus {wanted.cpus:g}")
    if _gpus(wanted.gpus)[0]:
        found.append("--nv")
    if wanted.user:
        raise UsageError("container.user: with apptainer the user inside is always the one outside")
    return found + [shlex.quote(word) for word in wanted.args]


# How they stand.


def poll(host: HostConfig) -> list[str]:
    """Those of this user that have not left an end."""
    return ["sh", "-c", POLL, "{state}"]


def standings(answer: Answer) -> dict[str, Standing]:
    """How each container stands.

    Raises:
        NoAnswer: an engine that had to be asked could not tell.
    """
    if answer.code:
        said = answer.err.strip().splitlines()
        raise NoAnswer(said[-1] if said else f"the container engine answered with exit code {answer.code}")
    found = {}
    for row in answer.out.splitlines():
        name, word, code, killed = ([*row.split("|"), "", "", ""])[:4]
        if word == "pulling":
            found[name] = Standing("waiting", word, id=name)
        elif word in ("exited", "dead", "stopped"):
            word = "oom" if killed == "true" else "exited"
            found[name] = Standing("ended", word, exit_code=int(code) if code.isdigit() else 1, id=name)
        elif word in ("created", "configured"):  # its start was cut
            found[name] = Standing("ended", "refused", "it was made and never started", id=name)
        elif word:
            found[name] = Standing("running", word, id=name)
    return found


def queue(standing: Standing) -> list[str] | None:
    """There is none."""
    return None


def ahead(answer: Answer, standing: Standing) -> int | None:
    """There is no queue."""
    return None


def ended(text: str) -> Standing:
    """What the script left: exit code, how it ended in a word, and what was said last."""
    code, word, *said = [*text.splitlines(), "", ""]
    return Standing(
        "ended",
        word or "exited",
        "\n".join(said).strip(),
        exit_code=int(code) if code.isdigit() else 1,
    )


def accounting(ids: list[str]) -> list[str] | None:
    """There is none."""
    return None


def used(answer: Answer) -> dict[str, dict[str, object]]:
    """Nothing is known."""
    return {}
