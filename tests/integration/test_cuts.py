"""A few of the cuts that `make cuts` makes by the hundred: see `cuts.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cuts import cut_links, kill_clients
from sshd import SshHost

pytestmark = pytest.mark.slow
SSH = pytest.mark.parametrize("transport", ["paramiko", "openssh"])
LINES = 3000


@SSH
def test_a_link_that_is_cut_loses_and_doubles_nothing(
    ssh_host: SshHost, tmp_path: Path, transport: str
) -> None:
    tally = cut_links(ssh_host, tmp_path, transport, ["drop", "strand", "agent"], 9, LINES, seed=4711)
    assert tally.cuts.total() >= 4
    assert (tally.lost, tally.doubled, tally.equal) == (0, 0, True)


@SSH
def test_a_client_that_is_killed_is_followed_by_another(
    ssh_host: SshHost, tmp_path: Path, transport: str
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    tally = kill_clients(ssh_host, workspace, transport, 1, LINES, seed=4711)
    assert (tally.lost, tally.doubled, tally.equal) == (0, 0, True)
