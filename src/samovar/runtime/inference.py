"""Infer a model's signature from the model itself and from example rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core.signature import Column, Output
from samovar.errors import InvalidInput
from samovar.runtime.estimators import category_kinds, feature_count, feature_names
from samovar.runtime.outputs import json_scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.runtime.outputs import Answer

_MAX_LABELS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTable:
    """Example rows with one order of columns.

    Parameters
    ----------
    container : str
        ``array``, ``frame`` or ``texts``.
    columns : tuple of Column
        In the model's order.
    rows : list
        Lists of JSON values in that order, or strings.
    """

    container: str
    columns: tuple[Column, ...]
    rows: list[Any]


def read_examples(model: Any, rows: Sequence[Any], given: Sequence[Any] | None) -> ExampleTable:
    """Arrange the example rows as the model was fitted and give each column its dtype.

    Parameters
    ----------
    model : object
        Fitted; asked for ``feature_names_in_`` and ``n_features_in_``.
    rows : sequence
        Lists, objects or strings.
    given : sequence of str or dict, optional
        Names of the columns of rows that are lists, or whole columns (core/signature.py) where the
        file knew their types.

    Raises
    ------
    InvalidInput
        Where there are none, they are mixed, or they do not fit the model; the row is named.
    """
    if not rows:
        raise InvalidInput(
            "There are no example rows.", hint="Add at least one.", code="no_examples"
        )
    if all(isinstance(row, str) for row in rows):
        column = Column(name="text", dtype="string")
        return ExampleTable(container="texts", columns=(column,), rows=list(rows))
    fitted = feature_names(model)
    typed = [item for item in given or () if isinstance(item, dict)]
    known = {item["name"]: Column.from_json(item) for item in typed}
    names = [item["name"] if isinstance(item, dict) else str(item) for item in given or ()]
    names, listed = _listed_rows(rows, names or None, fitted)
    has_names = fitted is not None or bool(given) or isinstance(rows[0], dict)
    if fitted is None:
        _check_count(model, names)
    kinds = category_kinds(model, names)
    columns = tuple(
        known.get(name) or _infer_column(name, [row[i] for row in listed], kinds.get(name))
        for i, name in enumerate(names)
    )
    is_frame = has_names and _has_pandas()
    return ExampleTable(container="frame" if is_frame else "array", columns=columns, rows=listed)


def describe_outputs(model: Any, method: str, answers: Sequence[Answer]) -> tuple[Output, ...]:
    """Describe the outputs from what the model answered."""
    return tuple(
        Output(
            name=answer.name,
            datatype=answer.datatype,
            shape=tuple(int(size) for size in answer.values.shape[1:]),
            labels=_labels(model, method, answer, position, len(answers)),
        )
        for position, answer in enumerate(answers)
    )


def _listed_rows(
    rows: Sequence[Any], given: list[str] | None, fitted: list[str] | None
) -> tuple[list[str], list[list[Any]]]:
    first = rows[0]
    if isinstance(first, dict):
        names = fitted or [str(name) for name in first]
        return names, [_of_record(row, names, number) for number, row in enumerate(rows)]
    source = given or fitted or [f"x{i}" for i in range(len(first))]
    if fitted is not None and set(fitted) != set(source):
        raise _wrong_names(source, fitted)
    names = fitted or source
    order = [source.index(name) for name in names]
    listed = []
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise InvalidInput(
                f"Example row {number} is no list, as row 0 is.",
                hint="Write all rows as lists, or all as objects.",
                code="mixed_rows",
            )
        if len(row) != len(source):
            raise InvalidInput(
                f"Example row {number} has {len(row)} values; {len(source)} are wanted.",
                hint=f"The columns are: {', '.join(source[:20])}.",
                code="wrong_number_of_values",
            )
        listed.append([row[i] for i in order])
    return names, listed


def _of_record(row: Any, names: list[str], number: int) -> list[Any]:
    if not isinstance(row, dict):
        raise InvalidInput(
            f"Example row {number} is no object, as row 0 is.",
            hint="Write all rows as lists, or all as objects.",
            code="mixed_rows",
        )
    if row.keys() != set(names):
        raise _wrong_names([str(name) for name in row], names, number)
    return [row[name] for name in names]


def _wrong_names(found: list[str], wanted: list[str], number: int | None = None) -> InvalidInput:
    place = "The example rows have" if number is None else f"Example row {number} has"
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    parts = [f"not the column {', '.join(map(repr, missing))}"] if missing else []
    if unknown:
        parts.append(f"the unknown column {', '.join(map(repr, unknown))}")
    return InvalidInput(
        f"{place} {' and '.join(parts)}.",
        hint=f"The model was fitted with: {', '.join(wanted)}.",
        code="wrong_columns",
    )


def _check_count(model: Any, names: list[str]) -> None:
    count = feature_count(model)
    if count is not None and count != len(names):
        raise InvalidInput(
            f"The example rows have {len(names)} values; the model was fitted with {count}.",
            hint="Write rows with the columns that the model takes, in their order.",
            code="wrong_number_of_values",
        )


def _infer_column(name: str, values: list[Any], kind: str | None) -> Column:
    """Give a column its dtype from JSON values.

    Numbers are float64, because a column that has only integers in a few examples may have others
    later; they are integers only where an encoder inside the model learned integers.
    """
    present = [value for value in values if value is not None]
    nullable = len(present) < len(values)
    kinds = {type(value) for value in present}
    if kinds == {bool}:
        dtype = "object" if nullable else "bool"
    elif kinds <= {int, float} and kinds:
        dtype = "int64" if kind in {"i", "u"} and kinds == {int} and not nullable else "float64"
    elif kinds == {str} or (not kinds and kind in {"O", "U"}):
        dtype = "string"
    else:
        dtype = "object" if kinds else "float64"
    return Column(name=name, dtype=dtype, nullable=nullable)


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def _labels(
    model: Any, method: str, answer: Answer, position: int, outputs: int
) -> tuple[Any, ...] | None:
    classes = getattr(model, "classes_", None)
    if classes is None or method not in {"predict", "predict_proba", "decision_function"}:
        return None
    if outputs > 1:
        if not isinstance(classes, list) or len(classes) != outputs:
            return None
        classes = classes[position]
    if not hasattr(classes, "tolist") or len(classes) > _MAX_LABELS:
        return None
    labels = tuple(json_scalar(label) for label in classes.tolist())
    if method == "predict":
        return labels
    shape = answer.values.shape[1:]
    return labels if shape == (len(labels),) else None
