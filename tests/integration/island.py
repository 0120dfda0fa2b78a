"""A host that reaches nothing: an sshd in a network namespace of its own, at the end of a cable to here.

It needs root and namespaces, and `ip`. Nothing of the machine's own network is changed.
"""

from __future__ import annotations

import os
import random
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from sshd import SshHost

ALIAS = "island"


@pytest.fixture
def island(ssh_host: SshHost) -> Iterator[SshHost]:
    """The servers, with one more, `island`, from which no way leads out."""
    mark = uuid.uuid4().hex[:6]
    space, here, there = f"jr-{mark}", f"jr{mark}a", f"jr{mark}b"
    net = f"10.{random.randrange(200, 250)}.{random.randrange(256)}"
    try:
        ip("netns", "add", space)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"no network namespaces (root, and `ip` of the package iproute2): {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
        for words, name, number in (((), here, 1), (("-n", space), there, 2)):
            ip(*words, "addr", "add", f"{net}.{number}/30", "dev", name)
            ip(*words, "link", "set", name, "up")
        ip("-n", space, "link", "set", "lo", "up")
        server = ssh_host.start(address=f"{net}.2", through=("ip", "netns", "exec", space))
        ssh_host.alias(ALIAS, HostName=f"{net}.2", Port=server.port)
        yield ssh_host
        ssh_host.stop(server)
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False)
        subprocess.run(["ip", "link", "del", here], check=False, stderr=subprocess.DEVNULL)


def ip(*words: str) -> None:
    """Runs `ip`.

    Raises:
        OSError, subprocess.CalledProcessError: it is not there, or may not.
    """
    subprocess.run(["ip", *words], check=True, capture_output=True)
