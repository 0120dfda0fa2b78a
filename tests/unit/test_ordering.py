"""What is ordered for a run, and that it is decided without asking anybody: launchers, GPUs, records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.config_models import HostConfig
from jupyter_remote.errors import UsageError
from jupyter_remote.ordering import Order, Orders


def orders(**settings: Any) -> Orders:
    return Orders(HostConfig(name="h", type="command", **settings), Path("/home/me/project"))


def submitted(order: Order) -> list[str]:
    words: list[str] = order.session["launcher"]["submit"]
    return words


def test_an_order_says_where_it_comes_from_and_what_it_takes() -> None:
    made = orders(workspace="~/w/{project}").cell("1", "s", env={"A": "1"}, pass_env=["B", "B"], sync=False)
    assert (made.session["workspace"], made.session["name"], made.session["launcher"]) == (
        "~/w/project",
        "s",
        None,
    )
    assert {key: made.run[key] for key in ("host", "project", "env", "pass_env", "sync", "fresh")} == {
        "host": "h",
        "project": "/home/me/project",
        "env": {"A": "1"},
        "pass_env": ["B"],
        "sync": False,
        "fresh": False,
    }
    assert orders().bash("ls").run["argv"] == ["bash", "{code}"]
    assert orders().program(["a.py", "x"]).run["argv"] == ["{python}", "a.py", "x"]
    with pytest.raises(UsageError, match="no program"):
        orders().program([])
    with pytest.raises(UsageError, match="more than 1 MiB"):
        orders().cell("#" * ((1 << 20) + 1))


@pytest.mark.parametrize(
    ("kind", "word"), [("slurm", "--gres=gpu:2"), ("pbs", "ngpus=2"), ("ray", "--entrypoint-num-gpus")]
)
def test_a_scheduler_is_asked_for_gpus_and_nothing_is_leased(kind: str, word: str) -> None:
    for made in (
        orders(launcher=kind).cell("1", gpus=2, wait=True),
        orders().bash("ls", launcher=kind, gpus="auto:2"),
        orders(launcher=kind).cell("1", gpus=2, resources={"gpus": "2"}),
    ):
        assert "lease" not in made.run
        assert any(word in text for text in submitted(made))
        # So that it can be run again.
        assert made.run["launch"]["set"] == {"gpus": "2"}
    assert orders(launcher="container", container={"image": "i"}).cell("1", gpus=2).run["lease"]["count"] == 2
    assert orders(launcher=kind).cell("1", launcher="process", gpus=2).run["lease"]["count"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpus": "0,1"}, "names GPUs, and slurm decides"),
        ({"gpus": [0]}, "names GPUs, and slurm decides"),
        ({"gpus": 1, "min_free": "20G"}, "--min-free is about GPUs that several share"),
        ({"gpus": 1, "resources": {"gpus": "a100:2"}}, "ask for different numbers"),
        ({"wait": True}, "they need --gpus"),
        ({"gpus": 1, "env": {"CUDA_VISIBLE_DEVICES": "0"}}, "say the same thing"),
    ],
)
def test_what_a_scheduler_decides_is_not_for_us_to_say(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        orders(launcher="slurm").cell("1", **options)
    kind = orders(launcher="slurm").cell("1", gpus=2, resources={"gpus": "a100:2"})
    assert "--gres=gpu:a100:2" in submitted(kind)
