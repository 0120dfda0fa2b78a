"""What plain POSIX sh can tell of a host: for parts of the probe, and for hosts on which no agent starts.

The scripts hold no single quotes, so that every login shell can hand them on. Lines that begin with `@@` are
answers; all else is what a chatty host says.
"""

from __future__ import annotations

import re
import shlex
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..transports import Transport

# Every Python on PATH, and in the places where people put them, all at the same time. A shim of pyenv takes
# 0.2 s and leads to one of those. A line is shorter than what a pipe takes whole, so they do not mix.
FIND_PYTHONS = (
    "{ IFS=:; for d in $PATH; do "
    'for p in "$d"/python3 "$d"/python3.[0-9] "$d"/python3.[0-9][0-9]; do echo "$p"; done; done; unset IFS; '
    'for p in "$HOME"/miniconda3 "$HOME"/anaconda3 "$HOME"/miniforge3 "$HOME"/mambaforge "$HOME"/micromamba '
    '"${PYENV_ROOT:-$HOME/.pyenv}"/versions/* "$HOME"/.local/share/uv/python/cpython-3* '
    '/opt/conda /opt/miniconda3 /opt/anaconda3 /opt/python/* /usr/local; do echo "$p/bin/python3"; done; } | '
    '{ while read -r p; do case "$p" in */shims/*) continue;; esac; [ -x "$p" ] && '
    '{ v=`"$p" -S -c "import sys; print(\\"%d.%d.%d\\" % sys.version_info[:3])" 2>/dev/null` && '
    'echo "@@python $v $p"; } & done; wait; }'
)

_PROGRAMS = (
    "python3 nvidia-smi rocm-smi sbatch qsub docker podman apptainer singularity "
    "uv conda mamba micromamba bash git"
)
# PATH, which of the programs it leads to, and whether there is a `module` command.
SEE_PATH = (
    f'printf "\\n@@PATH %s\\n" "$PATH"; for n in {_PROGRAMS}; do p=`command -v $n 2>/dev/null` && '
    'printf "@@program %s %s\\n" "$n" "$p"; done; '
    'printf "@@modules %s\\n" "${LMOD_CMD:-$MODULESHOME}"'
)

_WORKS = "@@shell 42"
_DISK = (
    'printf "\\n"; for d in "$HOME" "${TMPDIR:-/tmp}"; do df -Pk "$d" 2>/dev/null | tail -n 1 | '
    'while read -r f t u a r; do echo "@@free $a $d"; done; [ -w "$d" ] || echo "@@unwritable $d"; done; '
)


@dataclass
class ShellFacts:
    """What sh said.

    Attributes:
        works: whether the host runs a command at all.
        pythons: (version, path), newest first.
        programs: paths by name.
        modules: the `module` command's home, or "".
        free: KiB by folder.
        unwritable: folders that can't be written to.
        said: what else came, the reason where no command is run.
        status: how the command ended.
    """

    works: bool = False
    pythons: list[tuple[str, str]] = field(default_factory=list)
    programs: dict[str, str] = field(default_factory=dict)
    modules: str = ""
    free: dict[str, int] = field(default_factory=dict)
    unwritable: list[str] = field(default_factory=list)
    said: str = ""
    status: int | None = None


def look(transport: Transport, seconds: float) -> ShellFacts:
    """Asks the host's login shell, and gives up after `seconds`.

    Args:
        transport: a way to the host; its connection is used again.

    Raises:
        ConnectError: the host can't be reached.
    """
    script = f'echo "@@shell $((6*7))"; {SEE_PATH}; {_DISK} {FIND_PYTHONS}'
    channel = transport.open(f"sh -c {shlex.quote(script)}")
    watchdog = threading.Timer(seconds, channel.close)
    watchdog.daemon = True
    watchdog.start()
    seen = b""
    try:
        while len(seen) < 1 << 18 and (data := channel.read(1 << 16)):
            seen += data
        status = channel.exit_status(1)
        said = channel.stderr_tail()
    finally:
        watchdog.cancel()
        channel.close()
    found = parse(seen.decode("utf-8", "replace"))
    found.status, found.said = status, "\n".join(filter(None, [found.said, said.strip()]))
    return found


def parse(text: str) -> ShellFacts:
    """What the lines mean."""
    found = ShellFacts(works=_WORKS in text)
    said = []
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        word, _, more = rest.partition(" ")
        if key == "@@python":
            found.pythons.append((word, more))
        elif key == "@@program":
            found.programs[word] = more
        elif key == "@@modules":
            found.modules = rest
        elif key == "@@free" and word.isdigit():
            found.free[more] = int(word)
        elif key == "@@unwritable":
            found.unwritable.append(rest)
        elif line.strip() and not line.startswith("@@"):
            said.append(line.strip())
    found.pythons = newest_first(found.pythons)
    found.said = "\n".join(said)[-500:]
    return found


def newest_first(pythons: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each once, the newest version first, and of equal ones the shorter name.

    `/bin` is `/usr/bin` nearly everywhere, and `python3.11` the `python3` beside it.
    """
    once: dict[tuple[str, str], str] = {}
    for version, path in sorted(
        pythons, key=lambda one: (len(one[1].rpartition("/")[2]), one[1][:5] == "/bin/", one[1])
    ):
        folder = re.sub(r"^/usr(?=/s?bin/)", "", path).rpartition("/")[0]
        once.setdefault((version, folder), path)
    found = [(version, path) for (version, _), path in once.items()]
    return sorted(found, key=lambda one: version_of(one[0]), reverse=True)


def version_of(text: str) -> tuple[int, ...]:
    """`3.11.2` as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
