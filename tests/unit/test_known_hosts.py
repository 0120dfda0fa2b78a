"""known_hosts: which line is meant for a host, as ssh-keygen itself writes and reads it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_remote.transports.known_hosts import add, fingerprint, host_label, lookup

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIB0V0sQ7kq2t1q8q8q8q8q8q8q8q8q8q8q8q8q8q8q8q"
BLOB = base64.b64decode(KEY)


def found(tmp_path: Path, names: str, label: str) -> bool:
    file = tmp_path / "known_hosts"
    file.write_text(f"# comment\n\n{names} ssh-ed25519 {KEY} a comment\n")
    entries = lookup([file, tmp_path / "missing"], label)
    assert all(entry.line == 3 and entry.blob == BLOB for entry in entries)
    return bool(entries)


@pytest.mark.parametrize(
    ("names", "label", "expected"),
    [
        ("h", "h", True),
        ("h", "hh", False),
        ("a,h,b", "h", True),
        ("*.lan", "x.lan", True),
        ("*.lan,!x.lan", "x.lan", False),
        ("!x.lan,*.lan", "x.lan", False),
        ("?", "h", True),
        ("[h]:22", "h", False),
        ("[h]:2222", "[h]:2222", True),
        ("h", "[h]:2222", False),
        ("[*.lan]:2222", "[x.lan]:2222", True),
        ("*", "[h]:2222", True),
        ("H.Lan", "h.lan", True),
        ("|1|broken", "h", False),
        ("|1|AAAA|AAAA", "h", False),
    ],
)
def test_names(tmp_path: Path, names: str, label: str, expected: bool) -> None:
    assert found(tmp_path, names, label) is expected


def test_markers_and_broken_lines(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked h ssh-rsa {KEY}\nh ssh-rsa\nh ssh-rsa ???\n\xff\n@cert-authority * x {KEY}\n")
    assert [(entry.line, entry.marker) for entry in lookup([file], "h")] == [
        (1, "@revoked"),
        (5, "@cert-authority"),
    ]


def test_labels() -> None:
    assert host_label("H.lan", 22) == "h.lan"
    assert host_label("::1", 2222) == "[::1]:2222"


def test_add_after_an_unfinished_line(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    add(file, "a", "ssh-ed25519", BLOB)
    file.write_text(file.read_text().rstrip("\n"))
    add(file, "b", "ssh-ed25519", BLOB)
    assert file.read_text() == f"a ssh-ed25519 {KEY}\nb ssh-ed25519 {KEY}\n"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="`ssh-keygen` is not installed")
def test_ssh_keygen_agrees(tmp_path: Path) -> None:
    def keygen(*args: str) -> str:
        return subprocess.run(["ssh-keygen", *args], check=True, capture_output=True, text=True).stdout

    keygen("-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"))
    kind, text = (tmp_path / "key.pub").read_text().split()[:2]
    blob = base64.b64decode(text)
    file = tmp_path / "known_hosts"
    add(file, "[h.lan]:2222", kind, blob)
    keygen("-H", "-f", str(file))
    assert file.read_text().startswith("|1|")
    (entry,) = lookup([file], "[h.lan]:2222")
    assert (entry.kind, entry.blob, lookup([file], "h.lan")) == (kind, blob, [])
    assert fingerprint(blob) in keygen("-l", "-f", str(tmp_path / "key.pub"))
