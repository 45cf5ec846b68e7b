"""What the user says of columns in ``[signature]``, put over what was inferred."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from samovar.core.signature import Column
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.runtime.inference import ExampleTable


def edited(table: ExampleTable, edits: Mapping[str, Mapping[str, Any]]) -> ExampleTable:
    """Give the table with its columns as the user has them.

    Parameters
    ----------
    table : ExampleTable
        As inferred.
    edits : mapping
        For some columns, by name, some fields of their stored form (core/signature.py).

    Raises
    ------
    InvalidInput
        Where there is no such column, or it cannot be that.
    """
    names = [column.name for column in table.columns]
    for name in edits:
        if name not in names:
            near = get_close_matches(name, names, 1, 0.5)
            raise _wrong(
                name,
                "the model has no such column",
                f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(names[:20])}.",
            )
    columns = [_merged(column, edits.get(column.name, {})) for column in table.columns]
    if table.container == "texts" and any(column.dtype != "string" for column in columns):
        raise _wrong(names[0], "a model over texts takes strings")
    return replace(table, columns=tuple(columns))


def _merged(column: Column, edit: Mapping[str, Any]) -> Column:
    if not edit:
        return column
    document = {**column.to_json(), **edit}
    if document["dtype"] != "category":
        for key in ("categories", "ordered"):
            if key in edit:
                raise _wrong(column.name, f"{key} belongs to a category, this is {column.dtype}")
            document.pop(key, None)
    elif "categories" not in document:
        raise _wrong(column.name, "a category has categories", "List them, in their order.")
    if document["dtype"] != "datetime":
        if "timezone" in edit:
            raise _wrong(column.name, f"timezone belongs to a datetime, this is {column.dtype}")
        document.pop("timezone", None)
    merged = Column.from_json(document)
    if merged.timezone is not None:
        _check_zone(merged)
    return merged


def _check_zone(column: Column) -> None:
    import pandas as pd

    try:
        pd.Timestamp(0, tz=column.timezone)
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(
            column.name,
            f"there is no time zone {column.timezone!r}",
            "Write Europe/Berlin, or UTC.",
        ) from error


def _wrong(name: str, what: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"samovar.toml, [signature.columns.{name}]: {what}.", hint=hint, code="wrong_signature"
    )


def refused_null(name: str) -> InvalidInput:
    """Make the error for a column that the user calls nullable and the model does not."""
    return _wrong(
        name, "the model refuses null in it", "Leave nullable out, or impute in the model."
    )
