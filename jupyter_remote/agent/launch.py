"""What is started for a session: pure decisions about argv, environment and folders."""

from __future__ import annotations

import os
import subprocess
import sys

from .paths import expand
from .processes import MARKER
from .rundir import RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

CHANNEL = "JUPYTER_REMOTE_CHANNEL"
ENVIRONMENT = "env:"
# While our modules are imported neither the current folder is on the path (a `json.py` of the user's must
# not be taken for the real one) nor, afterwards, our own.
BOOT = (
    "import sys; sys.version_info >= (3, 8) or sys.exit('Python 3.8 or newer is needed; ' "
    "+ sys.executable + ' is ' + sys.version.split()[0]); "
    "folder = sys.argv.pop(1); sys.path = [folder] + [p for p in sys.path if p]; "
    "from {package} import {module}; sys.path.remove(folder); {module}.main()"
)


def boot_argv(python: list[str], module: str, *arguments: str) -> list[str]:
    """The command that runs ``main()`` of a module of this package in another process.

    Args:
        python: the words that start it.
    """
    package = __name__.rpartition(".")[0]
    folder = os.path.dirname(os.path.abspath(__file__))
    for _ in package.split("."):
        folder = os.path.dirname(folder)
    return [*python, "-c", BOOT.format(package=package, module=module), folder, *arguments]


def start_apart(
    module: str, arguments: list[str], log: str, fds: list[int], stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Starts a process of ours that doesn't notice when the link goes: a session and descriptors of its own.

    Args:
        module, arguments: what it runs.
        log: the file for what it prints, which should be nothing.
        fds: those of our descriptors that it gets.
        stdin: as of `subprocess.Popen`.
    """
    with open(log, "ab") as file:
        return subprocess.Popen(
            boot_argv([sys.executable, "-I", "-S"], module, *arguments),
            cwd="/",
            env=environment({}),
            stdin=stdin,
            stdout=file,
            stderr=file,
            pass_fds=fds,
            start_new_session=True,
        )


def python_of(session: dict[str, Any], keep: bool = True) -> tuple[str, str | None]:
    """The user's Python, and the environment (name and digest) when the session says ``env:NAME``.

    A bare name stays one where ``env_setup`` may put another program of that name on the PATH.

    Args:
        keep: nobody removes it while this process lives.

    Raises:
        FileNotFoundError: nothing of that name can be run here.
    """
    setting = str(session.get("python") or "python3")
    if setting.startswith(ENVIRONMENT):
        from .environments import use

        return use(session.get("env_root"), setting[len(ENVIRONMENT) :], keep)
    if session.get("env_setup") and "/" not in setting and not setting.startswith("~"):
        return setting, None
    return interpreter(setting), None


def interpreter(setting: str) -> str:
    """The path of the user's Python: a program on PATH, a path, or the folder of an environment.

    Raises:
        FileNotFoundError: nothing of that name can be run here.
    """
    import shutil  # 8 ms, and only a supervisor gets here

    if "/" not in setting and not setting.startswith("~"):
        found = shutil.which(setting)
    else:
        path = expand(setting)
        found = os.path.join(path, "bin", "python") if os.path.isdir(path) else path
        found = found if os.access(found, os.X_OK) else None
    if found is None:
        raise FileNotFoundError(f"no Python at {setting!r}")
    return found


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The agent's own environment, without what belongs to its connection, plus the session's settings."""
    env = {k: v for k, v in os.environ.items() if k not in (MARKER, CHANNEL)}
    env.update({str(name): str(value) for name, value in (settings.get("env") or {}).items()})
    return env


def activated(env: dict[str, str], python: str) -> dict[str, str]:
    """The variables with which programs of that environment are found first, as its ``activate`` has them."""
    prefix = os.path.dirname(os.path.dirname(python))
    conda = os.path.isdir(os.path.join(prefix, "conda-meta"))
    path = os.path.dirname(python) + os.pathsep + env.get("PATH", os.defpath)
    return dict(env, PATH=path, **{"CONDA_PREFIX" if conda else "VIRTUAL_ENV": prefix})


def working_folder(session: dict[str, Any], wanted: str | None) -> str:
    """The folder a process starts in: the workspace's mirror, made if need be, or a folder relative to it.

    Args:
        wanted: relative to the mirror; None for the mirror itself.
    """
    workspace = str(session.get("workspace") or os.path.expanduser("~"))
    os.makedirs(workspace, exist_ok=True)
    return os.path.join(workspace, os.path.expanduser(wanted)) if wanted else workspace


def program(
    session: dict[str, Any], record: dict[str, Any], folder: RunDir, code: bytes, secrets: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """argv and environment of a program run.

    ``{code}``, ``{script}`` and ``{python}`` as words of its argv stand for the saved code, the same under
    the name that the user gave it, and the host's Python.

    Raises:
        FileNotFoundError: the host's Python is not where the settings say.
    """
    python, in_env = python_of(session)
    env = environment(session)
    env.update({k: str(v) for k, v in {**(record.get("env") or {}), **secrets}.items()})
    # The host's Python comes first, so that `python` in a shell cell is the one of the cells.
    if in_env is not None:
        record["in_env"] = in_env
        env = activated(env, python)
    elif "/" in python and os.path.dirname(python) not in env.get("PATH", "").split(os.pathsep):
        env["PATH"] = os.path.dirname(python) + os.pathsep + env.get("PATH", os.defpath)
    env.setdefault("PYTHONUNBUFFERED", "1")
    words = {"{code}": folder.code_path, "{python}": python}
    if record.get("script"):
        words["{script}"] = folder.keep_script(record["script"], code)
        # A script imports the workspace's modules, although it is kept with its run.
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [session["workspace"], env.get("PYTHONPATH")]))
    argv = [words.get(word, word) for word in record["argv"]]
    each = (session.get("launcher") or {}).get("each")
    if each:  # what starts it on every node; the others' output goes into files
        os.makedirs(folder.ranks_path, mode=0o700, exist_ok=True)
        argv = [*(word.replace("{ranks}", folder.ranks_path) for word in each), *argv]
    return argv, env
