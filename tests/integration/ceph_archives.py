"""Archives on a real S3 server: Ceph's gateway on loopback, kept in memory. `make test-s3` runs this.

Not among the other tests, whose machine need not have 269 MB of Ceph.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote.archives.archive import Archive
from jupyter_remote.archives.s3 import PART, S3Store
from jupyter_remote.config_models import Archive as Settings
from jupyter_remote.errors import ArchiveError

RECORD = {"id": "20261122-014500-7f3a", "state": "finished", "exit_code": 0, "host": "gpu1", "label": "x"}
SIZE = int(os.environ.get("S3_MB", "200")) * 1_000_000
KEY, SECRET = "AKTEST", "SKTEST"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


CONFIG = """[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 0
osd objectstore = memstore
memstore device bytes = 2147483648
osd class update on start = false
osd crush update on start = false
mon data = {folder}/mon
osd data = {folder}/osd
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
run dir = {folder}
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with one user and an empty bucket."""
    folder = tmp_path_factory.mktemp("ceph")
    port, mon, fsid, osd = free_port(), random.randint(21000, 26000), uuid.uuid4(), str(uuid.uuid4())
    (folder / "mon").mkdir()
    (folder / "osd").mkdir()
    (folder / "osd" / "fsid").write_text(osd + "\n")
    conf = folder / "ceph.conf"
    conf.write_text(CONFIG.format(fsid=fsid, mon=mon, folder=folder, port=port))
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> str:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, env={**os.environ, "CEPH_CONF": str(conf)}
        )
        assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"
        return done.stdout

    def start(*words: str) -> None:
        log = (folder / f"{words[0]}.out").open("wb")
        started.append(subprocess.Popen([*words, "-f"], stdout=log, stderr=log))
        log.close()

    def wait(what: str, true: object) -> None:
        deadline = time.monotonic() + 60
        while not true():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"{what} does not start, see {folder}"
            time.sleep(0.05)

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        run(
            "monmaptool",
            "--create",
            "--addv",
            "a",
            f"[v1:127.0.0.1:{mon}]",
            "--fsid",
            str(fsid),
            f"{folder}/monmap",
        )
        run("ceph-mon", "-c", str(conf), "-i", "a", "--mkfs", "--monmap", f"{folder}/monmap")
        start("ceph-mon", "-c", str(conf), "-i", "a")
        run("ceph", "-c", str(conf), "--connect-timeout", "30", "osd", "new", osd)
        run("ceph-osd", "-c", str(conf), "-i", "0", "--mkfs", "--osd-uuid", osd)
        start("ceph-osd", "-c", str(conf), "-i", "0")
        run("ceph", "-c", str(conf), "osd", "crush", "add", "osd.0", "1", "root=default")
        wait("ceph-osd", lambda: "1 up" in run("ceph", "-c", str(conf), "osd", "stat"))
        start("radosgw", "-c", str(conf), "-n", "client.rgw")
        wait("radosgw", answers)
        run(
            "radosgw-admin", "-c", str(conf), "user", "create", "--uid", "t", "--display-name", "t",
            "--access-key", KEY, "--secret", SECRET,
        )  # fmt: skip
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="runs")
    client.close()
    made = S3Store.open(Settings(type="s3", bucket="runs", prefix="me", endpoint_url=url))
    yield made
    made._client.close()


def test_a_run_goes_there_and_comes_back(store: S3Store, tmp_path: Path, url: str) -> None:
    archive = Archive("lab", store)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "code").write_text("1 + 1")
    (tmp_path / "run" / "big").write_bytes(os.urandom(SIZE))
    left = SIZE // PART // 3  # of all its parts, how many arrive before it is cut

    def cut(size: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.push(RECORD, tmp_path / "run", cut)
    assert archive.list() == []
    before = len(store._client.list_multipart_uploads(Bucket="runs").get("Uploads", ()))
    assert before == 1, "what was cut is gone on with"
    assert archive.push(RECORD, tmp_path / "run").kept.size == SIZE + 5
    assert archive.push(RECORD, tmp_path / "run").sent == []
    assert not store._client.list_multipart_uploads(Bucket="runs").get("Uploads")
    (run,) = archive.list("20261122")
    assert archive.pull(run, tmp_path / "back") == 2
    assert (tmp_path / "back" / "big").read_bytes() == (tmp_path / "run" / "big").read_bytes()
    archive.delete(run)
    archive.restore(archive.find(run.id, deleted=True))
    archive.delete(run)
    archive.purge(run)
    assert list(store.names("")) == []


def test_what_a_real_server_refuses(store: S3Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = S3Store.open(Settings(type="s3", bucket="nowhere", endpoint_url=url))
    with pytest.raises(ArchiveError, match="there is no bucket nowhere"):
        other.put("x", b"x")
    other._client.close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNOBODY")
    other = S3Store.open(Settings(type="s3", bucket="runs", endpoint_url=url))
    with pytest.raises(ArchiveError, match="the credentials are refused"):
        other.put("x", b"x")
    other._client.close()
