"""Runs as a table: filter, sort, compare, export, plot."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from samovar.core.run import flatten
from samovar.errors import UserError
from samovar.record.plot import plot_metrics
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from samovar.record.runs import Run

_ENDINGS: Final = (".csv", ".parquet", ".svg")


def filter_runs(runs: Sequence[Run], *, where: Sequence[str], sort: str | None) -> list[Run]:
    """Keep the runs with certain parameters, and order them.

    Parameters
    ----------
    runs : sequence of Run
        Oldest first.
    where : sequence of str
        ``NAME=VALUE`` each; all must hold.
    sort : str, optional
        A metric or parameter, largest first; runs without it come last.
    """
    conditions = [condition.partition("=") for condition in where]
    for name, equals, _ in conditions:
        if not equals:
            raise UserError(f"{name!r} is not NAME=VALUE.", hint="For instance --where C=1.0.")
    kept = [
        run
        for run in runs
        if all(str(values_of(run).get(name)) == value for name, _, value in conditions)
    ]
    if sort is None:
        return kept
    return sorted(kept, key=lambda run: _order(values_of(run).get(sort)), reverse=True)


def _order(value: Any) -> tuple[int, Any]:
    if isinstance(value, (int, float)):
        return (2, value)
    return (0, 0) if value is None else (1, 0)


def values_of(run: Run) -> dict[str, Any]:
    """Give a run's parameters and metrics by name; a metric wins over a parameter of its name."""
    return {**flatten(run.record.params), **run.record.metrics}


def compare_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """Put runs side by side: what differs among parameters, packages and metrics.

    Returns
    -------
    dict
        ``runs``, their names, and ``rows`` of ``name`` and ``values``; metrics always, the rest
        only where they differ.
    """
    rows = []
    columns = [_sheet(run) for run in runs]
    for name in dict.fromkeys(name for column in columns for name in column):
        values = [column.get(name) for column in columns]
        if name.startswith("metric ") or any(value != values[0] for value in values):
            rows.append({"name": name, "values": values})
    return {"runs": [run.name for run in runs], "rows": rows}


def _sheet(run: Run) -> dict[str, Any]:
    record = run.record
    return {
        **{f"metric {name}": value for name, value in record.metrics.items()},
        **{f"param {name}": value for name, value in flatten(record.params).items()},
        **{f"package {name}": value for name, value in record.packages.items()},
        **{f"data {file.path}": str(file.digest)[:19] for file in record.data},
        **{f"code {file.path}": str(file.digest)[:19] for file in record.code},
        "python": record.python,
    }


def export_runs(runs: Sequence[Run], file: Path) -> None:
    """Write runs to CSV or Parquet, or a plot of their metrics to SVG.

    Raises
    ------
    UserError
        For another ending.
    """
    ending = file.suffix.lower()
    if ending not in _ENDINGS:
        raise UserError(f"Runs cannot be written to {file}.", hint=f"Use {', '.join(_ENDINGS)}.")
    if ending == ".svg":
        write_file(file.absolute(), plot_metrics(runs).encode())
        return
    rows = [
        {"name": run.name, "run": str(run.digest), "started": run.record.started, **values_of(run)}
        for run in runs
    ]
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["name", "run", "started"]
    if ending == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_file(file.absolute(), text.getvalue().encode())
        return
    import pyarrow as arrow
    from pyarrow import parquet

    columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
    for name, values in columns.items():
        if len({type(value) for value in values if value is not None} - {int, float}) > 0:
            columns[name] = [None if value is None else str(value) for value in values]
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns), buffer)
    write_file(file.absolute(), buffer.getvalue())


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str, bool)) else str(value)
