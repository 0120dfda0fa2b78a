"""Leases of GPUs in a folder that users share: seen, respected, and not believed further than they can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_gpus import FakeGpus
from hosts import Place

from jupyter_remote.agent.leases import LeaseError, Leases
from jupyter_remote.config import Config
from jupyter_remote.errors import LaunchError
from jupyter_remote.events import Event
from jupyter_remote.remote import Remote

SEEN = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"


OTHER = """
import os, pwd, sys
sys.path.insert(0, sys.argv[1])
from jupyter_remote.agent import gpus
from jupyter_remote.agent.leases import Leases, LeaseError, who_am_i, write
os.setgid(65534); os.setuid(65534)
leases = Leases(sys.argv[2], True)
with leases.alone():
    fd = leases.take(sys.argv[3])
    if fd is not None:
        write(fd, who_am_i(os.getpid()))
print("taken" if fd is not None else "busy", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody can reach and write to; those of pytest are for one user."""
    with tempfile.TemporaryDirectory(prefix="jr-leases-") as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


@pytest.fixture
def sharing(local: Place, shared: Path, tmp_path: Path) -> Any:
    """The same host, whose users share that folder."""
    options = {"workspace": str(tmp_path / "mirror"), "gpu_leases": str(shared)}
    remote = Remote(Config.load(local.workspace).host("local", options), local.workspace)
    yield remote
    remote.close()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_another_user_is_seen_and_respected(fake_gpus: FakeGpus, sharing: Remote, shared: Path) -> None:
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", OTHER, str(root), str(shared), fake_gpus.uuid(0)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        leases = [gpu["lease"] for gpu in sharing.status()["gpus"]]
        assert leases[0]["user"] == "nobody"
        assert leases[1] is None
        events: list[Event] = []
        sharing.run_cell(SEEN, gpus=1, sync=False).wait(events.append).check()
        assert fake_gpus.uuid(1) in "".join(event.text for event in events)
        with pytest.raises(LaunchError, match="GPU 0: nobody since"):
            sharing.run_cell("1", gpus=2, sync=False, fresh=True).wait().check()
        other.communicate("")
    # And the other way round: files of root's are no obstacle to anybody.
    sharing.run_cell("1", gpus=0, sync=False).wait().check()
    sharing.run_cell("1", gpus=2, sync=False).wait().check()
    for index in (0, 1):
        argv[-1] = fake_gpus.uuid(index)
        done = subprocess.run(argv, input="", capture_output=True, text=True)
        assert done.stdout == "busy\n", done.stderr
    sharing.stop_sessions()
    done = subprocess.run(argv, input="", capture_output=True, text=True)
    assert done.stdout == "taken\n", done.stderr


def test_what_others_have_put_there_is_not_trusted(shared: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    name = "gpu-GPU-1.lock"
    (shared / name).symlink_to(victim)
    leases = Leases(str(shared), True)
    with leases.alone(), pytest.raises(LeaseError, match="can't be used"):
        leases.take("GPU-1")
    (shared / name).unlink()
    os.link(victim, shared / name)
    with leases.alone(), pytest.raises(LeaseError, match="no plain file"):
        leases.take("GPU-1")
    (shared / name).unlink()
    os.mkfifo(shared / name)
    with leases.alone(), pytest.raises(LeaseError, match="no plain file"):
        leases.take("GPU-1")
    (shared / name).unlink()
    with leases.alone():
        fd = leases.take("GPU-1")
    assert fd is not None
    (shared / name).write_text(
        json.dumps({"user": "a\x1b[31m" + "b" * 1000, "pid": [], "since": "x", "run": 3})
    )
    with leases.alone():
        assert leases.holders(["GPU-1"]) == {"GPU-1": {"user": ("a?[31m" + "b" * 100)[:100]}}
    os.close(fd)
    # A ticket with the last number there is, and one that nobody holds any more.
    node = os.uname().nodename
    for number in ("9999999999", "0000000007"):
        (shared / f"{node}.ticket-{number}").write_text("{}")
    with leases.alone():
        leases.queue({"ids": None})
        assert (shared / f"{node}.ticket-0000000008").exists()
        assert leases.tickets() == []
    leases.close()
    assert victim.read_text() == "mine"


def test_a_folder_in_which_others_can_remove_files_is_refused(shared: Path, tmp_path: Path) -> None:
    shared.chmod(0o777)
    with pytest.raises(LeaseError, match="anybody may remove") as caught:
        Leases(str(shared), True)
    assert "install -d -m 1777" in caught.value.hint
    (tmp_path / "link").symlink_to(shared)
    with pytest.raises(LeaseError, match="is a link or no folder"):
        Leases(str(tmp_path / "link"), True)
    with pytest.raises(LeaseError, match="No such file"):
        Leases(str(tmp_path / "absent"), True)
