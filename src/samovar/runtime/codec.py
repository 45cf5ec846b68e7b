"""One path from any protocol into exactly what the model saw.

Requests are read into *rows*: tuples of checked values in the order of the signature (or, for
models over numbers, a 2-D array; for models over texts, strings). Rows of different requests can
be put together, because types come from the signature alone and never from the values.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput
from samovar.runtime.containers import assembler_of
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS, WrongValueError, found, reader_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samovar.core.signature import Signature

    Rows = Sequence[Any] | Any

_MAX_NAMED: Final = 8
LONG_INTEGER: Final = re.compile(rb"[\[,:\-\s][0-9]{16,}[\],}\s]")
"""An integer that float64 may not hold exactly has at least sixteen digits, in a JSON document."""


class Codec:
    """Reads rows for one signature.

    Parameters
    ----------
    signature : Signature
        Of the model.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.columns = signature.inputs
        self.names = tuple(column.name for column in signature.inputs)
        self.is_text = signature.container == "texts"
        self.assemble: Callable[[Rows], Any] = assembler_of(signature)
        self.is_matrix = signature.container == "array" and all(
            column.dtype in FLOATS or column.dtype in INTEGERS or column.dtype in BOOLEANS
            for column in signature.inputs
        )
        self._readers = tuple(reader_of(column) for column in signature.inputs)
        self._known = frozenset(self.names)

    def read(self, document: Any) -> tuple[Rows, bool]:
        """Read one row or a list of rows.

        Returns
        -------
        rows : sequence
            Checked.
        is_single : bool
            Whether the document was one row and not a list of them.
        """
        if self.is_text and isinstance(document, str):
            return [self._read_any(document, 0)], True
        if isinstance(document, dict):
            return [self._read_any(document, 0)], True
        if not isinstance(document, list):
            kind = "a text" if self.is_text else "a row (a list or an object)"
            raise InvalidInput(
                f"{kind[0].upper()}{kind[1:]} or a list of them is wanted, "
                f"{found(document)} was found.",
                hint=self.example_hint(),
                code="not_rows",
            )
        if not self.is_text and document and not isinstance(document[0], (list, dict)):
            return [self.read_row(document, 0)], True
        return self.read_rows(document), False

    def read_rows(self, documents: Sequence[Any]) -> Rows:
        """Read a list of rows, each one a list, an object, or a text."""
        if not documents:
            raise InvalidInput("There are no rows.", hint="Send at least one row.", code="no_rows")
        return [self._read_any(document, number) for number, document in enumerate(documents)]

    def read_row(self, values: Sequence[Any], number: int) -> Any:
        """Read a row given as a list of values in the order of the signature."""
        if len(values) != len(self.columns):
            raise InvalidInput(
                f"Row {number} has {len(values)} {'value' if len(values) == 1 else 'values'}, "
                f"the model takes {len(self.columns)}.",
                hint=f"The columns are: {_listed(self.names)}.",
                code="wrong_number_of_values",
            )
        try:
            row = tuple([read(value) for read, value in zip(self._readers, values, strict=True)])
        except WrongValueError:
            raise self._explain(values, number) from None
        return row[0] if self.is_text else row

    def read_record(self, record: Mapping[str, Any], number: int) -> Any:
        """Read a row given as an object; no column may be missing and none may be unknown."""
        if record.keys() != self._known:
            raise self._wrong_names(record, number)
        return self.read_row([record[name] for name in self.names], number)

    def read_columns(self, columns: Mapping[str, Sequence[Any]]) -> Rows:
        """Read whole columns of equal length."""
        if columns.keys() != self._known:
            raise self._wrong_names(columns, None)
        ordered = [columns[name] for name in self.names]
        lengths = {len(column) for column in ordered}
        if len(lengths) != 1:
            raise InvalidInput("The columns are not of equal length.", code="ragged_columns")
        if lengths == {0}:
            return self.read_rows(())
        try:
            checked = [
                [read(value) for value in column]
                for read, column in zip(self._readers, ordered, strict=True)
            ]
        except WrongValueError:
            raise self._explain_columns(ordered) from None
        return checked[0] if self.is_text else list(zip(*checked, strict=True))

    def concatenate(self, parts: Sequence[Rows]) -> Rows:
        """Put the rows of several requests together, in order."""
        if len(parts) == 1:
            return parts[0]
        if any(hasattr(part, "dtype") for part in parts):
            import numpy as np

            return np.concatenate([self.assemble(part) for part in parts])
        return list(chain.from_iterable(parts))

    def example_hint(self) -> str:
        """Say what a row looks like."""
        if self.is_text:
            return 'For instance "some text".'
        return f"A row has {len(self.names)} values: {_listed(self.names)}."

    def _read_any(self, document: Any, number: int) -> Any:
        if isinstance(document, dict):
            return self.read_record(document, number)
        if self.is_text:
            return self.read_row([document], number)
        if isinstance(document, (list, tuple)):
            return self.read_row(document, number)
        raise InvalidInput(
            f"Row {number} is {found(document)}, and no list and no object.",
            hint=self.example_hint(),
            code="not_a_row",
        )

    def _explain(self, values: Sequence[Any], number: int) -> InvalidInput:
        for column, read, value in zip(self.columns, self._readers, values, strict=True):
            try:
                read(value)
            except WrongValueError as error:
                return InvalidInput(
                    f"Row {number}, column {column.name!r}: {error}.", code="wrong_value"
                )
        return InvalidInput(f"Row {number} is not valid.")

    def _explain_columns(self, columns: Sequence[Sequence[Any]]) -> InvalidInput:
        for number, row in enumerate(zip(*columns, strict=True)):
            try:
                self.read_row(row, number)
            except InvalidInput as error:
                return error
        return InvalidInput("A column is not valid.")

    def _wrong_names(self, given: Mapping[str, Any], number: int | None) -> InvalidInput:
        place = "The input" if number is None else f"Row {number}"
        missing = [name for name in self.names if name not in given]
        unknown = [str(name) for name in given if name not in self._known]
        parts = [f"lacks the column {_listed(missing)}"] if missing else []
        if unknown:
            parts.append(f"has the unknown column {_listed(unknown)}")
        return InvalidInput(
            f"{place} {' and '.join(parts)}.",
            hint=f"The columns are: {_listed(self.names)}.",
            code="wrong_columns",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(_short(name)) for name in names[:_MAX_NAMED])
    return shown if len(names) <= _MAX_NAMED else f"{shown}, ... ({len(names)} in all)"


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:77] + "..."
