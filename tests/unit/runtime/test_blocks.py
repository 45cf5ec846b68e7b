"""Large bodies of floats become one array, which is what reading them row by row would give."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from samovar.core.signature import Column, Signature
from samovar.errors import InvalidInput
from samovar.runtime.codec import Codec
from samovar.runtime.protocols.plain import PLAIN, PlainProtocol

ROWS = 400
NAMES = ("a", "b")


class Asked:
    """A request as far as the protocol looks at it."""

    def __init__(self, document: Any) -> None:
        self.body = json.dumps(document).encode()
        self.head = self
        self.note = PLAIN
        self.rows: Any = None
        self.encode: Any = None


def codec_of(container: str, dtype: str = "float64", *, nullable: bool = False) -> Codec:
    columns = tuple(Column(name=name, dtype=dtype, nullable=nullable) for name in NAMES)
    return Codec(Signature(container=container, inputs=columns, outputs=()))


def ask(codec: Codec, document: Any) -> Any:
    asked = Asked(document)
    PlainProtocol(codec, lambda _: None).handle(asked)  # type: ignore[arg-type] # as far as looked at
    assert asked.encode is not None
    return asked.rows


def documents(values: list[list[Any]]) -> list[Any]:
    return [values, [dict(zip(NAMES, row, strict=True)) for row in values]]


def drawn(*, nulls: bool = False) -> list[list[Any]]:
    generator = np.random.default_rng(4)
    values = (
        generator.normal(size=(ROWS, 2)) * 10.0 ** generator.integers(-9, 9, (ROWS, 2))
    ).tolist()
    values[3] = [7, 2**53 - 1]
    if nulls:
        values[5] = [None, 0.5]
    return values


@pytest.mark.parametrize("container", ["array", "frame"])
@pytest.mark.parametrize("nulls", [False, True])
def test_a_block_has_the_bits_of_its_rows(container: str, nulls: bool) -> None:
    codec, values = codec_of(container, nullable=nulls), drawn(nulls=nulls)
    wanted = codec.assemble(codec.read_rows(values))
    for document in documents(values):
        rows = ask(codec, document)
        assert not isinstance(rows, (list, tuple))
        found = codec.assemble(rows)
        assert np.asarray(found).tobytes() == np.asarray(wanted).tobytes()
        assert len(rows) == ROWS
        some = codec.concatenate([rows[3:5], [tuple(values[0])]])
        assert np.asarray(codec.assemble(some))[:, 0].tolist() == [7.0, values[4][0], values[0][0]]
        assert list(rows[-1]) == values[-1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2**53 + 1, "Row 399, column 'b': float64 cannot hold 9007199254740993 exactly."),
        (None, "Row 399, column 'b': a number"),
        (True, "Row 399, column 'b': a number"),
        ("1", "Row 399, column 'b': a number"),
    ],
)
def test_what_does_not_fit_a_block_is_named(value: Any, said: str) -> None:
    values = drawn()
    values[-1][1] = value
    for document in documents(values):
        with pytest.raises(InvalidInput, match=said.replace("(", r"\(")):
            ask(codec_of("array"), document)


def test_a_large_number_that_is_exact_is_taken() -> None:
    values = drawn()
    values[-1][1] = 2**60
    for document in documents(values):
        assert list(ask(codec_of("array"), document)[-1]) == [values[-1][0], 2.0**60]


def test_rows_too_wide_for_a_decoder_are_read_value_by_value() -> None:
    columns = tuple(Column(name=f"x{place}", dtype="float64") for place in range(4097))
    codec = Codec(Signature(container="array", inputs=columns, outputs=()))
    rows = ask(codec, [[0.5] * 4097, [1.5] * 4097])
    assert np.asarray(codec.assemble(rows)).sum() == 2.0 * 4097


def test_a_name_twice_is_refused_in_a_block() -> None:
    asked = Asked(documents(drawn())[1])
    asked.body = asked.body.replace(b'{"a": 7,', b'{"a": 1.0, "a": 7,')
    with pytest.raises(InvalidInput, match="a name twice"):
        PlainProtocol(codec_of("array"), lambda _: None).handle(asked)  # type: ignore[arg-type] # as far as looked at
