"""Tables in memory, cut into the batches that files give (bundle/tables.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.bundle.tables import BATCH_ROWS, batches_of_arrow, choose_columns
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.bundle.tables import Batch
    from samovar.core.signature import Signature


def batches_of_frame(rows: Any, signature: Signature) -> Iterator[Batch]:
    """Cut a DataFrame or a 2-D array in memory into batches; nothing is converted inexactly.

    Raises
    ------
    InvalidInput
        Naming a column that is missing or unknown, or a value that does not fit.
    """
    import pyarrow as arrow

    where = "The input"
    if not hasattr(rows, "columns"):
        names = [column.name for column in signature.inputs]
        columns = list(rows.T) if getattr(rows, "ndim", 0) == 2 else []
        if len(columns) != len(names):
            raise InvalidInput(
                f"An array of shape [n, {len(names)}] is wanted.",
                hint=f"The columns are {', '.join(names)}.",
                code="wrong_shape",
            )
        table = arrow.table([arrow.array(column, from_pandas=True) for column in columns], names)
    else:
        try:
            table = arrow.Table.from_pandas(rows, preserve_index=False)
        except arrow.ArrowException as error:
            raise InvalidInput("A column has values of several types.", why=str(error)) from error
    unknown = set(table.column_names) - {column.name for column in signature.inputs}
    if unknown and signature.container != "texts":
        raise InvalidInput(
            f"{where} has the unknown column {min(unknown)!r}.",
            hint=f"The columns are {', '.join(column.name for column in signature.inputs)}.",
            code="wrong_columns",
        )
    table = table.select(
        [table.column_names[at] for at in choose_columns(table.column_names, where, signature)]
    )
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield from batches_of_arrow(batch, where, signature)
