"""The codec: whatever is encoded comes out again, however it was cut; whatever is broken is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.wire import (
    MAGIC,
    MAX_BANNER,
    MAX_HEADER,
    MAX_PAYLOAD,
    PREFIX,
    Decoder,
    WireError,
    encode,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
MESSAGE = st.one_of(
    st.just(m.Data()),
    st.builds(m.Credit, st.integers(0, 2**40)),
    st.builds(m.Facts, OBJECT),
    st.builds(m.Events, st.lists(OBJECT, max_size=3)),
    st.builds(m.Execute, run=OBJECT, session=OBJECT, generation=st.none() | st.integers(), secrets=OBJECT),
    st.builds(m.Failure, error=st.text(), message=st.text(), hint=st.none() | st.text()),
)


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), MESSAGE, st.binary(max_size=200)), max_size=5),
    st.integers(1, 40),
    st.binary(max_size=30),
)
def test_frames_survive_any_cut_and_any_banner(
    frames: list[tuple[int, m.Message, bytes]], cut: int, banner: bytes
) -> None:
    assume(MAGIC not in banner + MAGIC[:-1])
    stream = banner + MAGIC + b"".join(encode(*frame) for frame in frames)
    decoder = Decoder(magic=True)
    seen = [frame for at in range(0, len(stream), cut) for frame in decoder.receive(stream[at : at + cut])]
    assert [(f.stream, f.message, f.payload) for f in seen] == frames
    assert decoder.started and decoder.banner == banner


@given(st.binary(max_size=300))
def test_noise_is_refused_or_waited_for_but_never_crashes(noise: bytes) -> None:
    with contextlib.suppress(WireError):
        list(Decoder().receive(noise))


@pytest.mark.parametrize(
    ("kind", "header", "payload"),
    [(1, MAX_HEADER + 1, 0), (1, 0, MAX_PAYLOAD + 1), (1, 2**32 - 1, 2**32 - 1), (250, 0, 0)],
)
def test_a_frame_over_a_cap_is_refused_before_its_bytes_come(kind: int, header: int, payload: int) -> None:
    with pytest.raises(WireError):
        list(Decoder().receive(PREFIX.pack(kind, 1, header, payload)))


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b"\xff",
        b'{"amount": "7"}',
        b'{"amount": true}',
        b"{}",
        b'{"amount": 1, "more": 2}',
        b'{"self": 1}',
        b"[" * 9999,
    ],
)
def test_a_header_that_is_not_its_message_is_refused(header: bytes) -> None:
    with pytest.raises(WireError, match="broken Credit"):
        list(Decoder().receive(struct.pack("!BIII", m.Credit.kind, 1, len(header), 0) + header))


def test_a_banner_without_end_is_refused() -> None:
    with pytest.raises(WireError, match="no agent answered"):
        list(Decoder(magic=True).receive(b"x" * (MAX_BANNER + 1)))


def test_too_large_a_message_is_refused_where_it_is_made() -> None:
    with pytest.raises(WireError, match="Data is too large"):
        encode(1, m.Data(), b"x" * (MAX_PAYLOAD + 1))


def test_a_message_is_frozen_and_its_repr_keeps_secrets() -> None:
    message = m.Execute(run={}, session={}, secrets={"TOKEN": "canary"})
    assert "canary" not in repr(message)
    with pytest.raises(AttributeError):
        message.run = {}  # type: ignore[misc]


def test_kinds_are_unique() -> None:
    classes = m.Message.__subclasses__()
    assert len({cls.kind for cls in classes}) == len(classes) == len(m.KINDS)
