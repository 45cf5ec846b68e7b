"""The receipt: reference inputs, recorded outputs, how they were called, how to compare.

A receipt holds raw values, never a hash: only so can a difference be measured. It names no
machine, no time and no path, so that whoever packs the same inputs gets the same digest; what
differs between machines is recorded in attestations (docs/decisions/0003-receipt.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference

VERSION: Final = 1
BATCHING: Final = ("identical", "equivalent", "refused")
NON_FINITE: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How the three floating-point values that JSON lacks are written in a tensor of floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An output's values in row-major order.

    Parameters
    ----------
    name : str
        Of the output.
    datatype : str
        Of the Open Inference Protocol (``FP64``, ``INT64``, ``BOOL``, ``BYTES``, ...); BYTES are
        JSON values as the model gave them (labels of any type).
    shape : tuple of int
        With the batch axis first.
    data : tuple
        Flat; floats that JSON lacks as the strings of :data:`NON_FINITE`.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...]

    @classmethod
    def from_json(cls, document: Any) -> Tensor:
        """Read a tensor from a stored document."""
        try:
            tensor = cls(
                name=str(document["name"]),
                datatype=str(document["datatype"]),
                shape=tuple(int(size) for size in document["shape"]),
                data=tuple(document["data"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged("The receipt has an output that is no tensor.") from error
        size = 1
        for length in tensor.shape:
            size *= length
        if size != len(tensor.data) or not tensor.shape:
            raise Damaged(f"The receipt's output {tensor.name!r} has not as many values as shape.")
        return tensor

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
            "data": list(self.data),
        }

    @property
    def is_float(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.datatype in {"FP16", "FP32", "FP64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When two outputs are the same result.

    Parameters
    ----------
    relative_difference : float
        Largest max|difference| / scale of an output that is still EQUIVALENT; 0 asks for equal
        bits. Labels (anything that is not a float) are always compared exactly.
    """

    relative_difference: float

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {"relative_difference": self.relative_difference}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEngine:
    """A faster way to compute the same, proven on the receipt's rows and more.

    Parameters
    ----------
    name : str
        ``linear``, ``trees``, ... (runtime/engines).
    proof : str
        ``identical`` or ``equivalent`` to the model's own answers.
    rows_from, rows_to : int
        Sizes of a call for which it was proven; ``rows_to`` None is without limit.
    """

    name: str
    proof: str
    rows_from: int = 1
    rows_to: int | None = None

    @classmethod
    def from_json(cls, document: Any) -> ProvenEngine:
        """Read it from a stored document."""
        try:
            rows_to = document["rows_to"]
            return cls(
                name=str(document["name"]),
                proof=str(document["proof"]),
                rows_from=int(document["rows_from"]),
                rows_to=None if rows_to is None else int(rows_to),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged("The receipt has an engine that is none.") from error

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``inspect`` prints, which is the stored form too."""
        return {
            "name": self.name,
            "proof": self.proof,
            "rows_from": self.rows_from,
            "rows_to": self.rows_to,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """The recorded run that wrote the model, and the data that it read.

    Parameters
    ----------
    run : Digest
        Of the run.
    data : tuple of pair of str and Digest
        Paths in the project, and the digests of the files.
    """

    run: Digest
    data: tuple[tuple[str, Digest], ...]

    @classmethod
    def from_json(cls, document: Any) -> TrainedOn:
        """Read it from a stored document."""
        try:
            data = ((str(one["path"]), Digest.parse(one["digest"])) for one in document["data"])
            return cls(run=Digest.parse(document["run"]), data=tuple(data))
        except (KeyError, TypeError, AttributeError, InvalidReference) as error:
            raise Damaged("The receipt does not say properly what it was trained on.") from error

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        data = [{"path": path, "digest": str(digest)} for path, digest in self.data]
        return {"run": str(self.run), "data": data}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Reference inputs and what the model answered.

    Parameters
    ----------
    method : str
        What was called: ``predict``, ``predict_proba``, ...
    rows : tuple
        Reference inputs in order: lists in the order of the signature's columns, or strings.
    outputs : tuple of Tensor
        What the method gave, for all rows in order.
    batching : str
        ``identical``, ``equivalent`` or ``refused``: whether answers one by one and in a batch
        are the same.
    policy : Policy
        How a replay is judged.
    numerics : str
        The numeric pins under which it was recorded (core/numerics.py).
    rows_multiple : int
        The model is always called with a multiple of so many rows, the last one repeated: matrix
        products then give a row the same bits in whatever company. 1 calls it with the rows alone.
    engines : tuple of ProvenEngine
        Beside the model itself.
    trained_on : TrainedOn, optional
        Where the model is the output of a recorded run.
    """

    method: str
    rows: tuple[Any, ...]
    outputs: tuple[Tensor, ...]
    batching: str
    policy: Policy
    numerics: str
    rows_multiple: int = 1
    engines: tuple[ProvenEngine, ...] = ()
    trained_on: TrainedOn | None = None

    @classmethod
    def from_json(cls, document: Any) -> Receipt:
        """Read a receipt from a stored document.

        Raises
        ------
        Damaged
            Where it is none, or of a version that this samovar does not know.
        """
        if not isinstance(document, dict) or document.get("receipt") != VERSION:
            raise Damaged(
                "The receipt is of a version that this samovar does not read.",
                hint="Use the newest samovar.",
            )
        batching, policy = document.get("batching"), document.get("policy")
        if batching not in BATCHING or not isinstance(policy, dict):
            raise Damaged("The receipt does not say how answers are to be compared.")
        return cls(
            method=str(document.get("method")),
            rows=tuple(document.get("rows", ())),
            outputs=tuple(Tensor.from_json(tensor) for tensor in document.get("outputs", ())),
            batching=batching,
            policy=Policy(relative_difference=float(policy.get("relative_difference", 0.0))),
            numerics=str(document.get("numerics", "native")),
            rows_multiple=max(1, int(document.get("rows_multiple", 1))),
            engines=tuple(map(ProvenEngine.from_json, document.get("engines", ()))),
            trained_on=(
                TrainedOn.from_json(document["trained_on"]) if "trained_on" in document else None
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {
            "receipt": VERSION,
            "method": self.method,
            "rows": list(self.rows),
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "batching": self.batching,
            "policy": self.policy.to_json(),
            "numerics": self.numerics,
        }
        if self.rows_multiple != 1:
            document["rows_multiple"] = self.rows_multiple
        if self.engines:
            document["engines"] = [engine.to_json() for engine in self.engines]
        if self.trained_on is not None:
            document["trained_on"] = self.trained_on.to_json()
        return document
