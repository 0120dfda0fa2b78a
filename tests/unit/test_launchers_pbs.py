"""PBS: settings in its three languages, the queue that is chosen, ids and jobs as words."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.config import Config
from jupyter_remote.config_models import HostConfig
from jupyter_remote.config_schedulers import PbsOptions
from jupyter_remote.errors import ConfigError, UsageError
from jupyter_remote.launchers import pbs
from jupyter_remote.launchers.choice import ordered
from jupyter_remote.launchers.job import Work
from jupyter_remote.launchers.pbs_dialects import DIALECTS, words

GADI: dict[str, Any] = {
    "gpuvolta": {"min_gpus": 1, "max_gpus": 96, "min_cpus": 12, "max_walltime": "48h"},
    "hugemem": {"min_memory": "190G", "max_memory": "1T"},
    "normal": {"max_memory": "190G", "max_walltime": "48h"},
}


def host(**settings: Any) -> HostConfig:
    return HostConfig(name="gadi", type="local", pbs=PbsOptions.model_validate(settings))


def asked(kind: str = "openpbs", **settings: Any) -> str:
    """The options that say what is asked for."""
    found = words(kind, PbsOptions.model_validate(settings), "jr-s")
    return " ".join(found[found.index("-m") + 2 :])


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"cpus": 4, "gpus": 1, "memory": "16G"}, "-l ncpus=4,ngpus=1,mem=16gb"),
        ({"nodes": 2, "cpus": 48, "mem": "190gb"}, "-l select=2:ncpus=48:mem=190gb"),
        ({"nodes": 2}, "-l select=2:ncpus=1"),
        (
            {"select": "1:ncpus=4+2:ngpus=1", "place": "scatter"},
            "-l select=1:ncpus=4+2:ngpus=1,place=scatter",
        ),
        ({"walltime": "90m"}, "-l walltime=01:30:00"),
        ({"time": "1d12h"}, "-l walltime=36:00:00"),
        ({"walltime": "48:00:00"}, "-l walltime=48:00:00"),
        ({"walltime": "3600"}, "-l walltime=01:00:00"),
        ({"queue": "normal", "project": "a56"}, "-q normal -P a56"),
        ({"storage": "gdata/a56+scratch/a56"}, "-l storage=gdata/a56+scratch/a56"),
        ({"resources": "jobfs=100GB,software=x"}, "-l jobfs=100GB,software=x"),
        ({"depend": "afterok:5.gadi", "hold": True}, "-W depend=afterok:5.gadi -h"),
        ({"args": ("-W", "umask=022")}, "-W umask=022"),
        ({"poll": 60, "hold": False}, ""),
    ],
)
def test_settings_become_words_of_openpbs(settings: dict[str, Any], options: str) -> None:
    assert asked(**settings) == options


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("openpbs", "-q q -P a56 -l select=2:ncpus=4:ngpus=1:mem=8gb,walltime=02:00:00"),
        ("torque", "-q q -A a56 -l nodes=2:ppn=4:gpus=1,mem=8gb,walltime=02:00:00"),
        ("grid_engine", "-q q -P a56 -pe smp 8 -l gpu=1,mem_free=8G,h_rt=02:00:00"),
    ],
)
def test_the_same_is_asked_for_in_each_language(kind: str, options: str) -> None:
    wanted = {
        "nodes": 2,
        "cpus": 4,
        "gpus": 1,
        "memory": "8G",
        "walltime": "2h",
        "queue": "q",
        "project": "a56",
    }
    assert asked(kind, **wanted) == options


# What each says of itself: the first two as recorded, Grid Engine's by its documentation.
SAY = {
    "openpbs": ('[ "$1" = --version ] && echo pbs_version = 23.06.06', ""),
    "torque": ('[ "$1" = -help ] && echo "Usage: qsub [-a start_time] [-A account]" || exit 2', ""),
    "grid_engine": ('[ "$1" = -help ] && echo "GE 8.1.9" || exit 1', ""),
}


@pytest.mark.parametrize("kind", SAY)
def test_a_host_is_spoken_to_in_its_language(kind: str, tmp_path: Path) -> None:
    program = tmp_path / "qsub"
    said = SAY[kind][0]
    program.write_text(
        f"#!/bin/sh\ncase $1 in --version | -help) {{ {said}; }} >&2; exit ;; esac\nprintf '%s|' \"$@\"\n"
    )
    program.chmod(0o755)
    order = pbs.order(host(cpus=2, storage="a b"), Work("s"))
    places = {"{script}": "/x y/script", "{folder}": "/x y"}
    argv = [places.get(word, word) for word in order.submit]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    told = subprocess.run(argv, env=path, capture_output=True, text=True, check=True).stdout.split("|")[:-1]
    wanted = PbsOptions(cpus=2, storage="a b")
    assert told == [*words(kind, wanted, "jr-s"), "-o", "/x y/log", "/x y/script"]


def test_what_can_not_be_meant_is_refused_here() -> None:
    for settings, said in (
        ({"walltime": "soon"}, "'soon' is no time for pbs.walltime; valid are 90m"),
        ({"memory": "much"}, "'much' is no memory for pbs.memory; valid are 500M"),
        ({"select": "1:ncpus=4", "gpus": 1}, "leave out pbs.gpus, or select"),
        ({"queue": "auto"}, "fill `pbs.queues`"),
        ({"args": ("-J", "0-3")}, "an array of jobs"),
    ):
        with pytest.raises(UsageError, match=said):
            pbs.order(host(**settings), Work("s"))


def test_a_misspelt_setting_names_the_nearest_and_pbs_own_names_are_known() -> None:
    with pytest.raises(
        UsageError, match=r"--set waltime: pbs has no such setting; did you mean walltime\? Valid:"
    ):
        ordered(host(), "s", None, "pbs", {"waltime": "2h"})
    with pytest.raises(UsageError, match=r"--set ngpus=x: found `x`; valid is a whole number"):
        ordered(host(), "s", None, "pbs", {"ngpus": "x"})
    order = ordered(host(gpus=1), "s", None, "pbs", {"ngpus": "2", "mem": "8G"})
    assert order is not None
    assert "ngpus=2,mem=8gb" in order["submit"][2], "the call lies over the host, whatever it calls it"


def test_a_setting_that_is_there_under_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".jupyter-remote.yaml").write_text("hosts: {c: {type: local, pbs: {gpus: 1, ngpus: 2}}}\n")
    with pytest.raises(ConfigError, match="only one of `gpus` and `ngpus`, which are the same"):
        Config.load(tmp_path)


def test_a_layer_replaces_what_another_says_by_another_name(tmp_path: Path) -> None:
    text = "defaults: {pbs: {ngpus: 1, mem: 8G}}\nhosts: {c: {type: local, pbs: {gpus: 2, time: 1h}}}\n"
    (tmp_path / ".jupyter-remote.yaml").write_text(text)
    config = Config.load(tmp_path)
    assert config.sources("c")["pbs.memory"].endswith(".jupyter-remote.yaml:1")
    found = config.host("c", {"pbs.ngpus": 3}).pbs
    assert (found.gpus, found.memory, found.walltime) == (3, "8G", "1h")


@pytest.mark.parametrize(
    ("settings", "queue"),
    [
        ({"gpus": 1, "cpus": 12}, "gpuvolta"),
        ({"nodes": 2, "gpus": 4, "cpus": 48}, "gpuvolta"),
        ({"select": "1:ncpus=12:ngpus=1+1:ncpus=1"}, "gpuvolta"),
        ({"memory": "500G"}, "hugemem"),
        ({"cpus": 4}, "normal"),
        ({}, "normal"),
    ],
)
def test_the_queue_is_the_first_that_takes_the_job(settings: dict[str, Any], queue: str) -> None:
    order = pbs.order(host(queue="auto", queues=GADI, **settings), Work("s"))
    assert f"-q {queue} " in order.submit[2]


def test_a_job_that_no_queue_takes_is_told_why_not() -> None:
    for settings, said in (
        ({"gpus": 1}, "gpuvolta wants at least 12 CPUs"),
        ({"gpus": 1}, "normal gives no GPUs"),
        ({"gpus": 200, "cpus": 12}, "gpuvolta gives at most 96 GPUs"),
        ({"memory": "2T"}, "hugemem gives at most 1024 GiB of memory"),
        ({"walltime": "72h"}, "normal gives at most 48 h"),
    ):
        with pytest.raises(UsageError, match=said):
            pbs.order(host(queue="auto", queues=GADI, **settings), Work("s"))
    with pytest.raises(UsageError, match=r"no chunk of pbs.select; valid is e.g. 2:ncpus=4"):
        pbs.order(host(queue="auto", queues=GADI, select="ncpus"), Work("s"))


def test_ids_are_read_off_what_qsub_prints() -> None:
    import re

    for said, found in (("0.nbh1\n", "0.nbh1"), ("41\n", "41"), ("warning: x\n12.gadi-pbs\n", "12.gadi-pbs")):
        match = re.search(pbs.order(host(), Work("s")).id, said)
        assert match is not None
        assert match[1] == found
    assert re.search(pbs.order(host(), Work("s")).id, "There was an error running the command\n") is None


def test_the_table_of_languages_is_complete() -> None:
    assert set(DIALECTS) == set(SAY)
