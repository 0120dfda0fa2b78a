"""A real Slurm for tests: munge, a controller and nodes on this one machine, in a folder of its own.

Debian's build allows several `slurmd` on one machine, each a node with its own name and port. Accounting and
control groups are what only the long tests need (`make slurm`): they take a database and seconds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

PROGRAMS = ("sbatch", "squeue", "slurmctld", "slurmd", "munged")
PATIENCE_S = 30.0
NODES = ("n1", "n2")


class SlurmCluster:
    """Two nodes with 4 processors, 2,000 MB and two GPUs each, that exist on paper.

    Args:
        folder: for everything it writes.
        cgroups: whether memory limits are kept, and every process of a job is found.
        accounting: whether `sacct` knows anything.
    """

    def __init__(self, folder: Path, *, cgroups: bool = False, accounting: bool = False) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.accounting = accounting
        self._base = _free_ports(len(NODES) + 4)
        self._cgroups = cgroups
        # Processes and not pids, which come again.
        self._daemons: dict[str, psutil.Process] = {}
        self._database: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts all of it, and waits until the nodes are idle."""
        for name in ("run", "log", "state", "spool"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        self._start_munge()
        self._write()
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.await_idle()

    def stop(self) -> None:
        """Ends all jobs and daemons."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("scancel", "-u", "root", "--state=PENDING", timeout=5)
            self.run("scancel", "-u", "root", timeout=5)
            deadline = time.monotonic() + 8
            while self.run("squeue", "-h", timeout=5).stdout.strip() and time.monotonic() < deadline:
                time.sleep(0.1)
        _end(*self._daemons.values())
        if self._database is not None:
            self._database.wait()

    def run(self, *argv: str, timeout: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One of Slurm's own commands."""
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """What its daemons and commands are started with: nothing that marks a test's own processes."""
        env = {key: value for key, value in os.environ.items() if key != "JUPYTER_REMOTE_TEST_RUN"}
        env["PATH"] = f"{env.get('PATH', '')}:/usr/sbin:/sbin"
        return {**env, "SLURM_CONF": str(self.conf)}

    def jobs(self) -> list[str]:
        """The ids of the jobs that are not over."""
        return self.run("squeue", "-h", "-o", "%i").stdout.split()

    def await_idle(self) -> None:
        """Waits until both nodes are there and nothing runs."""
        deadline = time.monotonic() + PATIENCE_S
        while set(self.run("sinfo", "-h", "-N", "-o", "%T").stdout.split()) != {"idle"}:
            assert time.monotonic() < deadline, self.run("sinfo").stdout + self._tails()
            time.sleep(0.05)

    # Its parts.

    def start_controller(self) -> None:
        """Starts slurmctld, again too."""
        self._daemon("slurmctld", "slurmctld", "-f", str(self.conf))

    def stop_controller(self) -> None:
        """The controller is gone, as when its machine is restarted."""
        _end(self._daemons.pop("slurmctld"))

    def start_node(self, node: str) -> None:
        """Starts slurmd of a node."""
        self._daemon(f"slurmd-{node}", "slurmd", "-N", node, "-f", str(self.conf))

    def kill_node(self, node: str) -> None:
        """A node as if its power had failed: its daemon and all that runs there are gone at once."""
        pids = [self._daemons.pop(f"slurmd-{node}").pid]
        spool = str(self.folder / "spool" / node)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                if "slurmstepd" in words or spool in words:
                    ours = [one for one in process.open_files() if one.path.startswith(spool)]
                    if ours or spool in words or self._logs_to(process, node):
                        pids += [process.pid, *(child.pid for child in process.children(recursive=True))]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _logs_to(self, process: psutil.Process, node: str) -> bool:
        log = str(self.folder / "log" / f"slurmd-{node}.log")
        return any(one.path == log for one in process.open_files())

    def _daemon(self, name: str, *argv: str) -> None:
        pid_file = self.folder / "run" / f"{name}.pid"
        pid_file.unlink(missing_ok=True)
        done = self.run(*argv)
        assert done.returncode == 0, f"{argv}: {done.stderr}\n{self._tails()}"
        deadline = time.monotonic() + PATIENCE_S
        while not pid_file.exists() or not pid_file.read_text().strip():
            assert time.monotonic() < deadline, f"{name} wrote no {pid_file}\n{self._tails()}"
            time.sleep(0.02)
        self._daemons[name] = psutil.Process(int(pid_file.read_text()))

    def _tails(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-800:]}"
            for path in sorted((self.folder / "log").iterdir())
        )

    def _start_munge(self) -> None:
        run, key = self.folder / "run", self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self._daemon(
            "munged",
            *("munged", "--force", f"--key-file={key}", f"--socket={run / 'munge.sock'}"),
            *(f"--pid-file={run / 'munged.pid'}", f"--log-file={self.folder / 'log' / 'munged.log'}"),
            f"--seed-file={self.folder / 'state' / 'seed'}",
        )

    def _start_accounting(self) -> None:
        data, sock = self.folder / "db", self.folder / "run" / "mariadb.sock"
        data.mkdir()
        shutil.chown(data, "mysql")
        shutil.chown(self.folder / "run", "mysql")
        with (self.folder / "log" / "install").open("wb") as log:
            subprocess.run(
                [
                    *("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=mysql"),
                    *("--skip-test-db", "--auth-root-authentication-method=normal"),
                ],
                stdout=log,
                stderr=log,
                check=True,
            )
        port, pid_file = self._base + len(NODES) + 1, self.folder / "run" / "mariadbd.pid"
        with (self.folder / "log" / "mariadb").open("wb") as log:
            self._database = subprocess.Popen(
                [
                    *("mariadbd", "--no-defaults", f"--datadir={data}", "--user=mysql", f"--socket={sock}"),
                    *("--bind-address=127.0.0.1", f"--port={port}", f"--pid-file={pid_file}"),
                    "--innodb-buffer-pool-size=64M",
                ],
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        statement = (
            "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'x';"
            "CREATE USER slurm@localhost IDENTIFIED BY 'x';"
            "GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';"
            "GRANT ALL ON slurm_acct_db.* TO slurm@localhost"
        )
        deadline = time.monotonic() + PATIENCE_S
        while self.run("mariadb", "--no-defaults", "-uroot", "-S", str(sock), "-e", statement).returncode:
            assert time.monotonic() < deadline, self._tails()
            time.sleep(0.1)
        self._daemons["mariadbd"] = psutil.Process(int(pid_file.read_text()))
        conf = self.folder / "slurmdbd.conf"
        conf.write_text(
            f"AuthType=auth/munge\nAuthInfo=socket={self.folder}/run/munge.sock\nDbdHost=localhost\n"
            f"DbdPort={self._base + len(NODES) + 2}\nSlurmUser=root\nStorageType=accounting_storage/mysql\n"
            f"StorageHost=127.0.0.1\nStoragePort={port}\nStorageUser=slurm\nStoragePass=x\n"
            f"PidFile={self.folder}/run/slurmdbd.pid\nLogFile={self.folder}/log/slurmdbd.log\n"
        )
        conf.chmod(0o600)
        self._daemon("slurmdbd", "slurmdbd")
        while self.run("sacctmgr", "-n", "show", "cluster").returncode:
            assert time.monotonic() < deadline, self._tails()
            time.sleep(0.1)
        self.run("sacctmgr", "-i", "add", "cluster", "test")

    def _write(self) -> None:
        here, host = self.folder, socket.gethostname().partition(".")[0]
        tracking, task = ("cgroup", "cgroup") if self._cgroups else ("linuxproc", "none")
        lines = [
            "ClusterName=test",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={self._base}",
            f"AuthInfo=socket={here}/run/munge.sock",
            "SlurmUser=root",
            "SlurmdUser=root",
            f"StateSaveLocation={here}/state",
            f"SlurmdSpoolDir={here}/spool/%n",
            f"SlurmctldPidFile={here}/run/slurmctld.pid",
            f"SlurmdPidFile={here}/run/slurmd-%n.pid",
            f"SlurmctldLogFile={here}/log/slurmctld.log",
            f"SlurmdLogFile={here}/log/slurmd-%n.log",
            f"ProctrackType=proctrack/{tracking}",
            f"TaskPlugin=task/{task}",
            "JobAcctGatherType=jobacct_gather/linux",
            "JobAcctGatherFrequency=task=1",
            "MpiDefault=none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core_Memory",
            "DefMemPerCPU=100",
            "GresTypes=gpu",
            "ReturnToService=2",
            "SlurmdParameters=config_overrides",
            "SlurmdTimeout=6",
            "KillWait=5",
            "PreemptType=preempt/partition_prio",
            "PreemptMode=CANCEL",
            "MessageTimeout=3",  # how long the commands wait for a controller that is down
            "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
            "SchedulerParameters=batch_sched_delay=0,sched_min_interval=0",
        ]
        if self.accounting:
            lines += [
                "AccountingStorageType=accounting_storage/slurmdbd",
                "AccountingStorageHost=localhost",
                f"AccountingStoragePort={self._base + len(NODES) + 2}",
                # The socket of munge; without it every connection to the database daemon fails.
                f"AccountingStoragePass={here}/run/munge.sock",
            ]
        else:
            lines.append("AccountingStorageType=accounting_storage/none")
        if self._cgroups:
            (here / "cgroup.conf").write_text(
                "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nCgroupAutomount=yes\n"
                "ConstrainRAMSpace=yes\n"
            )
        gres = []
        for number, node in enumerate(NODES, 1):
            devices = here / "dev" / node
            devices.mkdir(parents=True)
            for gpu in (0, 1):  # devices that nobody opens, with the numbers of NVIDIA's
                os.mknod(devices / f"nvidia{gpu}", 0o020666, os.makedev(195, 10 * number + gpu))
            gres.append(f"NodeName={node} Name=gpu File={devices}/nvidia[0-1]")
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self._base + number} "
                "CPUs=4 RealMemory=2000 Gres=gpu:2"
            )
        lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1")
        lines.append("PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10")
        (here / "gres.conf").write_text("\n".join(gres) + "\n")
        self.conf.write_text("\n".join(lines) + "\n")


def _free_ports(count: int) -> int:
    """The first of so many ports in a row on which nobody listens."""
    while True:
        base = 20000 + secrets.randbelow(8000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + count):
                sock = stack.enter_context(socket.socket())
                sock.bind(("127.0.0.1", port))
            return base


def _end(*daemons: psutil.Process) -> None:
    for process in daemons:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(daemons, 6)[1]:
        process.kill()


def can_start() -> str:
    """Why there can be no Slurm here; empty when there can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "the daemons of Slurm need root"


@contextlib.contextmanager
def running(**kind: bool) -> Iterator[SlurmCluster]:
    """A cluster while the block runs; programs of this process find it by `SLURM_CONF`."""
    if why := can_start():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="jr-slurm-", ignore_cleanup_errors=True) as folder:
        cluster = SlurmCluster(Path(folder), **kind)
        before = os.environ.pop("SLURM_CONF", None)
        try:
            cluster.start()
            os.environ["SLURM_CONF"] = str(cluster.conf)
            yield cluster
        finally:
            os.environ.pop("SLURM_CONF", None)
            if before is not None:
                os.environ["SLURM_CONF"] = before
            cluster.stop()


@pytest.fixture
def torque(slurm: SlurmCluster) -> SlurmCluster:
    """The same by Torque's commands, which Slurm's package for that has."""
    if shutil.which("qsub") is None:
        why = "no qsub: apt-get install slurm-wlm-torque"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    return slurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """Two nodes without accounting, as at many sites."""
    with running() as cluster:
        yield cluster
