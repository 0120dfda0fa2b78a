"""What the history keeps of a run: its columns, and how a record becomes a row. No file is touched.

A row is a plain dict. A column that isn't in it is not known (yet), which is not the same as empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]

# In the order of the table; `source`, which may be long, stands last there.
COLUMNS = (
    "id",
    "host",
    "project",
    "mirror",
    "notebook",
    "cell",
    "session",
    "kind",
    "label",
    "state",
    "exit_code",
    "reason",
    "created",
    "started",
    "ended",
    "seconds",
    "cpu_seconds",
    "peak_memory",
    "gpu_memory",
    "git_commit",
    "git_dirty",
    "workspace_digest",
    "rerun_of",
    "command",
    "remote_command",
    "options",
    "metrics",
    "archives",
    "campaign",
    "step",
    "deleted",
    "seen",
    "source",
)
# Before all others, because nothing that is believed comes after them.
STATES = ("queued", "starting", "running", "finished", "failed", "stopped", "lost")
UNFINISHED = STATES[:3]
# What a state brings with it: taken over together, and never from a record older than what is known.
OF_THE_STATE = ("state", "exit_code", "reason", "started", "ended", "seconds")
# What it takes to run it again, beside the source; and which start of a campaign it belongs to.
OPTIONS = (
    *("argv", "script", "cwd", "env", "timeout", "session", "fresh", "sync", "pass_env", "pull"),
    *("group", "send", "lease", "params", "metric_wishes", "campaign_id"),
)
# Columns that hold JSON.
JSON_COLUMNS = ("remote_command", "options", "metrics", "archives")
MAX_SOURCE = 1 << 16


def row_of(record: Mapping[str, Any], host: str | None = None, source: str | None = None) -> Row:
    """The row of a run.

    Args:
        record: ``run.json`` of the host, with what was learned of the run later.
        host: what the host is called here; what the record calls it when None.
        source: the code that ran, cut where it is longer than what the history keeps.
    """
    used, git = _mapping(record.get("used")), _mapping(record.get("git"))
    row = {name: record[name] for name in COLUMNS if record.get(name) is not None}
    row |= {
        "host": host or record.get("host"),
        "mirror": record.get("workspace"),
        "cpu_seconds": used.get("cpu_seconds"),
        "peak_memory": used.get("peak_memory"),
        "gpu_memory": used.get("gpu_memory"),
        "git_commit": git.get("commit"),
        "git_dirty": None if git.get("dirty") is None else int(bool(git["dirty"])),
        "workspace_digest": record.get("manifest"),
        "source": None if source is None else source[:MAX_SOURCE],
        "options": {name: record[name] for name in OPTIONS if record.get(name) not in (None, [], {})},
    }
    for name in JSON_COLUMNS:
        row[name] = json.dumps(row[name], sort_keys=True) if row.get(name) else None
    return {name: value for name, value in row.items() if value is not None}


def document_of(row: Mapping[str, Any]) -> Row:
    """A row as a JSON document shows it: every column, what is JSON as what it means."""
    document = dict(row)
    for name in JSON_COLUMNS:
        document[name] = json.loads(row[name]) if row.get(name) else None
    for name in ("git_dirty", "deleted"):
        document[name] = None if row.get(name) is None else bool(row[name])
    return document


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
