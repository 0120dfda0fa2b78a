"""What a sync sends over a real connection, and what it needs not send."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import BinaryIO

import pytest
from hosts import Place, await_true, files_of

from jupyter_remote.errors import RemoteError, SyncError
from jupyter_remote.remote import Remote
from jupyter_remote.sync.session import SyncReport

MB = 1 << 20


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


class Wire:
    """Counts what a remote's link carries, in bytes."""

    def __init__(self, remote: Remote) -> None:
        channel = remote.connection()._channel
        self.sent = self.got = 0
        write, read = channel.write, channel.read

        def counted_write(data: bytes) -> None:
            self.sent += len(data)
            write(data)

        def counted_read(size: int) -> bytes:
            data = read(size)
            self.got += len(data)
            return data

        channel.write, channel.read = counted_write, counted_read  # type: ignore[method-assign]


def synced(place: Place) -> tuple[SyncReport, int]:
    """A sync as a cell makes it, from what the client remembers; and its bytes both ways."""
    remote = place.remote
    wire = Wire(remote)
    report = remote._sync.push(remote.connection()).finish()
    assert wire.sent >= report.wire_bytes
    return report, wire.sent + wire.got


def mirrored(place: Place) -> dict[str, bytes]:
    return files_of(place.files / "mirror")


@pytest.mark.slow
def test_a_large_file_is_sent_once_and_then_its_changes(local: Place) -> None:
    file = local.workspace / "data.bin"
    content = noise(50 * MB, 1)
    file.write_bytes(content)
    local.remote.sync()
    report, wire = synced(local)
    assert (report.sent, report.wire_bytes) == ([], 0)

    (local.workspace / "folder").mkdir()
    file = file.rename(local.workspace / "folder/renamed.bin")
    report, wire = synced(local)
    assert report.sent == ["folder", "folder/renamed.bin"] and wire < 10_000

    (local.workspace / "copy.bin").write_bytes(content)
    assert synced(local)[1] < 10_000
    (local.workspace / "copy.bin").unlink()
    synced(local)

    content += noise(MB, 2)
    file.write_bytes(content)
    assert synced(local)[1] < 1.2 * MB + 100_000
    content = content[: 25 * MB] + noise(1000, 3) + content[25 * MB :]
    file.write_bytes(content)
    assert synced(local)[1] < 300_000
    content = content[: 10 * MB] + b"patched" + content[10 * MB + 7 :]
    file.write_bytes(content)
    assert synced(local)[1] < 300_000
    assert mirrored(local) == {"folder/renamed.bin": content}

    # Renamed and edited at once, beside another file that is gone and looks as likely.
    (local.workspace / "other.bin").write_bytes(noise(30 * MB, 4))
    synced(local)
    (local.workspace / "other.bin").unlink()
    content = content[: 20 * MB] + noise(1000, 5) + content[20 * MB + 1000 :]
    file.unlink()
    (local.workspace / "named anew.bin").write_bytes(content)
    report, wire = synced(local)
    assert report.sent == ["named anew.bin"] and report.bytes == len(content)
    # Of both files the host tells 32 bytes for each block.
    assert report.wire_bytes < 30_000 and wire < 800_000
    assert mirrored(local) == {"named anew.bin": content}


def test_what_the_host_had_lately_is_not_sent(local: Place) -> None:
    """Back to an earlier version, and back from being deleted; by one process, and by another."""
    first, second = noise(5 * MB, 21), noise(5 * MB, 22)
    file = local.workspace / "data.bin"
    file.write_bytes(first)
    local.remote.sync()
    file.write_bytes(second)
    assert synced(local)[1] > 5 * MB
    file.write_bytes(first)
    assert synced(local)[1] < 10_000
    assert mirrored(local) == {"data.bin": first}
    file.write_bytes(second)
    assert local.open().sync().wire_bytes < 1000
    assert mirrored(local) == {"data.bin": second}
    file.unlink()
    local.remote.sync()
    assert mirrored(local) == {}
    file.write_bytes(second)
    assert synced(local)[1] < 10_000
    # What is kept is a claim: when it turns out to be something else, the content is sent.
    file.unlink()
    synced(local)
    for kept in (local.files / "mirror/.jupyter-remote/old").iterdir():
        kept.write_bytes(b"other")
    file.write_bytes(second)
    local.run("1").check()
    assert mirrored(local) == {"data.bin": second}


@pytest.mark.slow
def test_noise_is_not_blown_up_and_text_is_compressed(local: Place) -> None:
    (local.workspace / "noise").write_bytes(noise(10 * MB, 4))
    local.remote.sync()
    (local.workspace / "noise").unlink()
    (local.workspace / "other").write_bytes(noise(10 * MB, 5))
    assert synced(local)[1] < 10 * MB * 1.002
    (local.workspace / "text").write_bytes(b"a line of text\n" * 700_000)
    assert synced(local)[1] < MB


@pytest.mark.parametrize("size", [1000, 3 * MB])
def test_a_file_that_becomes_another_of_its_size_after_it_was_looked_at(local: Place, size: int) -> None:
    file = local.workspace / "data.bin"
    file.write_bytes(noise(size, 7))
    scanner = local.remote._sync._scanner
    opened, opens = scanner.open, iter(range(10))

    def rewritten_first(path: str) -> BinaryIO:
        if path == "data.bin" and next(opens) == 0:
            file.write_bytes(noise(size, 8))
        return opened(path)

    scanner.open = rewritten_first  # type: ignore[method-assign]
    local.remote.sync()
    assert mirrored(local) == {"data.bin": noise(size, 8)}
    assert next(opens) == 2


def test_the_first_look_is_taken_while_the_host_starts(local: Place) -> None:
    (local.workspace / "a").write_bytes(b"1")
    remote = local.open()
    scanner = remote._sync._scanner
    scan, threads = scanner.scan, []

    def noted(**options: bool) -> object:
        threads.append(threading.current_thread() is threading.main_thread())
        return scan(**options)

    scanner.scan = noted  # type: ignore[method-assign, assignment]
    remote.sync()
    assert mirrored(local) == {"a": b"1"}
    assert threads == [False]
    (local.workspace / "a").write_bytes(b"2")
    remote.sync()
    assert mirrored(local) == {"a": b"2"}
    assert threads == [False, True]


def test_what_is_wrong_at_the_first_look_is_told(local: Place) -> None:
    (local.workspace / "out").symlink_to("/etc/passwd")
    remote = local.open()
    with pytest.raises(SyncError, match="leads out"):
        remote.sync()
    (local.workspace / "out").unlink()
    (local.workspace / "a").write_bytes(b"1")
    remote.sync()
    assert mirrored(local) == {"a": b"1"}


def test_content_that_the_host_has_lost_is_sent(local: Place) -> None:
    content = noise(300_000, 6)
    (local.workspace / "a").write_bytes(content)
    local.run("1").check()
    lost = local.files / "mirror/a"
    status = lost.stat()
    lost.write_bytes(bytes(300_000))
    os.utime(lost, ns=(status.st_mtime_ns, status.st_mtime_ns))
    (local.workspace / "b").write_bytes(content)
    assert local.printed("print(len(set(open('b', 'rb').read(5000))) > 1)") == "True\n"
    assert mirrored(local)["b"] == content


def test_a_push_that_was_interrupted_goes_on_where_it_was(
    local: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"f{n}": noise(MB, n) for n in range(6)}
    for path, content in contents.items():
        (local.workspace / path).write_bytes(content)
    remote = local.remote
    opened: list[str] = []
    open_file = remote._sync._scanner.open

    def interrupted(path: str) -> object:
        opened.append(path)
        if len(opened) == 5:
            raise KeyboardInterrupt
        return open_file(path)

    monkeypatch.setattr(remote._sync._scanner, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remote.sync()
    monkeypatch.undo()
    received = local.files / "mirror/.jupyter-remote/received"
    await_true(lambda: len(list(received.glob("*/*"))) >= 4)
    report = remote.sync()
    assert report.bytes == 6 * MB and report.wire_bytes < 2.1 * MB
    assert mirrored(local) == contents
    assert not received.exists()


def test_an_agent_that_dies_is_an_error_and_what_came_is_used(local: Place) -> None:
    for n in range(8):
        (local.workspace / f"f{n}").write_bytes(noise(MB, n))
    remote = local.remote
    connection = remote.connection()
    pid = connection.hello["pid"]
    open_file, opened = remote._sync._scanner.open, []

    def killing(path: str) -> object:
        opened.append(path)
        if len(opened) == 7:
            os.kill(pid, signal.SIGKILL)
        return open_file(path)

    remote._sync._scanner.open = killing  # type: ignore[method-assign, assignment]
    with pytest.raises(RemoteError):
        remote.sync()
    assert not connection.alive
    remote._sync._scanner.open = open_file  # type: ignore[method-assign]
    report = remote.sync()
    # The window bounds what was on its way: five of the files were there.
    assert report.wire_bytes < 4 * MB
    assert mirrored(local) == files_of(local.workspace)
