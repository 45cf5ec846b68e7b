"""Judge whether two sets of outputs are the same result.

Floating-point outputs are compared by max|difference| / scale, never in units in the last
place: near zero a harmless difference is a million of those. Everything else is a label and is
compared exactly.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.receipt import NON_FINITE, Policy, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

IDENTICAL: Final = "IDENTICAL"
EQUIVALENT: Final = "EQUIVALENT"
DIFFERENT: Final = "DIFFERENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row whose output is another.

    Parameters
    ----------
    row : int
        From 0.
    recorded, observed : object
        What the model gave: one value, or a list where a row has several.
    """

    row: int
    recorded: Any
    observed: Any

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``verify`` prints."""
        return {"row": self.row, "recorded": self.recorded, "observed": self.observed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A verdict with its evidence.

    Parameters
    ----------
    verdict : str
        IDENTICAL, EQUIVALENT or DIFFERENT.
    rows : int
        How many were compared.
    max_relative_difference : float or None
        Largest |difference| / scale of any output of floats; None where a value became, or
        ceased to be, NaN or infinite.
    labels_changed : int
        Rows whose label (or largest probability's place) is another.
    differences : tuple of Difference
        Every row that is not equal to the last bit.
    reason : str, optional
        Why outputs could not be compared value by value.
    """

    verdict: str
    rows: int
    max_relative_difference: float | None
    labels_changed: int
    differences: tuple[Difference, ...]
    reason: str | None = None


def compare_outputs(
    recorded: Sequence[Tensor], observed: Sequence[Tensor], policy: Policy
) -> Comparison:
    """Compare a replay with a receipt.

    Parameters
    ----------
    recorded, observed : sequence of Tensor
        Outputs in order; the first axis is the row.
    policy : Policy
        How large a difference of floats is still equivalent.
    """
    rows = recorded[0].shape[0] if recorded else 0
    reason = _incomparable(recorded, observed)
    if reason is not None:
        return Comparison(
            verdict=DIFFERENT,
            rows=rows,
            max_relative_difference=None,
            labels_changed=rows,
            differences=tuple(
                Difference(row=row, recorded=_row(recorded, row), observed=_row(observed, row))
                for row in range(rows)
            ),
            reason=reason,
        )
    pairs = list(zip(recorded, observed, strict=True))
    differing = sorted({row for one, other in pairs for row in _differing(one, other)})
    relative = [_relative(one, other) for one, other in pairs if one.is_float]
    labels = len({row for one, other in pairs for row in _changed_labels(one, other, differing)})
    largest = None if None in relative else max((r for r in relative if r is not None), default=0.0)
    if not differing:
        verdict = IDENTICAL
    elif labels or largest is None or largest > policy.relative_difference:
        verdict = DIFFERENT
    else:
        verdict = EQUIVALENT
    return Comparison(
        verdict=verdict,
        rows=rows,
        max_relative_difference=largest,
        labels_changed=labels,
        differences=tuple(
            Difference(row=row, recorded=_row(recorded, row), observed=_row(observed, row))
            for row in differing
        ),
    )


def _incomparable(recorded: Sequence[Tensor], observed: Sequence[Tensor]) -> str | None:
    if len(recorded) != len(observed):
        return f"{len(observed)} outputs where {len(recorded)} were recorded"
    for one, other in zip(recorded, observed, strict=True):
        if one.shape != other.shape:
            return f"{one.name} has the shape {list(other.shape)}, recorded {list(one.shape)}"
        if one.datatype != other.datatype:
            return f"{one.name} is {other.datatype}, recorded {one.datatype}"
    return None


def _width(tensor: Tensor) -> int:
    return math.prod(tensor.shape[1:])


def _row(tensors: Sequence[Tensor], row: int) -> Any:
    parts = []
    for tensor in tensors:
        width = _width(tensor)
        values = list(tensor.data[row * width : (row + 1) * width])
        parts.append(values[0] if len(tensor.shape) == 1 and values else values)
    return parts[0] if len(parts) == 1 else parts


def _same(one: Any, other: Any, *, is_float: bool) -> bool:
    if is_float and isinstance(one, float) and isinstance(other, float):
        # -0.0 and 0.0 are other bits; a NaN is written as text and equals itself.
        return struct.pack("<d", one) == struct.pack("<d", other)
    return type(one) is type(other) and bool(one == other)


def _differing(one: Tensor, other: Tensor) -> list[int]:
    width = _width(one)
    if width == 0:
        return []
    found = {
        place // width
        for place, (left, right) in enumerate(zip(one.data, other.data, strict=True))
        if not _same(left, right, is_float=one.is_float)
    }
    return sorted(found)


def _number(value: Any) -> float:
    return NON_FINITE[value] if isinstance(value, str) else float(value)


def _relative(one: Tensor, other: Tensor) -> float | None:
    """Give max|difference| / scale, where scale is the largest recorded magnitude."""
    scale = largest = 0.0
    for left, right in zip(one.data, other.data, strict=True):
        if isinstance(left, str) or isinstance(right, str):
            if left != right:
                return None
            continue
        scale = max(scale, abs(_number(left)))
        largest = max(largest, abs(_number(left) - _number(right)))
    if largest == 0.0:
        return 0.0
    return largest / scale if scale > 0.0 else math.inf if largest == math.inf else largest


def _changed_labels(one: Tensor, other: Tensor, differing: Sequence[int]) -> list[int]:
    if not one.is_float:
        return _differing(one, other)
    width = _width(one)
    if len(one.shape) != 2 or width < 2:
        return []
    return [
        row
        for row in differing
        if _largest(one.data[row * width : (row + 1) * width])
        != _largest(other.data[row * width : (row + 1) * width])
    ]


def _largest(values: Sequence[Any]) -> int:
    """Give the place of the largest value, the first of equals; NaN is never the largest."""
    numbers = [-math.inf if value == "NaN" else _number(value) for value in values]
    return numbers.index(max(numbers))
