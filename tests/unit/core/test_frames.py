"""Frames between two processes: what goes in comes out, and nothing is taken for whole that is not."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samovar.core.frames import Part, read_frames, write_frame
from samovar.errors import Damaged

NAMES = st.text(max_size=12)
BUFFERS = st.builds(
    lambda name, data: Part(name=name, shape=(len(data),), dtype="uint8", data=data),
    NAMES,
    st.binary(max_size=40),
)
LISTS = st.builds(
    lambda name, values: Part(name=name, shape=(len(values),), dtype=None, data=values),
    NAMES,
    st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=6),
)
FRAMES = st.lists(st.lists(BUFFERS | LISTS, max_size=4), max_size=4)


def written(frames: list[list[Part]]) -> bytes:
    stream = io.BytesIO()
    for parts in frames:
        write_frame(stream, parts)
    return stream.getvalue()


def plain(frames: list[list[Part]]) -> list[list[tuple[object, ...]]]:
    return [
        [(p.name, p.shape, p.dtype, bytes(p.data) if p.dtype else p.data) for p in parts]
        for parts in frames
    ]


@given(FRAMES)
def test_frames_come_out_as_they_went_in(frames: list[list[Part]]) -> None:
    assert plain(list(read_frames(io.BytesIO(written(frames))))) == plain(frames)


@given(st.lists(st.lists(BUFFERS, min_size=1, max_size=3), min_size=1, max_size=2), st.data())
def test_a_frame_that_is_cut_off_is_damaged(frames: list[list[Part]], data: st.DataObject) -> None:
    whole = written(frames)
    last = len(written(frames[:-1]))
    cut = data.draw(st.integers(last + 1, len(whole) - 1))
    with pytest.raises(Damaged, match="cut off"):
        list(read_frames(io.BytesIO(whole[:cut])))


def test_an_impossible_header_is_not_waited_for() -> None:
    with pytest.raises(Damaged, match="impossible"):
        list(read_frames(io.BytesIO(struct.pack("<Q", 1 << 40))))


def test_values_that_json_lacks_are_refused() -> None:
    part = Part(name="x", shape=(1,), dtype=None, data=[float("nan")])
    with pytest.raises(ValueError, match="JSON"):
        write_frame(io.BytesIO(), [part])
