"""Notebooks of `notebooks/` on a real ssh host and on a real Slurm, with their outputs compared.

On `local` they run in `scripts/notebooks`; here is what that has no host for.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from hosts import await_true
from slurm_cluster import SlurmCluster
from sshd import SshHost

ROOT = Path(__file__).parents[2]
# With the cells that are about the host `local` itself.
ON_SSH: dict[str, set[str]] = {
    "hosts-and-gpus": {"list", "test"},
    "long-runs": set(),
    "several-hosts": set(),
}

# Each starts a kernel and a session or two, which takes minutes where ten others do so too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def over_ssh(name: str, folder: Path, without: set[str]) -> Path:
    """A copy of the notebook in which `l1` stands where `local` stood, in cells and in outputs."""
    text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    text = text.replace("type: local", "type: ssh, hostname: l1")
    notebook = nbformat.reads(re.sub(r"\blocal\b", "l1", text), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id not in without]
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def execute(path: Path, env: Mapping[str, str]) -> None:
    """Runs it by nbval; a difference fails the test."""
    done = subprocess.run([ROOT / "scripts" / "notebooks", path], env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("name", ON_SSH)
def test_a_notebook_shows_the_same_on_an_ssh_host(name: str, ssh_host: SshHost, tmp_path: Path) -> None:
    execute(over_ssh(name, tmp_path, ON_SSH[name]), os.environ)
    await_true(lambda: not ssh_host.processes())


def test_the_notebook_about_slurm(slurm: SlurmCluster) -> None:
    execute(ROOT / "notebooks" / "slurm.ipynb", slurm.environment)
    await_true(lambda: not slurm.jobs())
