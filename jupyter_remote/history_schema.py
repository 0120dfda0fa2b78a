"""The tables of the local history: the steps of their schema, and how a row is taken over. Only text of SQL.

Who writes it is `history_store.py`; what a row is, `history_rows.py`.
"""

from __future__ import annotations

from .history_rows import COLUMNS, OF_THE_STATE, STATES

# One entry per version of the schema; never changed once released, only appended to.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY, host TEXT, project TEXT, mirror TEXT, notebook TEXT, session TEXT, kind TEXT,
            label TEXT, state TEXT, exit_code INTEGER, reason TEXT, created REAL, started REAL, ended REAL,
            seconds REAL, cpu_seconds REAL, peak_memory INTEGER, git_commit TEXT, git_dirty INTEGER,
            workspace_digest TEXT, rerun_of TEXT, command TEXT, remote_command TEXT, options TEXT,
            deleted INTEGER NOT NULL DEFAULT 0, seen REAL, source TEXT)""",
        # An id begins with its time, so each of these also answers "the newest".
        "CREATE INDEX runs_host ON runs (host, id)",
        "CREATE INDEX runs_state ON runs (state, id)",
        "CREATE INDEX runs_notebook ON runs (notebook, id)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN gpu_memory INTEGER",
        "ALTER TABLE runs ADD COLUMN metrics TEXT",
        "CREATE INDEX runs_host_state ON runs (host, state, id)",
        "CREATE INDEX runs_label ON runs (label, id)",
        "CREATE INDEX runs_deleted ON runs (id) WHERE deleted",
    ),
    ("ALTER TABLE runs ADD COLUMN archives TEXT",),
    (
        "ALTER TABLE runs ADD COLUMN campaign TEXT",
        "ALTER TABLE runs ADD COLUMN step TEXT",
        "CREATE INDEX runs_campaign ON runs (campaign, id) WHERE campaign NOT NULL",
        "CREATE TABLE campaigns (name TEXT PRIMARY KEY, id TEXT, hosts TEXT, project TEXT, created REAL)",
    ),
    ("ALTER TABLE runs ADD COLUMN cell TEXT",),
)
VERSION = len(MIGRATIONS)

_RANK = "CASE {} " + " ".join(f"WHEN '{s}' THEN {min(n, 3)}" for n, s in enumerate(STATES)) + " ELSE -1 END"
# What this side was told when it started the run stays; everything else is taken from who knows it last.
_KEPT = ("host", "project", "source", "created")


def _take_over(name: str) -> str:
    if name in _KEPT:
        return f"{name} = COALESCE(runs.{name}, excluded.{name})"
    newer = f"COALESCE(excluded.{name}, runs.{name})"
    if name in OF_THE_STATE:
        old, new = _RANK.format("runs.state"), _RANK.format("excluded.state")
        return (
            f"{name} = CASE WHEN {new} >= {old} THEN {newer} ELSE COALESCE(runs.{name}, excluded.{name}) END"
        )
    return f"{name} = {newer}"


# A row may know nothing of whether its run was deleted, and a new row then isn't.
_VALUES = ", ".join("COALESCE(:deleted, 0)" if name == "deleted" else f":{name}" for name in COLUMNS)
_UPDATES = [
    "deleted = COALESCE(:deleted, runs.deleted)" if name == "deleted" else _take_over(name)
    for name in COLUMNS[1:]
]
UPSERT = (
    f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({_VALUES}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(_UPDATES)}"
)
