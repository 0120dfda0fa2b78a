"""The checks of `doctor`: what each says of facts of a host, good ones and bad ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from check_cases import CASES
from recorded_hosts import (
    GOOD,
    H100,
    facts,
    said,
)

from jupyter_remote.config_models import HostConfig
from jupyter_remote.hosts.checks import CHECKS, examine
from jupyter_remote.hosts.facts import Facts, to_save
from jupyter_remote.hosts.findings import Finding


def findings(found: Facts) -> dict[str, Finding]:
    return {check.name: finding for check, finding in examine(found)}


def test_there_are_enough_checks_each_with_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 25


def test_all_is_well_with_a_good_host() -> None:
    assert {name: one for name, one in findings(facts()).items() if one.state in ("failed", "warning")} == {}


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_what_may_be_wrong(name: str) -> None:
    cases = [case for case in CASES if case[0] == name]
    assert cases, "every check has a case of its own"
    for _, change, state, text, remedy in cases:
        found = facts(**change)
        if name == "port":
            found = Facts(found.host, {}, {}, found.local)  # nobody knocks where a connection was made
        finding = findings(found)[name]
        assert (finding.state, text in finding.text, remedy in finding.remedy) == (state, True, True), finding
        assert bool(finding.remedy) == (state in ("failed", "warning"))


def test_remedies_that_are_commands_can_be_typed() -> None:
    from jupyter_remote.options import walk

    words = {" ".join(path) for path, _ in walk()} | {"env create"}
    for _, change, *_ in CASES:
        for finding in findings(facts(**change)).values():
            for command in re.findall(r"jupyter remote ([a-z]+(?: [a-z]+)?)", finding.remedy):
                assert command in words or command.split()[0] in words, finding.remedy


def test_without_the_host_only_what_is_decided_here_is_said() -> None:
    found = findings(
        Facts(HostConfig(name="h"), {}, {}, {"problem": {"kind": "X", "message": "m", "hint": "h"}})
    )
    assert [name for name, one in found.items() if one.state == "failed"] == ["login"]
    away = {check.name for check in CHECKS if not check.local}
    assert {found[name].text for name in away} == {"the host was not reached"}


@pytest.mark.parametrize("junk", [None, 7, "x", [], {"a": 1}], ids=repr)
def test_a_host_may_say_anything(junk: object) -> None:
    for group in GOOD:
        for _, finding in examine(Facts(HostConfig(name="h"), {}, {**GOOD, group: junk}, {})):
            assert finding.state in ("ok", "warning", "failed", "not applicable")


def test_what_is_kept_of_the_facts() -> None:
    kept = to_save(facts())
    assert (kept["gpu_info"], kept["gpu_count"], kept["scheduler"]) == ("NVIDIA H100 80GB HBM3", 8, "slurm")
    assert (kept["driver"], kept["cuda"], kept["containers"]) == (
        "570.86.15",
        "12.8",
        ["docker", "apptainer"],
    )
    assert (kept["cpu_count"], kept["memory"], kept["internet"]) == (64, 263799132 << 10, True)
    assert len(H100["nvidia_query"]["output"].splitlines()) == 8


def test_the_real_h200_is_understood() -> None:
    folder = Path(__file__).parents[1] / "recorded"
    said_by = {
        "nvidia": said((folder / "h200.txt").read_text()),
        "nvidia_query": said((folder / "h200-query.csv").read_text()),
        "nvidia_list": said((folder / "h200-list.txt").read_text()),
    }
    found = facts({"commands": said_by, "files": {"/proc/driver/nvidia/version": None}})
    assert (found.driver, found.cuda, found.mig) == ("580.159.04", "13.0", [])
    (gpu,) = found.gpus
    assert (gpu["index"], gpu["name"], gpu["mode"]) == (0, "NVIDIA H200", "Default")
    assert gpu["memory_total"] == 143771 << 20
