"""Where things are kept on a host, and how a file appears whole or not at all."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def state_folder() -> str:
    """The folder of runs and sessions; made with mode 0700 when it isn't there.

    ``$JUPYTER_REMOTE_STATE``, else ``$XDG_STATE_HOME/jupyter-remote``, else
    ``~/.local/state/jupyter-remote``; where the home can't be written, a folder of this user under
    ``$TMPDIR``.
    """
    wanted = os.environ.get("JUPYTER_REMOTE_STATE")
    if not wanted:
        base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
        wanted = os.path.join(base, "jupyter-remote")
    try:
        os.makedirs(wanted, mode=0o700, exist_ok=True)
        if os.access(wanted, os.W_OK | os.X_OK):
            return wanted
    except OSError:
        pass  # no permission, or a file system that is read-only or full
    return private_folder(f"jupyter-remote-{os.getuid()}")


def private_folder(name: str) -> str:
    """A folder under the temporary one that nobody else can have prepared.

    Raises:
        PermissionError: it is there and belongs to somebody else, or others may enter it.
    """
    path = os.path.join(os.environ.get("TMPDIR") or "/tmp", name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    facts = os.lstat(path)
    if facts.st_uid != os.getuid() or facts.st_mode & 0o077 or os.path.islink(path):
        raise PermissionError(f"{path} is not a private folder of this user")
    return path


def keep_ssh_agent(state: str) -> None:
    """Gives a forwarded ssh-agent a name that stays: the next link brings it by another one."""
    came = os.environ.pop("SSH_AUTH_SOCK", None)
    if came and "SSH_CONNECTION" in os.environ:
        name = os.path.join(state, "ssh-agent")
        staged = f"{name}.{os.getpid()}"
        try:
            os.symlink(came, staged)
            os.replace(staged, name)
            os.environ["SSH_AUTH_SOCK"] = name
        except OSError:
            pass  # then there is none


def write_json(path: str, value: dict[str, Any]) -> None:
    """Writes the file under another name and renames it, so that a reader never sees half of it."""
    staged = f"{path}.{os.getpid()}.tmp"
    try:
        with open(staged, "wb") as file:
            file.write(json.dumps(value).encode("ascii"))  # json.dump is written in Python
        os.replace(staged, path)
    except OSError:
        if os.path.exists(staged):
            os.unlink(staged)
        raise


def read_json(path: str) -> dict[str, Any] | None:
    """The object in the file, or None when there is no such file or it holds something else."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove_tree(path: str) -> None:
    """Removes a folder with what is in it; what can't be removed stays."""
    if os.path.lexists(path):
        import shutil  # 8 ms at the start of every agent otherwise

        shutil.rmtree(path, ignore_errors=True)


def expand(path: str) -> str:
    """``~`` and ``$NAME`` resolved as on this host; relative paths start at the home."""
    path = os.path.expandvars(os.path.expanduser(path))
    return os.path.normpath(os.path.join(os.path.expanduser("~"), path))


def with_place(session: dict[str, Any]) -> dict[str, Any]:
    """A session's settings with the place of its workspace on this host."""
    workspace = session.get("workspace")
    return dict(session, workspace=expand(workspace)) if workspace else dict(session)
