"""The rows that two bundles are asked about: those of A's receipt, or a table of the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidInput
from samovar.project.examples import read_examples

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.bundle.opened import Bundle


def asked_rows(a: Bundle, inputs: Path | None, row: int | None) -> tuple[Any, ...] | None:
    """Give the rows in the order of the columns of A's signature; None for all of A's receipt.

    Parameters
    ----------
    inputs : Path, optional
        A table: JSON, JSON Lines, CSV or Parquet.
    row : int, optional
        Only this one, from 0.

    Raises
    ------
    InvalidInput
        Where a column is missing, a row has another length, or there is no such row.
    """
    if inputs is None and row is None:
        return None
    rows = a.receipt.rows if inputs is None else _read(a, inputs)
    if row is None:
        return rows
    if not 0 <= row < len(rows):
        raise InvalidInput(f"There is no row {row}: there are {len(rows)}, counted from 0.")
    return (rows[row],)


def _read(a: Bundle, path: Path) -> tuple[Any, ...]:
    examples = read_examples(path)
    if not examples.rows:
        raise InvalidInput(f"{path.name} has no rows.")
    names = [column.name for column in a.document.signature.inputs]
    if examples.columns is not None:
        missing = [name for name in names if name not in examples.columns]
        unknown = [name for name in examples.columns if name not in names]
        if missing or unknown:
            raise InvalidInput(
                f"{path.name} lacks {', '.join(missing)}."
                if missing
                else f"{path.name} has columns that the model does not take: {', '.join(unknown)}.",
                hint=f"A takes {', '.join(names)}.",
            )
        places = [examples.columns.index(name) for name in names]
        return tuple([row[place] for place in places] for row in examples.rows)
    for number, row in enumerate(examples.rows):
        if isinstance(row, list) and names and len(row) != len(names):
            raise InvalidInput(
                f"Row {number} of {path.name} has {len(row)} values; A takes {len(names)}.",
                hint=f"They are {', '.join(names)}.",
            )
    return examples.rows
