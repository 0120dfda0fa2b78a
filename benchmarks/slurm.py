"""A session that Slurm starts: its first line, its warm cells, and the list of many runs that are jobs.

The cluster is that of the tests: two nodes on this one machine. Without Slurm, or without root, there is
nothing to measure, and a line says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.slurm_cluster import SlurmCluster, can_start, running

from .harness import Row, at_most_above, at_most_times, interleaved, timed

if TYPE_CHECKING:
    from jupyter_remote import Remote

MANY, FEW = 1000, 10
# So long a user looks at a result; a mailbox is looked at less often by then.
THINKING_S = 1.0


def measure(quick: bool) -> Iterator[Row]:
    if why := can_start():
        print(f"no figures of Slurm: {why}", file=sys.stderr)
        return
    with running() as cluster, tempfile.TemporaryDirectory(prefix="jr-bench-") as scratch:
        before = os.environ.get("JUPYTER_REMOTE_STATE")
        os.environ["JUPYTER_REMOTE_STATE"] = f"{scratch}/state"
        try:
            yield from _starting(cluster, Path(scratch), 3 if quick else 9)
            yield from _warm(Path(scratch), 5 if quick else 25)
            yield from _listing(cluster, Path(scratch), 3 if quick else 9)
        finally:
            os.environ.pop("JUPYTER_REMOTE_STATE")
            if before is not None:
                os.environ["JUPYTER_REMOTE_STATE"] = before


def _remote(scratch: Path, **settings: Any) -> Remote:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    workspace = scratch / "project"
    workspace.mkdir(exist_ok=True)
    wanted = {"workspace": str(scratch / "mirror"), **settings}
    return Remote(Config.load(workspace).host("local", wanted), workspace)


def _starting(cluster: SlurmCluster, scratch: Path, n: int) -> Iterator[Row]:
    remote = _remote(scratch, launcher="slurm")
    state = Path(remote.info["state"])

    def first_line() -> float:
        run = remote.run_cell("print('here')", fresh=True, sync=False)
        arrived = next(time.time() for event in run.events() if event.text)
        run.wait()
        # Slurm opens the job's own output when it starts the script on the node.
        log = state / "jobs" / str(run.record["job"]["key"]) / "log"
        return arrived - log.stat().st_ctime

    def of_srun() -> float:
        began = "import sys, time; print(time.time(), flush=True)"
        with subprocess.Popen(
            ["srun", sys.executable, "-c", began], stdout=subprocess.PIPE, text=True, env=cluster.environment
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            return time.time() - float(line)

    try:
        ours, peer = interleaved(n, first_line, of_srun)
        yield at_most_above("job start to first line, a cell", "srun's own line", ours, peer, 1.5, n)
    finally:
        remote.close()


def _warm(scratch: Path, n: int) -> Iterator[Row]:
    remotes = {
        "direct": _remote(scratch),
        "srun --overlap": _remote(scratch, launcher="slurm"),
        "inbox": _remote(scratch, launcher="slurm", **{"slurm.control": "inbox"}),
    }
    try:
        cells = {name: _cell(remote, name.partition(" ")[0]) for name, remote in remotes.items()}
        for _ in range(2):
            for cell in cells.values():
                cell()  # starts the session, then the relay
            time.sleep(1)
        direct, relay, inbox = interleaved(n, *cells.values())
        yield at_most_above("warm cell by srun --overlap", "direct", relay, direct, 0.05, n)
        yield at_most_above("warm cell by inbox", "direct", inbox, direct, 0.5, n)
    finally:
        for remote in remotes.values():
            remote.stop_sessions()
            remote.close()


def _cell(remote: Remote, session: str) -> Callable[[], float]:
    def cell() -> float:
        time.sleep(THINKING_S)
        return timed(lambda: remote.run_cell("pass", session=session, sync=False).wait().check())

    return cell


def _listing(cluster: SlurmCluster, scratch: Path, n: int) -> Iterator[Row]:
    # One array that waits stands for the jobs of all runs: the scheduler tells of each.
    held = ("sbatch", "--parsable", "--hold", f"--array=0-{MANY - 1}", "--output=/dev/null", "--wrap", "true")
    number = cluster.run(*held).stdout.strip()
    config = scratch / "config"
    config.mkdir()
    (config / "hosts.yaml").write_text("hosts: {c: {type: local, launcher: slurm}}\n")
    for count in (FEW, MANY):
        for index in range(count):
            _waiting_run(scratch / f"state{count}", number, index)

    def listed(count: int) -> Callable[[], float]:
        env = {
            **os.environ,
            "JUPYTER_REMOTE_STATE": str(scratch / f"state{count}"),
            "JUPYTER_REMOTE_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(scratch / f"data{count}"),
        }
        main = "from jupyter_remote.cli import main; main()"
        words = ["runs", "list", "--host", "c", "--limit", str(count), "--json"]

        def once() -> None:
            told = subprocess.run(
                [sys.executable, "-c", main, *words], env=env, stdout=subprocess.PIPE, check=True
            )
            assert len(json.loads(told.stdout)["runs"]) == count

        once()
        return lambda: timed(once)

    few, many = interleaved(n, listed(FEW), listed(MANY))
    cluster.run("scancel", number)
    yield at_most_times(f"runs list, {MANY} that are jobs", f"{FEW} of them", many, few, 2, n)


def _waiting_run(state: Path, number: str, index: int) -> None:
    name = f"20261122-{index // 3600:02d}{index // 60 % 60:02d}{index % 60:02d}-7f3a"
    run, job = state / "runs" / name, state / "jobs" / f"job{index}"
    for folder in (run, job):
        folder.mkdir(parents=True)
    facts = {"key": job.name, "launcher": "slurm", "id": f"{number}_{index}", "own": 1}
    record = {"id": name, "kind": "program", "state": "queued", "session": f"run-{name}", "job": facts}
    (run / "run.json").write_text(json.dumps(record))
    (run / "code").write_text("")
    (job / "job.json").write_text(json.dumps({"id": facts["id"], "at": 0}))
