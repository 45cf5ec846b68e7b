"""The types of a Parquet file's columns, as a model's signature names them.

Arrow keeps the width of numbers, zones and the order of categories; what pandas wrote says besides
which of its own nullable types a column had.

References
----------
pandas, "Developer: storing pandas DataFrame objects in Apache Parquet format".
"""

from __future__ import annotations

from typing import Any, Final

from samovar.core.signature import DTYPES, Column

_NULLABLE: Final = frozenset(name for name in DTYPES if name[0].isupper()) | {"boolean"}
_MAY_BE_NAN: Final = frozenset({"float32", "float64"})


def typed_columns(table: Any) -> tuple[str | dict[str, Any], ...]:
    """Describe a table's columns.

    Parameters
    ----------
    table : pyarrow.Table
        With unified dictionaries.

    Returns
    -------
    tuple of dict or str
        A column of a signature in its stored form; a name alone where no type of a signature is the
        column's.
    """
    known = {
        str(item.get("name")): str(item.get("numpy_type"))
        for item in (table.schema.pandas_metadata or {}).get("columns", ())
    }
    described = (
        _column(name, column, known.get(name))
        for name, column in zip(table.column_names, table.columns, strict=True)
    )
    return tuple(
        name if column is None else column.to_json()
        for name, column in zip(table.column_names, described, strict=True)
    )


def _column(name: str, values: Any, pandas_type: str | None) -> Column | None:
    from pyarrow import types

    kind, nullable = values.type, values.null_count > 0
    if types.is_dictionary(kind):
        return _category(name, values, nullable=nullable)
    if types.is_timestamp(kind):
        return Column(name=name, dtype="datetime", nullable=nullable, timezone=kind.tz)
    if types.is_decimal(kind):
        return Column(name=name, dtype="decimal", nullable=nullable)
    if types.is_string(kind) or types.is_large_string(kind):
        return Column(name=name, dtype="string", nullable=nullable)
    if pandas_type in _NULLABLE:
        return Column(name=name, dtype=pandas_type, nullable=True)
    dtype = _plain_name(kind)
    if dtype is None:
        return None
    if nullable and dtype not in _MAY_BE_NAN:
        # pandas reads a column of integers with nulls as floats, one of booleans as objects.
        dtype = "object" if dtype == "bool" else "float64"
    return Column(name=name, dtype=dtype, nullable=nullable)


def _plain_name(kind: Any) -> str | None:
    from pyarrow import types

    if types.is_boolean(kind):
        return "bool"
    if types.is_integer(kind):
        return str(kind)
    return {"float": "float32", "double": "float64"}.get(str(kind))


def _category(name: str, values: Any, *, nullable: bool) -> Column | None:
    categories = values.chunk(0).dictionary.to_pylist() if values.num_chunks else []
    if not all(isinstance(one, (str, bool, int, float)) for one in categories):
        return None
    return Column(
        name=name,
        dtype="category",
        nullable=nullable,
        categories=tuple(categories),
        ordered=bool(values.type.ordered),
    )
