"""The list of what a mirror holds: what the host writes is what the client reads; nothing else is taken."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_remote.agent.entry import Entry
from jupyter_remote.agent.inventory import COUNT, parse, write

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))

paths = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8) | st.just("\udcff")
modes = st.integers(0, 0o777)
digests = st.binary(min_size=20, max_size=20).map(bytes.hex)
entries = st.one_of(
    st.builds(Entry, st.just("file"), modes, st.integers(0, 2**62), digests),
    st.builds(Entry, st.just("link"), modes, target=paths),
    st.builds(Entry, st.just("dir"), modes),
)
states = st.sampled_from(["same", "changed", "missing"])
inventories = st.dictionaries(paths, st.tuples(entries, st.sampled_from(["me", "you"]), states), max_size=6)


def parts(told: bytes) -> tuple[bytes, bytes]:
    """Text and digests, as the client takes them apart."""
    text_at = COUNT.size + 20 * COUNT.unpack_from(told)[0]
    return zlib.decompress(told[text_at:]), told[COUNT.size : text_at]


@settings(max_examples=EXAMPLES, deadline=None)
@given(inventory=inventories, received=st.dictionaries(digests, st.integers(0, 2**40), max_size=2))
def test_what_is_written_is_read(inventory: dict[str, Any], received: dict[str, int]) -> None:
    assert parse(*parts(write(7, inventory, received, ["ab"]))) == (7, inventory, received, ["ab"])


ROWS = {
    "f": (Entry("file", 0o644, 3, "ab" * 20), "me", "same"),
    "l": (Entry("link", 0o777, target="f"), "me", "same"),
}


@pytest.mark.parametrize(
    "field", ["paths", "put_by", "states", "kinds", "modes", "sizes", "targets", "owners"]
)
@pytest.mark.parametrize("lie", [[], "", 5, None, [None, None], [[], []], [-1, -1], [True, True], "zz"])
def test_a_column_that_lies_is_refused(field: str, lie: object) -> None:
    text, digests = parts(write(7, dict(ROWS), {}))
    told = json.loads(text)
    assert field in told
    with pytest.raises((ValueError, TypeError, LookupError)):
        parse(json.dumps({**told, field: lie}).encode(), digests)


@pytest.mark.parametrize("digests", [b"", bytes(19), bytes(40)])
def test_digests_for_other_files_are_refused(digests: bytes) -> None:
    text, _ = parts(write(7, dict(ROWS), {}))
    with pytest.raises(ValueError, match="digest"):
        parse(text, digests)
