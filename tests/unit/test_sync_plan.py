"""Every case of what is here and what is there, as a table."""

from __future__ import annotations

import pytest

from jupyter_remote.agent.entry import Entry, Manifest
from jupyter_remote.agent.pack import Change
from jupyter_remote.errors import SyncError
from jupyter_remote.sync.plan import Brought, Inventory, check_names, plan, same_names

OLD = Entry("file", 0o644, 3, "00" * 20)
NEW = Entry("file", 0o644, 5, "11" * 20)
EXECUTABLE = OLD._replace(mode=0o755)
LINK = Entry("link", target="x")
FOLDER = Entry("dir", 0o755)
PRIVATE = Entry("dir", 0o700)

# here | what we know of there | change | in deletes, conflicts, host_changed | unchanged
CASES = {
    "same": (OLD, (OLD, "me", "same"), None, "", 1),
    "same, put by another": (OLD, (OLD, "you", "same"), None, "", 1),
    "new": (OLD, None, "put", "", 0),
    "changed here": (NEW, (OLD, "me", "same"), "put", "", 0),
    "changed here, put by another": (NEW, (OLD, "you", "same"), "put", "conflicts", 0),
    "changed there": (OLD, (OLD, "me", "changed"), None, "host_changed", 0),
    "changed there, put by another": (OLD, (OLD, "you", "changed"), None, "host_changed", 0),
    "changed on both sides": (NEW, (OLD, "me", "changed"), "put", "conflicts", 0),
    "lost there": (OLD, (OLD, "me", "missing"), "put", "", 0),
    "lost there, put by another": (OLD, (OLD, "you", "missing"), "put", "", 0),
    "lost there, changed here": (NEW, (OLD, "me", "missing"), "put", "", 0),
    "deleted here": (None, (OLD, "me", "same"), "delete", "deletes", 0),
    "deleted here, put by another": (None, (OLD, "you", "same"), None, "", 0),
    "deleted here, changed there": (None, (OLD, "me", "changed"), None, "host_changed", 0),
    "deleted here, changed there, put by another": (None, (OLD, "you", "changed"), None, "", 0),
    "deleted on both sides": (None, (OLD, "me", "missing"), "delete", "", 0),
    "deleted on both sides, put by another": (None, (OLD, "you", "missing"), None, "", 0),
    "mode changed here": (EXECUTABLE, (OLD, "me", "same"), "chmod", "", 0),
    "mode changed here, put by another": (EXECUTABLE, (OLD, "you", "same"), "put", "conflicts", 0),
    "mode changed here, content there": (EXECUTABLE, (OLD, "me", "changed"), "put", "conflicts", 0),
    "mode changed here, lost there": (EXECUTABLE, (OLD, "me", "missing"), "put", "", 0),
    "mode of a folder changed here": (PRIVATE, (FOLDER, "me", "same"), "chmod", "", 0),
    "mode of a folder changed here, put by another": (PRIVATE, (FOLDER, "you", "same"), "put", "", 0),
    "mode of a folder changed on both sides": (PRIVATE, (FOLDER, "me", "changed"), "put", "", 0),
    "folder deleted here": (None, (FOLDER, "me", "same"), "delete", "deletes", 0),
    "file to folder": (FOLDER, (OLD, "me", "same"), "put", "", 0),
    "file to folder, changed there": (FOLDER, (OLD, "me", "changed"), "put", "conflicts", 0),
    "folder to file": (OLD, (FOLDER, "me", "same"), "put", "", 0),
    "file to link": (LINK, (OLD, "me", "same"), "put", "", 0),
    "link to file": (OLD, (LINK, "me", "same"), "put", "", 0),
    "link changed on both sides": (LINK._replace(target="y"), (LINK, "me", "changed"), "put", "conflicts", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    here, there, op, listed_in, unchanged = CASES[name]
    local: Manifest = {} if here is None else {"p": here}
    remote: Inventory = {} if there is None else {"p": there}
    made = plan(local, remote, "me")
    assert made.changes == ([] if op is None else [Change(op, "p", None if op == "delete" else here)])
    for listing in ("deletes", "conflicts", "host_changed"):
        assert getattr(made, listing) == (["p"] if listing == listed_in else []), listing
    assert made.unchanged == unchanged
    assert made.bytes == (here.size if op == "put" and here is not None else 0)


# A file that was pulled as OLD: what is here | what we know of there | since the pull, there |
# change | in host_changed, pulled, yielding, conflicts
PULLED = {
    "pulled": (OLD, None, "same", None, "pulled"),
    "pulled, changed there": (OLD, None, "changed", None, "host_changed"),
    "pulled, deleted there": (OLD, None, "missing", "put", ""),
    "pulled, deleted here": (None, None, "same", None, ""),
    "pulled, changed here": (NEW, None, "same", "put", "yielding"),
    "pulled, changed on both sides": (NEW, None, "changed", "put", ""),
    "pulled, changed here, deleted there": (NEW, None, "missing", "put", ""),
    "ours, changed there, pulled": (OLD, (NEW, "me", "changed"), "same", None, "pulled"),
    "ours, changed there, pulled, deleted here": (None, (NEW, "me", "changed"), "same", None, "host_changed"),
    "ours, changed there, pulled, changed here": (NEW, (OLD, "me", "changed"), "same", "put", "yielding"),
    "ours, changed there, pulled, changed on both sides": (
        NEW, (OLD, "me", "changed"), "changed", "put", "conflicts"
    ),
    "edited, sent, and as it was pulled again": (OLD, (NEW, "me", "same"), "changed", "put", ""),
    "another's, pulled": (OLD, (OLD, "you", "same"), "same", None, "unchanged"),
    "another's, replaced by it": (OLD, (NEW, "you", "same"), "changed", None, "host_changed"),
    "another's, changed here": (NEW, (OLD, "you", "same"), "same", "put", "conflicts"),
}  # fmt: skip


@pytest.mark.parametrize("name", PULLED)
def test_pulled(name: str) -> None:
    here, there, since, op, listed_in = PULLED[name]
    local: Manifest = {} if here is None else {"p": here}
    remote: Inventory = {} if there is None else {"p": there}
    brought = {"p": Brought(here != OLD, since)} if here else {}
    made = plan(local, remote, "me", (), brought)
    assert made.changes == ([] if op is None else [Change(op, "p", here)])
    for listing in ("host_changed", "pulled", "yielding", "conflicts"):
        assert getattr(made, listing) == (["p"] if listing == listed_in else []), listing
    assert made.unchanged == (listed_in == "unchanged")


def test_a_folder_that_a_pull_made_is_not_sent() -> None:
    made = plan({"d": FOLDER}, {}, "me", (), {"d": Brought(False, "same")})
    assert (made.changes, made.pulled) == ([], [])


def test_what_the_host_changed_in_a_folder_that_gives_way_is_a_conflict() -> None:
    remote: Inventory = {
        "d": (FOLDER, "me", "same"),
        "d/x": (OLD, "me", "changed"),
        "d/y": (OLD, "me", "same"),
    }
    made = plan({"d": NEW}, remote, "me")
    assert made.changes == [Change("put", "d", NEW), Change("delete", "d/y")]
    assert made.conflicts == ["d"]
    assert made.host_changed == ["d/x"]


def test_what_is_here_and_only_left_out_is_not_deleted_there() -> None:
    remote: Inventory = dict.fromkeys(("big", "data/a", "data/b/c", "database", "gone"), (OLD, "me", "same"))
    assert plan({}, remote, "me", held=["big", "data/"]).deletes == ["database", "gone"]


def test_names_that_one_host_takes_for_the_same() -> None:
    paths = ["a/README", "a/readme", "b/readme", "é", "e\u0301", "straße", "STRASSE"]
    assert same_names(paths, folds_case=False) == []
    assert sorted(same_names(paths, folds_case=True)) == [
        ["STRASSE", "straße"],
        ["a/README", "a/readme"],
        ["e\u0301", "é"],
    ]
    with pytest.raises(SyncError, match="mac1 takes these for the same name: 'a/README' and 'a/readme'"):
        check_names(dict.fromkeys(["a/README", "a/readme"], OLD), "mac1", folds_case=True)
    check_names(dict.fromkeys(["a/README", "a/readme"], OLD), "linux1", folds_case=False)
