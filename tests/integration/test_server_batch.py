"""Several runs on several hosts, stopped, labelled, deleted and restored by one request."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from pages import Server, served, server

GATE = """#!/bin/sh
if [ -e {down} ]; then echo 'box: switched off' >&2; exit 1; fi
exec "$@"
"""
UNKNOWN = "20200101-000000-abcd"


@pytest.fixture
def down(tmp_path: Path) -> Path:
    """The host `box` is this machine, and can't be reached while the file is there."""
    down, gate = tmp_path / "down", tmp_path / "gate"
    gate.write_text(GATE.format(down=down))
    gate.chmod(0o755)
    box = {"type": "command", "command": [str(gate)], "python": sys.executable}
    config = Path(os.environ["JUPYTER_REMOTE_CONFIG_DIR"], "hosts.yaml")
    config.write_text(json.dumps({"hosts": {"box": box}}))
    return down


@pytest.mark.slow
def test_what_is_refused_is_named_and_the_others_are_done(served: Server, down: Path) -> None:
    ended = [served.run("print(1)"), served.run("print(2)", host="box")]
    for run in ended:
        served.await_run(run)
    endless = [served.run("while True: pass", session=name) for name in ("a", "b")]
    everything = [*ended, *endless, UNKNOWN]

    def batch(action: str, runs: list[str], **more: str) -> tuple[list[str], dict[str, str]]:
        result = served.done("/batch", {"action": action, "runs": runs, **more})
        told = {one["run"]: f"{one['host']}: {one['problem']['message']}" for one in result["refused"]}
        assert sorted(result["done"] + list(told)) == sorted(runs)
        return result["done"], told

    done, refused = batch("label", everything, label="all")
    assert done == everything[:4] and "not in the local history" in refused[UNKNOWN]
    assert {served.get(f"/runs/{run}")["label"] for run in done} == {"all"}
    done, refused = batch("delete", everything[:4])
    assert done == ended and all(refused[run].startswith("local: ") for run in endless)
    assert all(served.get(f"/runs/{run}")["deleted"] for run in ended)
    done, refused = batch("stop", everything[:4])
    assert done == endless and set(refused) == set(ended)
    assert {served.get(f"/runs/{run}")["state"] for run in endless} == {"stopped"}
    # A host that is down refuses its own, and holds up no other.
    down.touch()
    served.done("/hosts/box/disconnect")
    done, refused = batch("restore", everything[:2])
    assert done == ended[:1] and "switched off" in refused[ended[1]]
    down.unlink()
    assert batch("restore", ended[1:]) == (ended[1:], {})
    done, refused = batch("pull", ended)
    assert not done and all("names no artifacts" in why for why in refused.values())
    for body in (
        {"action": "label", "runs": ended},
        {"action": "stop", "runs": ended, "label": "x"},
        {"action": "rerun", "runs": ended},
        {"action": "stop", "runs": []},
        {"action": "stop", "runs": ["../x"]},
    ):
        assert served.ask("POST", "/batch", body).status == 422, body


__all__ = ["served", "server"]
