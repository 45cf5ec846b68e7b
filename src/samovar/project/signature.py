"""``[signature]`` in ``samovar.toml``: what the user knows better than example rows tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from samovar.core.signature import DTYPES
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from samovar.project.checking import Complaints
    from samovar.project.examples import Examples

_KEYS: Final = ("names", "columns")
_COLUMN_KEYS: Final = ("dtype", "nullable", "categories", "ordered", "timezone")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSection:
    """``[signature]``: names of the columns in the model's order, and what single ones are.

    Parameters
    ----------
    names : tuple of str
        Empty leaves them to the model and the examples.
    columns : dict
        By name, some of the fields of core/signature.py's ``Column``.
    """

    names: tuple[str, ...] = ()
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)

    def arrange(self, examples: Examples) -> Examples:
        """Give the example rows the names of the section, or its order.

        Raises
        ------
        InvalidInput
            Where they are not as many, or have other names.
        """
        names = self.names
        if not names or not examples.rows or isinstance(examples.rows[0], str):
            return examples
        own = examples.columns
        if own is None:
            if len(names) != len(examples.rows[0]):
                raise _wrong_names(f"names {len(names)} columns; a row has {len(examples.rows[0])}")
            return replace(examples, columns=names)
        for name in (*names, *own):
            if name not in own or name not in names:
                where = "the examples have no such column" if name in names else "it is left out"
                raise _wrong_names(f"{name!r}: {where}", f"The examples have {', '.join(own)}.")
        order = [own.index(name) for name in names]
        types = None if examples.types is None else tuple(examples.types[at] for at in order)
        rows = tuple(tuple(row[at] for at in order) for row in examples.rows)
        return replace(examples, columns=names, rows=tuple(map(list, rows)), types=types)


def check_signature(values: Any, complaints: Complaints) -> dict[str, Any]:
    """Check the section and give the values of its class.

    Raises
    ------
    InvalidProject
        Naming the key, its line, and the nearest known one.
    """
    if not isinstance(values, dict):
        raise complaints.about("signature", "signature is not a section, write [signature]")
    for key in values:
        if key not in _KEYS:
            raise complaints.about(
                f"signature.{key}", f"signature.{key} is not a key", got=key, known=_KEYS
            )
    names, columns = values.get("names", []), values.get("columns", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise complaints.about("signature.names", "signature.names is not a list of strings")
    doubled = [name for place, name in enumerate(names) if name in names[:place]]
    if doubled:
        raise complaints.about("signature.names", f"signature.names has {doubled[0]!r} twice")
    if not isinstance(columns, dict):
        raise complaints.about("signature.columns", "signature.columns is not a section of columns")
    for name, edit in columns.items():
        _check_column(name, edit, complaints)
        if names and name not in names:
            raise complaints.about(
                f"signature.columns.{name}",
                f"{name!r} is not in signature.names",
                got=name,
                known=names,
            )
    return {"names": tuple(names), "columns": columns}


def _check_column(name: str, edit: Any, complaints: Complaints) -> None:
    place = f"signature.columns.{name}"
    if not isinstance(edit, dict):
        raise complaints.about(place, f"{place} is not a section")
    for key in edit:
        if key not in _COLUMN_KEYS:
            raise complaints.about(
                f"{place}.{key}", f"{place}.{key} is not a key", got=key, known=_COLUMN_KEYS
            )
    dtype = edit.get("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise complaints.about(
            f"{place}.dtype", f"{dtype!r} is no type of a column", got=str(dtype), known=DTYPES
        )
    for key in ("nullable", "ordered"):
        if not isinstance(edit.get(key, False), bool):
            raise complaints.about(f"{place}.{key}", f"{place}.{key} is neither true nor false")
    categories = edit.get("categories")
    if categories is not None:
        _check_categories(f"{place}.categories", categories, complaints)
    if not isinstance(edit.get("timezone", ""), str):
        raise complaints.about(f"{place}.timezone", f"{place}.timezone is not a string")
    for key, wanted in (
        ("categories", "category"), ("ordered", "category"), ("timezone", "datetime"),
    ):  # fmt: skip
        if key in edit and dtype not in {None, wanted}:
            raise complaints.about(f"{place}.{key}", f'{key} belongs to dtype = "{wanted}"')


def _check_categories(key: str, categories: Any, complaints: Complaints) -> None:
    is_list = isinstance(categories, list) and all(
        isinstance(one, (str, int)) or (isinstance(one, float) and isfinite(one))
        for one in categories
    )
    if not is_list or not categories:
        raise complaints.about(key, f"{key} is not a list of strings, numbers or booleans")
    if len({(type(one), one) for one in categories}) != len(categories):
        raise complaints.about(key, f"{key} has one of them twice")


def _wrong_names(what: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"samovar.toml, [signature] names: {what}.",
        hint=hint or "Name every column once, in the model's order.",
        code="wrong_columns",
    )
