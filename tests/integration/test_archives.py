"""Runs in archives: a folder, and a server that answers as S3 does and has the faults of real ones."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proxy import Proxy
from s3_server import BUCKET, Environ, S3Server

from jupyter_remote.archives import s3 as s3_module
from jupyter_remote.archives.archive import Archive
from jupyter_remote.archives.folder import FolderStore
from jupyter_remote.archives.kept import kept, parse
from jupyter_remote.archives.s3 import S3Store
from jupyter_remote.archives.store import Store
from jupyter_remote.config_models import Archive as Settings
from jupyter_remote.errors import ArchiveError, UsageError

RECORD = {"id": "20261122-014500-7f3a", "state": "finished", "exit_code": 0, "host": "gpu1", "label": "a~/ü"}
OTHER = {**RECORD, "id": "20261123-014500-7f3a", "state": "failed", "exit_code": 3, "label": None}


def open_store(server: S3Server, port: int | None = None, **settings: Any) -> S3Store:
    url = f"http://127.0.0.1:{port or server.port}"
    return S3Store.open(
        Settings(type="s3", **{"bucket": BUCKET, "prefix": "me", "endpoint_url": url, **settings})
    )


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "lab")
    else:
        store = open_store(request.getfixturevalue("s3"))
        yield store
        store._client.close()


@pytest.fixture
def archive(store: Store) -> Archive:
    return Archive("lab", store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a run: small, empty, large, and with a name that is no ASCII."""
    made = tmp_path / "run"
    (made / "run").mkdir(parents=True)
    (made / "whole.json").write_text("{}")
    (made / "run" / "ünï code").write_bytes(b"")
    (made / "run" / "output.log").write_bytes(os.urandom(9 << 20))
    (made / "run" / "tool").write_text("#!/bin/sh\n")
    (made / "run" / "tool").chmod(0o755)
    return made


def content(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode) & 0o700)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_there_and_back_and_a_second_time_for_nothing(archive: Archive, folder: Path, tmp_path: Path) -> None:
    moved: list[int] = []
    done = archive.push(RECORD, folder, moved.append)
    assert (len(done.sent), sum(moved)) == (4, done.kept.size)
    again = archive.push(RECORD, folder)
    assert (again.sent, again.sent_bytes) == ([], 0)
    archive.push(OTHER, folder)
    (newer, older) = archive.list()
    assert (older.id, older.state, older.exit_code, older.host, older.label, older.files) == (
        "20261122-014500-7f3a", "finished", 0, "gpu1", "a~/ü", 4,
    )  # fmt: skip
    assert (newer.id, newer.exit_code, newer.label) == (OTHER["id"], 3, "")
    assert [run.id for run in archive.list("20261122")] == [older.id]
    assert archive.pull(archive.find("20261122"), tmp_path / "back") == 4
    assert content(tmp_path / "back") == content(folder)
    assert archive.pull(older, tmp_path / "back") == 0
    (tmp_path / "back" / "whole.json").write_text("mine")
    with pytest.raises(UsageError, match="is there and differs"):
        archive.pull(older, tmp_path / "back")
    assert (tmp_path / "back" / "whole.json").read_text() == "mine"


def test_a_run_that_has_changed_replaces_the_one_before(archive: Archive, folder: Path) -> None:
    first = archive.push(RECORD, folder).kept
    (folder / "whole.json").write_text('{"label": "new"}')
    done = archive.push({**RECORD, "label": "new"}, folder)
    assert done.sent == ["whole.json"]
    assert [run.label for run in archive.list()] == ["new"]
    assert first.manifest != done.kept.manifest
    assert len(list(archive.store.names(f"runs/{RECORD['id']}/"))) == 5, "nothing of the first is left"


def test_deleted_restored_purged(archive: Archive, folder: Path) -> None:
    archive.push(RECORD, folder)
    archive.push(OTHER, folder)
    run = archive.find("20261122")
    archive.delete(run)
    assert [one.id for one in archive.list()] == [OTHER["id"]]
    with pytest.raises(UsageError, match="runs restore 20261122 --archive lab"):
        archive.find("20261122")
    archive.restore(archive.find("20261122", deleted=True))
    assert archive.find("20261122") == run
    archive.delete(run)
    archive.push(RECORD, folder)
    assert archive.list(deleted=True) == [], "pushed again it is there again"
    archive.delete(run)
    archive.purge(run)
    assert all(OTHER["id"] in name for name in archive.store.names(""))
    with pytest.raises(UsageError, match=r"several runs|no run 2026"):
        archive.find("2026111")


def test_what_is_not_what_was_archived_is_refused_by_name(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    run = archive.push(RECORD, folder).kept
    file = next(file for file in archive.files(run) if file.path == "run/output.log")
    name = f"runs/{run.id}/{file.digest}"
    archive.store.put(name, b"x" * file.size)
    with pytest.raises(ArchiveError, match=f"run/output.log is not what was archived .object {name}"):
        archive.pull(run, tmp_path / "back")
    assert not (tmp_path / "back" / "run" / "output.log").exists()
    assert not list((tmp_path / "back").rglob("*.part"))
    archive.store.put(name, b"cut")
    assert archive.push(RECORD, folder).sent == ["run/output.log"], "what has another size is sent again"
    archive.store.delete([name])
    with pytest.raises(ArchiveError, match=r"run/output.log is missing"):
        archive.pull(run, tmp_path / "other")
    archive.store.put(f"runs/{run.id}/{run.manifest}", b"{}")
    with pytest.raises(ArchiveError, match="its list of files is not what was archived"):
        archive.files(run)


def test_a_list_that_leads_out_is_refused(archive: Archive, tmp_path: Path) -> None:
    import hashlib

    rows = [["../evil", 1, hashlib.sha256(b"x").hexdigest(), 0o644]]
    manifest = json.dumps({"format": 1, "id": RECORD["id"], "files": rows}).encode()
    run = kept(RECORD, hashlib.sha256(manifest).hexdigest(), 1, 1, 1)
    archive.store.put(f"runs/{run.id}/{run.manifest}", manifest)
    with pytest.raises(ArchiveError, match="its list of files"):
        archive.pull(run, tmp_path / "back")
    assert not (tmp_path / "evil").exists()


def test_names_say_what_a_run_is() -> None:
    record = {**RECORD, "host": "h" * 300, "label": "ü~/" * 100, "exit_code": None}
    run = kept(record, "0" * 64, 1 << 50, 10**9, 10**10)
    name = run.name()
    assert len(name.rpartition("/")[2].encode()) <= 255 and len(name.split("/")) == 3
    told = parse(name)
    assert told is not None and told.exit_code is None and told.size == 1 << 50
    assert run.label.startswith(told.label) and told.label
    for wrong in (
        "index/x/y",
        "index/20261122-014500-7f3a/abc",
        name + "~1",
        name.replace("0" * 64, "g" * 64),
    ):
        assert parse(wrong) is None


def test_a_folder_is_closed_to_others(tmp_path: Path, folder: Path) -> None:
    archive = Archive("lab", FolderStore(tmp_path / "a" / "lab"))
    archive.push(RECORD, folder)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}
    assert modes == {0o700, 0o600}
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match=r"can't list .* Not a directory"):
        Archive("lab", FolderStore(tmp_path / "file")).push(RECORD, folder)


# What servers do.


@pytest.mark.slow
def test_a_cut_upload_goes_on(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "TRIES", 1)
    size = 200_000_000
    (tmp_path / "big").write_bytes(os.urandom(size))
    with Proxy(s3.port) as way:
        store = open_store(s3, way.port)
        moved: list[int] = []

        def cut(amount: int) -> None:
            moved.append(amount)
            if sum(moved) > size // 2:
                way.refuse()

        with pytest.raises(ArchiveError, match=r"can't be reached.*\n.*goes on where"):
            store.send("runs/x/big", tmp_path / "big", cut)
        assert store_size(s3, "runs/x/big") is None, "half an object is none"
        first = way.sent
        way.accept()
        moved.clear()
        store.send("runs/x/big", tmp_path / "big", moved.append)
        assert sum(moved) == size
        twice = way.sent - size
        # Only what was under way when it was cut: as many parts as go at once, and a try each.
        assert first > size // 2 and twice <= 2 * s3_module.AT_ONCE * s3_module.PART + (1 << 20), twice
        store._client.close()
    store = open_store(s3)
    assert b"".join(store.read("runs/x/big")) == (tmp_path / "big").read_bytes()
    store._client.close()


def store_size(server: S3Server, name: str) -> int | None:
    store = open_store(server)
    try:
        return store.size(name)
    finally:
        store._client.close()


def test_an_unfinished_upload_goes_with_its_run(s3: S3Server, folder: Path) -> None:
    store = open_store(s3)
    archive = Archive("lab", store)
    run = archive.push(RECORD, folder).kept
    store._client.create_multipart_upload(Bucket=BUCKET, Key=f"me/runs/{run.id}/other")
    archive.delete(run)
    archive.purge(run)
    assert not store._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    store._client.close()


def test_throttled_requests_are_tried_again(
    s3: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [2]

    def busy(environ: Environ) -> tuple[str, str] | None:
        left[0] -= 1
        return ("503 Slow Down", "SlowDown") if left[0] >= 0 else None

    store = open_store(s3)
    s3.fault = busy
    assert store.size("nothing") is None and left[0] < 0
    store._client.close()
    s3.fault = lambda environ: ("503 Slow Down", "SlowDown")
    monkeypatch.setattr(s3_module, "TRIES", 1)
    store = open_store(s3)
    with pytest.raises(ArchiveError, match=r"too busy .SlowDown., also after 1 tries"):
        Archive("lab", store).push(RECORD, folder)
    s3.fault = lambda environ: None
    store._client.close()


def test_a_server_without_bulk_delete(s3: S3Server, folder: Path) -> None:
    def no_bulk(environ: Environ) -> tuple[str, str] | None:
        bulk = environ["REQUEST_METHOD"] == "POST" and environ.get("QUERY_STRING", "").startswith("delete")
        return ("400 Bad Request", "MissingContentMD5") if bulk else None

    s3.fault = no_bulk
    store = open_store(s3)
    archive = Archive("lab", store)
    run = archive.push(RECORD, folder).kept
    archive.delete(run)
    archive.purge(run)
    assert list(store.names("")) == []
    assert sum(method == "POST" and "delete" in query for method, _, query in s3.requests) == 1
    assert sum(method == "DELETE" for method, _, _ in s3.requests) > 5
    store._client.close()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("403 Forbidden", "AccessDenied", "no permission .AccessDenied.: s3:[A-Za-z]+ is needed"),
        ("404 Not Found", "NoSuchBucket", "there is no bucket runs\nCreate it"),
        ("403 Forbidden", "InvalidAccessKeyId", "the credentials are refused.*\nboto3 looks"),
        ("400 Bad Request", "IllegalLocationConstraintException", "it is in another region.*\nSet `region`"),
    ],
)
def test_what_a_server_refuses_is_said_with_a_remedy(
    s3: S3Server, folder: Path, status: str, code: str, said: str
) -> None:
    store = open_store(s3)
    s3.fault = lambda environ: (status, code)
    with pytest.raises(ArchiveError, match=said) as caught:
        Archive("lab", store).push(RECORD, folder)
    s3.fault = lambda environ: None
    assert "canary" not in str(caught.value)
    store._client.close()


def test_nothing_is_public_and_no_object_is_read_for_a_list(s3: S3Server, folder: Path) -> None:
    headers: list[str] = []

    def note(environ: Environ) -> None:
        headers.extend(name for name in environ if name.startswith("HTTP_X_AMZ_"))

    s3.fault = note
    store = open_store(s3)
    archive = Archive("lab", store)
    archive.push(RECORD, folder)
    assert not [name for name in headers if "ACL" in name or "GRANT" in name]
    s3.requests.clear()
    assert archive.list()
    assert [(method, path) for method, path, _ in s3.requests] == [("GET", f"/{BUCKET}")]
    store._client.close()


def test_an_answer_that_breaks_is_gone_on_with(s3: S3Server, tmp_path: Path) -> None:
    big = os.urandom(30 << 20)
    (tmp_path / "big").write_bytes(big)
    with Proxy(s3.port) as way:
        store = open_store(s3, way.port)
        store.send("runs/x/big", tmp_path / "big", lambda size: None)
        way.trip(12 << 20, way.cut)
        assert b"".join(store.read("runs/x/big")) == big
        store._client.close()


def test_no_credentials_no_server_no_boto3(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_module, "TRIES", 1)
    with Proxy(s3.port) as way:
        port = way.port
    store = open_store(s3, port)
    with pytest.raises(ArchiveError, match="can't be reached"):
        store.size("x")
    store._client.close()
    with pytest.raises(ArchiveError, match=r"(?s)nobody.*boto3 looks for credentials"):
        open_store(s3, profile="nobody")
    with monkeypatch.context() as patched:
        patched.delenv("AWS_ACCESS_KEY_ID")
        patched.delenv("AWS_SECRET_ACCESS_KEY")
        store = open_store(s3)
        with pytest.raises(ArchiveError, match=r"(?s)credentials.*boto3 looks"):
            store.size("x")
        store._client.close()
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ArchiveError, match=r"(?s)need boto3.*jupyter-remote-cells.aws"):
        open_store(s3)
