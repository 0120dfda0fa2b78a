"""Who is who among the hosts of one call, as pure decisions."""

from __future__ import annotations

from jupyter_remote.config_models import HostConfig
from jupyter_remote.ranks import (
    Place,
    fallback_port,
    master_address,
    new_group,
    place_of,
    twins,
    variables,
)


def ssh(name: str, at: str, port: int = 22) -> tuple[HostConfig, Place]:
    return HostConfig(name=name), ("ssh", at, port, "me", ())


def address(*given: tuple[HostConfig, Place], own: str = "10.0.0.5") -> str:
    hosts, places = zip(*given, strict=True)
    return master_address(hosts, places, own)


def test_the_address_is_the_resolved_name_and_never_the_alias() -> None:
    assert address(ssh("a", "gpu1.lab"), ssh("b", "gpu2.lab")) == "gpu1.lab"


def test_it_is_loopback_only_when_all_are_one_machine() -> None:
    assert address(ssh("a", "gpu1.lab"), ssh("b", "gpu1.lab")) == "127.0.0.1"
    # Two forwarded ports look alike from here, and are two machines.
    assert address(ssh("a", "127.0.0.1", 2201), ssh("b", "127.0.0.1", 2202)) == "10.0.0.5"
    local = HostConfig(name="local", type="local"), ("local", "~")
    assert address(local, ssh("b", "gpu2.lab")) == "10.0.0.5"
    assert address(local, local) == "127.0.0.1"


def test_a_configured_address_wins() -> None:
    first = HostConfig(name="a", address="ib0.gpu1"), ("ssh", "gpu1.lab", 22, "me", ())
    assert address(first, ssh("b", "gpu2.lab")) == "ib0.gpu1"


def test_a_second_name_of_one_machine_is_the_same_one_in_any_order() -> None:
    one, other = ("ssh", "x", 22, "me", ()), ("ssh", "y", 22, "me", ())
    assert twins(["b", "a", "c"], [one, one, other]) == [True, False, False]
    assert twins(["a", "b", "c"], [one, one, other]) == [False, True, False]


def test_all_hosts_work_out_one_port() -> None:
    group = new_group()
    assert fallback_port(group) == fallback_port(group)
    assert 20000 <= fallback_port(group) < 32000
    assert variables(1, 2, "x", 3)["RANK"] == "1"


def test_two_entries_of_this_machine_are_one_place_whatever_their_workspaces_are() -> None:
    left = HostConfig(name="left", type="local", workspace="/tmp/left")
    right = HostConfig(name="right", type="local", workspace="/tmp/right")
    assert twins(["left", "right"], [place_of(left), place_of(right)]) == [False, True]
