"""Fixtures of the integration tests: each comes from the module that makes it."""

from __future__ import annotations

from hosts import local, place
from island import island
from sshd import pytest_runtest_makereport, ssh_host, sshd

__all__ = ["island", "local", "place", "pytest_runtest_makereport", "ssh_host", "sshd"]
