"""Real engines for tests, and an image made of this machine's own files: no registry is asked for anything.

podman needs two settings where limits can't be raised and both versions of control groups are mounted;
dockerd runs in a folder of its own, without a bridge. Apptainer is in no package: the stand-in does what it
does that matters here (same processes, same user, another root), by `unshare` and `chroot`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

# Of these tests alone: podman's store is that of the machine.
IMAGE = f"localhost/jr-test:{os.getpid()}"
PATIENCE_S = 30.0
_SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_PROGRAMS = ("sh", "bash", "sleep", "cat", "mkdir", "touch", "id", "rm", "env", "true", "tail", "grep")
_LEFT_OUT = re.compile(
    r"(^|/)(site-packages|dist-packages|test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|unittest|"
    r"distutils|pydoc_data|__pycache__|config-[^/]*|_tkinter[^/]*|_test[^/]*|[^/]*\.a)$"
)
_PODMAN = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
runtime = "{runc}"
cgroup_manager = "cgroupfs"
"""
# `apptainer exec [options] FOLDER PROGRAM...`: same processes and user, another root.
_APPTAINER = """#!/bin/sh
echo "$@" >>"$0.log"
shift
binds=
while :; do
    case "$1" in
    --cleanenv) shift ;;
    --nv)
        shift
        ls /dev/nvidia* >/dev/null 2>&1 || echo "INFO:    Could not find any nv files on this host!" >&2 ;;
    --pwd) shift 2 ;;
    --bind) binds="$binds $2"; shift 2 ;;
    *) break ;;
    esac
done
root=$1
shift
[ -d "$root" ] || { echo "FATAL:   could not open image $root: no such file or directory" >&2; exit 255; }
exec env -i HOME="$HOME" PATH=/usr/bin:/bin:/usr/sbin unshare --mount sh -c '
    root=$0; binds=$1; shift
    mount --bind "$root" "$root"
    for place in proc dev sys; do mount --rbind "/$place" "$root/$place"; done
    for bind in $binds; do
        from=${bind%%:*}; to=${bind#*:}; to=${to%%:*}
        mkdir -p "$root/$to"; mount --bind "$from" "$root/$to"
    done
    exec chroot "$root" "$@"' "$root" "$binds" "$@"
"""


@dataclass
class Engine:
    """An engine with the image in it.

    Attributes:
        name: of the engine.
        image: what it calls the image.
        folder: where a test finds what belongs to it.
    """

    name: str
    image: str
    folder: Path

    def names(self) -> list[str]:
        """The containers of the image there are, ended ones too."""
        return self.run("ps", "-a", "--filter", f"ancestor={self.image}", "--format", "{{.Names}}").split()

    def run(self, *words: str) -> str:
        """What one of its own commands prints."""
        done = subprocess.run([self.name, *words], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def settings(self, folder: Path) -> dict[str, object]:
        """Of a host that starts everything in it; what a test puts into that folder is seen inside."""
        words = {"engine": self.name, "image": self.image, "volumes": [str(folder)]}
        return {"launcher": "container", **{f"container.{key}": value for key, value in words.items()}}


def _libraries(paths: list[str]) -> set[str]:
    told = subprocess.run(["ldd", *paths], capture_output=True, text=True).stdout
    return {name for name in re.findall(r"(/\S+) \(0x", told) if Path(name).exists()}


def write_root(path: Path) -> None:
    """A tar of the least that a session needs: this Python with its library, a shell, some programs."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    binaries = {f"/usr/bin/{name}": shutil.which(name) or name for name in _PROGRAMS}
    binaries[str(base / "bin" / version)] = str(base / "bin" / version)
    modules = [
        str(file) for file in (library / "lib-dynload").glob("*.so") if not _LEFT_OUT.search(str(file))
    ]
    files = binaries | {name: name for name in _libraries([*binaries.values(), *modules])}
    with tarfile.open(path, "w") as tar:
        for name in ("tmp", "proc", "sys", "dev", "etc", "root", "run", "bin"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        for name, real in files.items():
            tar.add(os.path.realpath(real), arcname=name.lstrip("/"))
        tar.add(library, filter=lambda info: None if _LEFT_OUT.search(info.name) else info)
        links = {
            "usr/bin/python3": str(base / "bin" / version),
            "bin/sh": "/usr/bin/sh",
            "bin/bash": "/usr/bin/bash",
        }
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)


def why_not(*programs: str) -> str:
    """Why no engine can be started here that needs these programs; "" when one can."""
    missing = [name for name in programs if shutil.which(name, path=_SYSTEM) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install podman runc docker.io iptables"
    return "" if os.geteuid() == 0 else "containers of a test need root"


def _need(*programs: str) -> None:
    if why := why_not(*programs):
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


def _unmarked() -> dict[str, str]:
    # What outlives a test is not one of its processes.
    return {key: value for key, value in os.environ.items() if key != "JUPYTER_REMOTE_TEST_RUN"} | {
        "PATH": _SYSTEM
    }


@pytest.fixture(scope="session")
def image_root() -> Iterator[Path]:
    """The tar of an image."""
    with tempfile.TemporaryDirectory(prefix="jr-image-") as folder:
        write_root(Path(folder, "root.tar"))
        yield Path(folder, "root.tar")


@contextlib.contextmanager
def running_podman(image_root: Path) -> Iterator[Engine]:
    """Podman, in its own store (another one makes each run wait for 20 s).

    Args:
        image_root: the tar of an image; its folder takes a file of podman's settings too.
    """
    conf = image_root.parent / "containers.conf"
    conf.write_text(_PODMAN.format(runc=shutil.which("runc", path=_SYSTEM)))
    with _environment(CONTAINERS_CONF=str(conf)):
        subprocess.run(
            ["podman", "import", "-q", str(image_root), IMAGE], check=True, stdout=subprocess.DEVNULL
        )
        try:
            yield Engine("podman", IMAGE, image_root.parent)
        finally:
            subprocess.run(["podman", "rmi", "-f", IMAGE], stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def running_docker(image_root: Path) -> Iterator[Engine]:
    """A docker daemon of its own.

    Args:
        image_root: the tar of an image.
    """
    with tempfile.TemporaryDirectory(prefix="jr-docker-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        words = ["dockerd", "-H", f"unix://{folder}/docker.sock", "--pidfile", str(folder / "pid")]
        words += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"), "--bridge=none"]
        words += ["--iptables=false", "--ip6tables=false", "--default-ulimit", "nofile=20000:20000"]
        with (folder / "log").open("wb") as log:  # a child of nobody here: no test has started it
            subprocess.run(["setsid", "--fork", *words], stdout=log, stderr=log, env=_unmarked(), check=True)
        try:
            with _environment(DOCKER_HOST=f"unix://{folder}/docker.sock"):
                deadline = time.monotonic() + PATIENCE_S
                while subprocess.run(["docker", "info"], capture_output=True).returncode:
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
                subprocess.run(
                    ["docker", "import", str(image_root), IMAGE], check=True, stdout=subprocess.DEVNULL
                )
                yield Engine("docker", IMAGE, folder)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                daemon = psutil.Process(int((folder / "pid").read_text()))
                daemon.terminate()
                daemon.wait(PATIENCE_S)
            subprocess.run(["umount", str(folder / "exec" / "netns" / "default")], capture_output=True)


@pytest.fixture(scope="session")
def podman(image_root: Path) -> Iterator[Engine]:
    """Podman with the image in it."""
    _need("podman", "runc")
    with running_podman(image_root) as engine:
        yield engine


@pytest.fixture(scope="session")
def docker(image_root: Path) -> Iterator[Engine]:
    """Docker with the image in it."""
    _need("docker", "dockerd")
    with running_docker(image_root) as engine:
        yield engine


@pytest.fixture(scope="session")
def apptainer(image_root: Path) -> Iterator[Engine]:
    """A program of that name, first on PATH."""
    _need("unshare")
    folder = image_root.parent / "apptainer"
    (folder / "bin").mkdir(parents=True)
    (folder / "root").mkdir()
    subprocess.run(["tar", "-xf", str(image_root), "-C", str(folder / "root")], check=True)
    (folder / "bin" / "apptainer").write_text(_APPTAINER)
    (folder / "bin" / "apptainer").chmod(0o755)
    with _environment(PATH=f"{folder / 'bin'}:{os.environ['PATH']}"):
        yield Engine("apptainer", str(folder / "root"), folder)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
