"""Values become exactly the column's dtype, or are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from samovar.core.signature import Column
from samovar.runtime.values import WrongValueError, found, reader_of, wanted


def read(value: object, dtype: str, **options: object) -> object:
    return reader_of(Column(name="c", dtype=dtype, **options))(value)  # type: ignore[arg-type] # a test's shorthand


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("float64", 3, 3.0),
        ("float64", 2**64, 18446744073709551616.0),
        ("float64", -0.1, -0.1),
        ("float32", 16777216, 16777216.0),
        ("int64", 9007199254740993, 9007199254740993),
        ("int64", 3.0, 3),
        ("uint8", 255, 255),
        ("Int8", -128, -128),
        ("bool", True, True),
        ("boolean", False, False),
        ("string", "01234", "01234"),
        ("decimal", "1.10", Decimal("1.10")),
        ("object", "x", "x"),
        ("object", 1.5, 1.5),
    ],
)
def test_fitting_values(dtype: str, value: object, expected: object) -> None:
    got = read(value, dtype)
    assert (got, type(got)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("dtype", "value", "words"),
    [
        ("float64", True, "true was found"),
        ("float64", "1", "'1' was found"),
        ("float64", None, "null was found"),
        ("float64", [1], "a list was found"),
        ("float64", {}, "an object was found"),
        ("float64", 2**53 + 1, "float64 cannot hold 9007199254740993 exactly"),
        ("float64", 10**400, "is too large for float64"),
        ("float64", float("inf"), "is too large"),
        ("float32", 16777217, "float32 cannot hold 16777217 exactly"),
        ("float32", 1e39, "is too large for float32"),
        ("int64", 3.5, "3.5 was found"),
        ("int64", True, "true was found"),
        ("int64", 2**63, "out of range for int64"),
        ("uint8", -1, "out of range for uint8"),
        ("int8", 128, "out of range for int8"),
        ("bool", 1, "true or false is wanted, 1 was found"),
        ("string", 1, "a string is wanted, 1 was found"),
        ("decimal", 1.5, "a decimal number as a string is wanted"),
        ("decimal", "NaN", "is wanted"),
        ("decimal", "1,5", "is wanted"),
        ("object", None, "null was found"),
    ],
)
def test_values_that_do_not_fit_are_named(dtype: str, value: object, words: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        read(value, dtype)
    assert words in str(caught.value)


def test_null_is_taken_where_the_column_is_nullable() -> None:
    assert read(None, "float64", nullable=True) is None
    assert wanted(Column(name="c", dtype="float64", nullable=True)).endswith("or null")


def test_categories_are_compared_with_their_type() -> None:
    assert read("a", "category", categories=("a", "b")) == "a"
    assert read(1, "category", categories=(1, 2)) == 1
    for value in ("c", 1, True, None, ["a"]):
        with pytest.raises(WrongValueError):
            read(value, "category", categories=("a", "b"))


def test_a_datetime_has_a_zone_exactly_where_the_column_has_one() -> None:
    moment = read("2024-05-01T12:00:00Z", "datetime", timezone="Europe/Berlin")
    assert str(moment) == "2024-05-01 14:00:00+02:00"
    assert str(read("2024-05-01", "datetime")) == "2024-05-01 00:00:00"
    for value, zone in (("2024-05-01T12:00:00", "UTC"), ("2024-05-01T12:00:00Z", None)):
        with pytest.raises(WrongValueError):
            read(value, "datetime", timezone=zone)
    for value in ("now", "2024", "2024-13-01", 1714564800, "2024-05-01T25:00"):
        with pytest.raises(WrongValueError):
            read(value, "datetime")


def test_long_values_are_shown_shortened() -> None:
    assert len(found("x" * 1000)) <= 40
    assert found(10**100) == "an integer of 333 bits"
