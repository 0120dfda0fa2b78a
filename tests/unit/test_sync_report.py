"""A sync's report in words, cut where it is long, and as JSON, complete."""

from __future__ import annotations

import json

from jupyter_remote.sync.rules import Skipped
from jupyter_remote.sync.session import SyncReport
from jupyter_remote.sync_report import LONGEST_LIST, describe_sync, sync_document

REPORT = SyncReport(
    sent=["a.py", "b/c.py"],
    deleted=["old.py"],
    kept=[("k.py", ".jupyter-remote/kept/1/k.py")],
    conflicts=["both.py"],
    host_changed=["theirs.py"],
    pulled=["result.csv"],
    skipped=[
        Skipped("x.log", "*.log", "data/.gitignore:3"),
        Skipped("data.bin", "larger than max_file_size (200 MB): 512 MB", "max_file_size"),
        Skipped(".git/", ".git", "built-in"),
    ],
    notes=["git is not installed"],
    bytes=2048,
    generation=7,
)


def test_a_dry_run_names_everything_and_the_rule_that_skipped_it() -> None:
    assert describe_sync(REPORT, "h1", dry_run=True).splitlines() == [
        "+ a.py",
        "+ b/c.py",
        "- old.py",
        "! k.py: changed on h1, kept there as .jupyter-remote/kept/1/k.py",
        "! both.py: changed on both sides, h1's would be kept aside",
        "= theirs.py: changed on h1 only, left as it is there",
        "= result.csv: pulled from there: left alone",
        "note: git is not installed",
        "  data.bin: larger than max_file_size (200 MB): 512 MB",
        "  x.log (skipped by *.log, data/.gitignore:3)",
        "  .git/ (skipped by .git, built-in)",
        "h1: would send 2 paths (2.0 KiB), would delete 1, skipped 3 (1 over max_file_size), 1 in conflict, "
        "1 changed on the host only, 1 pulled from there",
    ]


def test_a_sync_names_what_the_size_guard_left_out_and_no_other_skipped_path() -> None:
    lines = describe_sync(REPORT, "h1", dry_run=False).splitlines()
    assert "  data.bin: larger than max_file_size (200 MB): 512 MB" in lines
    assert not any("x.log" in line or "result.csv" in line for line in lines)
    assert lines[-1].startswith("h1: sent 2 paths (2.0 KiB), deleted 1, skipped 3")


def test_long_lists_are_cut_with_a_count_in_text_only() -> None:
    paths = [f"{number:04d}" for number in range(1234)]
    skipped = [Skipped(path, "*", "exclude") for path in paths]
    report = SyncReport(
        sent=paths, deleted=paths, conflicts=paths, host_changed=paths, pulled=paths, skipped=skipped, bytes=1
    )
    lines = describe_sync(report, "h", dry_run=True).splitlines()
    assert len(lines) == 6 * LONGEST_LIST + 1
    assert [line for line in lines if "more" in line] == [
        f"  … and 1,185 more {what}; --json has them all"
        for what in ("to send", "to delete", "conflicts", "changed on h only", "pulled from there", "skipped")
    ]
    assert lines[-1].startswith("h: would send 1234 paths (1 B), would delete 1234, skipped 1234")
    document = sync_document(report, "h", dry_run=True)
    assert document["sent"] == paths and len(document["skipped"]) == 1234


def test_a_list_that_just_fits_is_whole() -> None:
    report = SyncReport(sent=[str(number) for number in range(LONGEST_LIST)])
    lines = describe_sync(report, "h", dry_run=True).splitlines()
    assert len(lines) == LONGEST_LIST + 1 and not any("more" in line for line in lines)


def test_the_keys_of_the_document_are_stable() -> None:
    document = json.loads(json.dumps(sync_document(REPORT, "h1", dry_run=True)))
    assert document == {
        "host": "h1",
        "dry_run": True,
        "sent": ["a.py", "b/c.py"],
        "deleted": ["old.py"],
        "kept": [["k.py", ".jupyter-remote/kept/1/k.py"]],
        "conflicts": ["both.py"],
        "host_changed": ["theirs.py"],
        "pulled": ["result.csv"],
        "skipped": [
            {"path": "x.log", "rule": "*.log", "source": "data/.gitignore:3"},
            {
                "path": "data.bin",
                "rule": "larger than max_file_size (200 MB): 512 MB",
                "source": "max_file_size",
            },
            {"path": ".git/", "rule": ".git", "source": "built-in"},
        ],
        "too_large": ["data.bin"],
        "notes": ["git is not installed"],
        "bytes": 2048,
        "wire_bytes": 0,
        "generation": 7,
        "seconds": 0.0,
        "counts": {
            "sent": 2,
            "deleted": 1,
            "kept": 1,
            "conflicts": 1,
            "host_changed": 1,
            "pulled": 1,
            "skipped": 3,
            "too_large": 1,
        },
    }
