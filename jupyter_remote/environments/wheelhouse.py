"""Packages for a host that reaches no index: downloaded here for its platform and Python, and sent.

pip does the choosing, in a process of its own, with this process's settings for indexes and proxies. What it
can't be told, the markers of another machine, is put in its place there. What is sent goes the way of `push`:
by content, so that a second environment sends only what the host does not have.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BuildError
from .requirements import is_index_option

if TYPE_CHECKING:
    from ..remote import Remote
    from .sources import Source

# pip evaluates markers for the machine it runs on, whatever --platform says.
_PIP = """\
import json, sys
about = json.loads(sys.argv.pop(1))
sys.path[:0] = json.loads(sys.argv.pop(1))
try:
    from pip._vendor.packaging import markers
    markers.default_environment = lambda: dict(about)
except (ImportError, AttributeError):
    pass
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
_WANTING = re.compile(r"(?:No matching distribution found for|satisfies the requirement) ([^\s(]+[^\n(]*)")
_LIBC = re.compile(r"glibc (\d+)\.(\d+)")
_TAIL = 40

Say = Callable[[str], None]


def platforms(facts: Mapping[str, Any]) -> list[str]:
    """The platform tags of wheels that a host can use, best first.

    Args:
        facts: `platform`, `libc` and `mac`, as `host/questions.py` prints them.
    """
    system, _, rest = str(facts["platform"]).partition("-")
    machine = rest.rpartition("-")[2] or rest
    if system == "linux":
        # A 32-bit Python on a 64-bit kernel says so.
        machine = (
            {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine) if facts["bits"] == 32 else machine
        )
        tags: list[str] = []
        if match := _LIBC.match(str(facts["libc"])):
            for minor in range(int(match[2]), 4, -1):
                tags.append(f"manylinux_{match[1]}_{minor}_{machine}")
                if old := {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor):
                    tags.append(f"{old}_{machine}")
        else:
            tags += [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
        return [*tags, f"linux_{machine}"]
    if system == "macosx":
        version = tuple(map(int, str(facts["mac"]).split(".")[:2]))
        newer = [f"macosx_{major}_0_" for major in range(version[0], 10, -1)]
        older = [f"macosx_10_{minor}_" for minor in range(16 if newer else version[1], 8, -1)]
        kinds = (machine, "universal2")
        return [f"{tag}{kind}" for tag in (*newer, *older) for kind in kinds]
    return [re.sub(r"[-.]", "_", str(facts["platform"]))]


def download(source: Source, facts: Mapping[str, Any], folder: Path, host: str, say: Say) -> list[Path]:
    """Downloads all that a source needs there.

    Args:
        source: what is wanted.
        facts: of the host's Python, see `host/questions.py`; with `made_with`.
        folder: an empty one.
        host: its name, for errors.
        say: gets each line that pip prints.

    Returns:
        The wheels.

    Raises:
        BuildError: not everything can be had as a wheel; what can't is named.
    """
    found = source.requirements
    texts = {
        "-r": [*found.lines, *map(str, found.wheels), *(f"--find-links {path}" for path in found.folders)],
        "-c": found.constraints,
    }
    words = []
    for option, lines in texts.items():
        if lines:
            path = folder / f"wanted{option}.txt"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            words += [option, str(path)]
    wheels = folder / "wheels"
    wheels.mkdir()
    if any(not line.startswith("-") for line in texts["-r"]):
        _pip(words, facts, wheels, host, say)
    if facts["made_with"] == "venv":
        # The host's own may be too old for the wheels of today, or not there at all.
        options = [word for line in found.lines if is_index_option(line) for word in line.split(maxsplit=1)]
        options += [word for path in found.folders for word in ("--find-links", str(path))]
        _pip([*options, "pip"], facts, wheels, host, say)
    return sorted(wheels.iterdir())


def send(remote: Remote, root: str, wheels: list[Path]) -> tuple[int, int]:
    """Brings wheels to the folder of them on the host; what it has is not sent.

    Returns:
        How many were sent, and their bytes.

    Raises:
        SyncError, DiskFull, ConnectError: it failed; the next time goes on from there.
    """
    if not wheels:
        return 0, 0
    from ..config_models import SyncOptions
    from ..sync.owner import workspace_owner
    from ..sync.push import push_paths
    from ..sync.session import WorkspaceSync

    folder = wheels[0].parent
    # All wheels of all workspaces are this owner's: what one has sent is not sent again by another.
    owner = workspace_owner(Path("wheels"))
    report = push_paths(
        WorkspaceSync(folder, f"{root}/wheels", owner, SyncOptions()),
        remote.connection(),
        [path.name for path in wheels],
    )
    return len(report.sent), report.bytes


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the time of a download."""
    return tempfile.TemporaryDirectory(prefix="jupyter-remote-wheels-", ignore_cleanup_errors=True)


def _pip(words: list[str], facts: Mapping[str, Any], wheels: Path, host: str, say: Say) -> None:
    markers = facts["markers"]
    version = ".".join(str(markers["python_full_version"]).split(".")[:2])
    implementation = "pp" if markers["implementation_name"] == "pypy" else "cp"
    argv = [
        *(sys.executable, "-P", "-c", _PIP, json.dumps(markers), json.dumps(_path_of_pip(host))),
        *("download", "--dest", str(wheels), "--only-binary=:all:", "--progress-bar", "off", "--no-input"),
        *("--disable-pip-version-check", "--python-version", version, "--implementation", implementation),
        *(word for tag in platforms(facts) for word in ("--platform", tag)),
        *words,
    ]
    tail: list[str] = []
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                tail = [*tail[-_TAIL:], line.rstrip()]
                if not line.startswith(("ERROR", "WARNING: Location")):
                    say(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise _explain("\n".join(tail), f"Python {version} on {facts['platform']}", host)


def _explain(said: str, place: str, host: str) -> BuildError:
    if re.search(
        r"NewConnectionError|name resolution|Network is unreachable|ConnectTimeout|ProxyError", said
    ):
        return BuildError(
            "nothing could be downloaded: this machine doesn't reach the package index either",
            host=host,
            hint="Check the network, the proxy variables and pip's index here (`pip config list`).",
        )
    names = list(dict.fromkeys(name.strip() for name in _WANTING.findall(said)))
    if names:
        return BuildError(
            f"there is no wheel of {', '.join(names)} for {place}, and it can't be built without a network",
            host=host,
            hint=(
                "Build one elsewhere (`pip wheel`), put it in a folder, and add `--find-links FOLDER` to the "
                "requirements; or ask for another version, or another Python with --python."
            ),
        )
    last = "\n".join(line for line in said.splitlines()[-6:])
    return BuildError(f"pip failed here while it downloaded for {place}:\n{last}", host=host)


def _path_of_pip(host: str) -> list[str]:
    """What has to be on the path of this interpreter so that it has pip."""
    with suppress(ImportError, ValueError):
        if importlib.util.find_spec("pip") is not None:
            return []
    with suppress(ImportError):
        import ensurepip

        bundled = Path(ensurepip.__file__).parent / "_bundled"
        if found := sorted(bundled.glob("pip-*.whl")):
            return [str(found[-1])]
    raise BuildError(
        "the Python of this kernel has no pip, which downloads the packages",
        host=host,
        hint=f"Install it: `{sys.executable} -m ensurepip`, or `uv pip install pip` in its environment.",
    )
