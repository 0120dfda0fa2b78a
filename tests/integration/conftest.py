"""Fixtures of the integration tests: each comes from the module that makes it."""

from __future__ import annotations

from containers import apptainer, docker, image_root, podman
from fake_gpus import fake_amd, fake_gpus
from fleet import fleet, home_fleet
from hosts import local, place
from island import island
from pbs_server import openpbs
from plugin_more import plugin, plugin_folder, spooler
from ray_cluster import real_ray, standin_ray
from s3_server import s3
from slurm_cluster import slurm, torque
from sshd import pytest_runtest_makereport, ssh_host, sshd
from two_hosts import bench

__all__ = [
    "apptainer",
    "bench",
    "docker",
    "fake_amd",
    "fake_gpus",
    "fleet",
    "home_fleet",
    "image_root",
    "island",
    "local",
    "openpbs",
    "place",
    "plugin",
    "plugin_folder",
    "podman",
    "pytest_runtest_makereport",
    "real_ray",
    "s3",
    "slurm",
    "spooler",
    "ssh_host",
    "sshd",
    "standin_ray",
    "torque",
]
