"""The file of the local history: an SQLite database that several processes write at once.

Only tables, migrations, writing and asking. A connection lives as long as one call, so threads and forks
share none, unless a store is told to hold it; a transaction is one batch of rows. Who writes when is decided
in `history.py`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import HistoryError
from .history_rows import COLUMNS, UNFINISHED, Row
from .history_schema import MIGRATIONS, UPSERT, VERSION

if TYPE_CHECKING:
    from sqlite3 import Connection

# How long a writer waits for others, each of which holds the file for milliseconds.
PATIENCE_S = 20.0

# What a listing has of the code.
HEAD = 200
# Of one statement; SQLite's own limit was 999 for long.
MOST_VALUES = 500


@dataclass(frozen=True)
class Query:
    """Which runs; all conditions hold together, None for no condition.

    Args:
        host, label, notebook, campaign: equal to this.
        states: one of these.
        text: in the id, label, code or command; letters in either case.
        since: started at that time or later, seconds since the epoch.
        before: older than the run of this id: the last one of the page before.
        deleted: those in a trash, instead of the others.
        limit: at most so many, the newest; None for all.
    """

    host: str | None = None
    label: str | None = None
    notebook: str | None = None
    campaign: str | None = None
    states: Sequence[str] = ()
    text: str | None = None
    since: float | None = None
    before: str | None = None
    deleted: bool = False
    limit: int | None = 50

    def sql(self, columns: str) -> tuple[str, list[Any]]:
        """The statement, and its values."""
        # What somebody has noted of a run that nobody here knows (any more) is no run yet.
        where: list[str] = ["deleted" if self.deleted else "NOT deleted", "host NOT NULL"]
        values: list[Any] = []
        for name in ("host", "label", "notebook", "campaign"):
            if (wanted := getattr(self, name)) is not None:
                where.append(f"{name} = ?")
                values.append(wanted)
        if len(self.states) == 1:
            where.append("state = ?")  # an IN of one value would have to be sorted
            values += self.states
        elif self.states:
            where.append(f"state IN ({', '.join('?' * len(self.states))})")
            values += self.states
        if self.text:
            escaped = self.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
            searched = ("id", "label", "source", "command")
            where.append("(" + " OR ".join(rf"{name} LIKE ? ESCAPE '\'" for name in searched) + ")")
            values += [f"%{escaped}%"] * len(searched)
        if self.since is not None:
            where.append("id >= ?")
            values.append(time.strftime("%Y%m%d-%H%M%S", time.gmtime(self.since)))
        if self.before is not None:
            where.append("id < ?")
            values.append(self.before)
        # What has not ended is little, so it is found by its states and sorted, and not read in order of ids.
        order = "+id" if set(self.states) <= set(UNFINISHED) and len(self.states) > 1 else "id"
        text = f"SELECT {columns} FROM runs WHERE {' AND '.join(where)} ORDER BY {order} DESC"
        if self.limit is not None:
            text += " LIMIT ?"
            values.append(self.limit)
        return text, values


class Store:
    """One history file.

    Args:
        path: of the file; made, with its folder, by the first write.
        hold: keep the connection from call to call, until :meth:`close`: opening one costs as much as writing
            thirty rows. Such a store must not be used by two threads at once.
    """

    def __init__(self, path: Path, *, hold: bool = False) -> None:
        self.path = path
        self._hold = hold
        self._held: tuple[Connection, os.stat_result] | None = None

    def close(self) -> None:
        """Ends the connection that is held, if one is."""
        held, self._held = self._held, None
        if held is not None:
            held[0].close()

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds what the rows know, all of them or none; new runs are added.

        Raises:
            HistoryError: the file can't be written, is no history, or is of a newer version of this package.
        """
        seen = time.time()
        blank = dict.fromkeys(COLUMNS)
        complete = [{**blank, "seen": seen, **row} for row in rows]
        self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(UPSERT, complete)
            db.execute("COMMIT")

    def forget(self, ids: Iterable[str]) -> None:
        """Removes runs.

        Raises:
            HistoryError: as :meth:`write`.
        """
        if not self.path.exists():
            return
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM runs WHERE id = ?", [(one,) for one in ids])
            db.execute("COMMIT")

    def find(self, query: Query, source: bool = False) -> list[Row]:
        """Runs, the newest first.

        Args:
            query: which.
            source: with all of the code, of which a listing needs only the head.

        Raises:
            HistoryError: the file can't be read.
        """
        # Its beginning is beside the other columns; the rest would be read from pages of its own.
        names = COLUMNS if source else (*COLUMNS[:-1], f"substr(source, 1, {HEAD}) AS source")
        return self._rows(*query.sql(", ".join(names)))

    def with_prefix(self, prefix: str, limit: int = 10) -> list[Row]:
        """The runs whose id begins so, whole rows.

        Raises:
            HistoryError: the file can't be read.
        """
        wanted = (prefix, prefix + "\x7f", limit)
        return self._rows(
            "SELECT * FROM runs WHERE id >= ? AND id < ? AND host NOT NULL ORDER BY id DESC LIMIT ?", wanted
        )

    def rows(self, ids: Iterable[str]) -> dict[str, Row]:
        """The runs of these ids, as far as known, with the head of their code; by id.

        Raises:
            HistoryError: the file can't be read.
        """
        names = ", ".join((*COLUMNS[:-1], f"substr(source, 1, {HEAD}) AS source"))
        wanted, found = list(ids), []
        for at in range(0, len(wanted), MOST_VALUES):
            some = wanted[at : at + MOST_VALUES]
            marks = ", ".join("?" * len(some))
            found += self._rows(f"SELECT {names} FROM runs WHERE id IN ({marks})", some)
        return {row["id"]: row for row in found}

    def archived(self) -> set[str]:
        """The ids of runs that are in an archive.

        Raises:
            HistoryError: the file can't be read.
        """
        rows = self._rows("SELECT id FROM runs WHERE archives NOT NULL AND archives != '[]'", ())
        return {row["id"] for row in rows}

    def unfinished(self, notebook: str | None, session: str) -> list[Row]:
        """The runs of a notebook that were not seen to end.

        Raises:
            HistoryError: the file can't be read.
        """
        states = ", ".join(f"'{state}'" for state in UNFINISHED)
        text = (
            f"SELECT id, host, state, started, label FROM runs WHERE state IN ({states}) "
            "AND NOT deleted AND (notebook = ? OR session = ?) ORDER BY id DESC LIMIT 20"
        )
        return self._rows(text, (notebook, session))

    def hosts(self, unfinished: bool = False) -> dict[str, float]:
        """The hosts that have runs (or, `unfinished`, such not seen to end), and when each was last heard of.

        Raises:
            HistoryError: the file can't be read.
        """
        # From one host to the next by the index, however many runs each has.
        text = (
            "WITH RECURSIVE names (host) AS (SELECT MIN(host) FROM runs UNION ALL "
            "SELECT (SELECT MIN(host) FROM runs WHERE host > names.host) FROM names "
            "WHERE names.host NOT NULL) "
            "SELECT host, (SELECT seen FROM runs AS r WHERE r.host = names.host ORDER BY id DESC LIMIT 1) "
            "AS seen FROM names WHERE host NOT NULL"
        )
        if unfinished:
            states = ", ".join(f"'{state}'" for state in UNFINISHED)
            text += (
                " AND EXISTS (SELECT 1 FROM runs AS r WHERE r.host = names.host "
                f"AND r.state IN ({states}) AND NOT r.deleted)"
            )
        return {row["host"]: row["seen"] for row in self._rows(text, ())}

    def unfinished_counts(self) -> dict[str, int]:
        """How many runs of each host were not seen to end.

        Raises:
            HistoryError: the file can't be read.
        """
        states = ", ".join(f"'{state}'" for state in UNFINISHED)
        where = f"state IN ({states}) AND NOT deleted"
        text = f"SELECT host, COUNT(*) AS runs FROM runs WHERE {where} GROUP BY host"
        return {row["host"]: row["runs"] for row in self._rows(text, ())}

    def remember(self, name: str, campaign_id: str, hosts: Sequence[str], project: Path) -> None:
        """Notes where a campaign was started, and for which folder here.

        Raises:
            HistoryError: as :meth:`write`.
        """
        self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
        row = (name, campaign_id, " ".join(hosts), str(project), time.time())
        with self._connection() as db:
            db.execute("INSERT OR REPLACE INTO campaigns VALUES (?, ?, ?, ?, ?)", row)

    def campaigns(self, name: str | None = None) -> list[Row]:
        """The campaigns that were started here, newest first, or that one: ``name``, ``hosts``, ``project``.

        Raises:
            HistoryError: the file can't be read.
        """
        where, values = ("WHERE name = ?", (name,)) if name is not None else ("", ())
        rows = self._rows(f"SELECT * FROM campaigns {where} ORDER BY created DESC", values)
        return [dict(row, hosts=row["hosts"].split()) for row in rows]

    def hosts_of(self, campaign: str) -> list[str]:
        """The hosts of the runs that are known of a campaign.

        Raises:
            HistoryError: the file can't be read.
        """
        text = "SELECT DISTINCT host FROM runs WHERE campaign = ? ORDER BY host"
        return [row["host"] for row in self._rows(text, (campaign,)) if row["host"]]

    def campaigns_by_id(self, beginning: str) -> dict[str, str]:
        """The names of the campaigns whose id has that beginning, by id, as far as runs here are their steps.

        Raises:
            HistoryError: the file can't be read.
        """
        text = "SELECT campaign, options FROM runs WHERE campaign NOT NULL AND instr(options, ?)"
        rows = self._rows(text, (f'"campaign_id": "{beginning}',))
        return {json.loads(row["options"])["campaign_id"]: row["campaign"] for row in rows}

    def _rows(self, text: str, values: Sequence[Any]) -> list[Row]:
        if not self.path.exists():
            return []
        with self._connection() as db:
            answer = db.execute(text, values)
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer]

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        import sqlite3  # most processes never get here, or only in the background

        try:
            db = self._open()
            try:
                self._migrate(db)
                yield db
            except BaseException:
                if db.in_transaction:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                raise
            finally:
                if self._held is None:
                    db.close()
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(
                f"the history {self.path} can't be used: {error}",
                hint="Move it away and run `jupyter remote history --rebuild`: the hosts know their runs.",
            ) from None

    def _open(self) -> Connection:
        import sqlite3

        if self._held is not None:
            db, then = self._held
            with suppress(FileNotFoundError):
                if os.path.samestat(then, self.path.stat()):
                    return db
            self.close()  # the file was moved away, as the advice of an error has it
        db = sqlite3.connect(
            self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=not self._hold
        )
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if self._hold:
                self._held = db, self.path.stat()
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: Connection) -> None:
        if self._version(db) == VERSION:
            return
        self._use_wal(db)
        db.execute("BEGIN IMMEDIATE")
        # Another process may have done it meanwhile.
        for statements in MIGRATIONS[self._version(db) :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")

    def _version(self, db: Connection) -> int:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise HistoryError(
                f"the history {self.path} was written by a newer jupyter_remote "
                f"(schema {version}, this one knows {VERSION})",
                hint="Update jupyter_remote here, or set JUPYTER_DATA_DIR to another folder.",
            )
        return version

    def _use_wal(self, db: Connection) -> None:
        import sqlite3

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                # Two who make the file at the same time: this statement doesn't wait for the other by itself.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
