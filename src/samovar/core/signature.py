"""The signature of a model: names, dtypes and shapes of what goes in and what comes out.

A cryptographic signature is never called so here; it is an *attestation*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from samovar.errors import Damaged

CONTAINERS: Final = ("array", "frame", "texts")
"""What the model is called with: a 2-D array, a DataFrame, or a list of strings."""

DTYPES: Final = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "string", "category", "datetime",
    "boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
    "Float32", "Float64", "decimal", "object",
)  # fmt: skip
"""NumPy's and pandas' own names; capitalised ones are pandas' nullable types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the input.

    Parameters
    ----------
    name : str
        As the model was fitted with it, else ``x0``, ``x1``, ...
    dtype : str
        One of :data:`DTYPES`.
    nullable : bool
        Whether null may stand in it.
    categories : tuple, optional
        Of a ``category``, in their order.
    ordered : bool
        Whether the categories are ordered.
    timezone : str, optional
        Of a ``datetime``; None is without zone.
    """

    name: str
    dtype: str
    nullable: bool = False
    categories: tuple[Any, ...] | None = None
    ordered: bool = False
    timezone: str | None = None

    @classmethod
    def from_json(cls, document: Any) -> Column:
        """Read a column from a stored document."""
        if not isinstance(document, dict) or document.get("dtype") not in DTYPES:
            raise Damaged(f"The signature has a column that is none: {document!r}.")
        categories = document.get("categories")
        return cls(
            name=str(document.get("name")),
            dtype=document["dtype"],
            nullable=bool(document.get("nullable", False)),
            categories=None if categories is None else tuple(categories),
            ordered=bool(document.get("ordered", False)),
            timezone=document.get("timezone"),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form, without what is at its default."""
        document: dict[str, Any] = {"name": self.name, "dtype": self.dtype}
        if self.nullable:
            document["nullable"] = True
        if self.categories is not None:
            document["categories"] = list(self.categories)
        if self.ordered:
            document["ordered"] = True
        if self.timezone is not None:
            document["timezone"] = self.timezone
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output.

    Parameters
    ----------
    name : str
        ``prediction``, or ``prediction_0``, ``prediction_1``, ... for several.
    datatype : str
        Of the Open Inference Protocol: ``FP64``, ``INT64``, ``BOOL``, ``BYTES``, ...
    shape : tuple of int
        Without the batch axis; empty for one value a row.
    labels : tuple, optional
        Names of the last axis (classes of probabilities), or of the values.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] = ()
    labels: tuple[Any, ...] | None = None

    @classmethod
    def from_json(cls, document: Any) -> Output:
        """Read an output from a stored document."""
        if not isinstance(document, dict) or not isinstance(document.get("datatype"), str):
            raise Damaged(f"The signature has an output that is none: {document!r}.")
        labels = document.get("labels")
        return cls(
            name=str(document.get("name")),
            datatype=document["datatype"],
            shape=tuple(int(size) for size in document.get("shape", ())),
            labels=None if labels is None else tuple(labels),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
        }
        if self.labels is not None:
            document["labels"] = list(self.labels)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What the model takes and gives, in order."""

    container: str
    inputs: tuple[Column, ...]
    outputs: tuple[Output, ...]

    @classmethod
    def from_json(cls, document: Any) -> Signature:
        """Read a signature from a stored document.

        Raises
        ------
        Damaged
            Naming what is wrong with it.
        """
        if not isinstance(document, dict) or document.get("container") not in CONTAINERS:
            raise Damaged("The signature names no known container.")
        return cls(
            container=document["container"],
            inputs=tuple(Column.from_json(column) for column in document.get("inputs", ())),
            outputs=tuple(Output.from_json(output) for output in document.get("outputs", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "container": self.container,
            "inputs": [column.to_json() for column in self.inputs],
            "outputs": [output.to_json() for output in self.outputs],
        }
