"""Rows next to the receipt's: the nearest floating-point numbers above and below.

A row that sits on a split threshold is answered alike by two trees that compare in different
precisions, by luck; its neighbours are not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.runtime.values import FLOATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.signature import Signature

_SINGLE: Final = frozenset({"float32", "Float32"})


def neighbours_of(signature: Signature, rows: Sequence[Any], *, limit: int) -> list[Any]:
    """Give rows whose every number moved to the next one, upwards and downwards.

    Parameters
    ----------
    signature : Signature
        Says which columns hold floating-point numbers, and how wide they are.
    rows : sequence
        Of the receipt.
    limit : int
        Give at most so many.
    """
    places = [
        (place, np.float32 if column.dtype in _SINGLE else np.float64)
        for place, column in enumerate(signature.inputs)
        if column.dtype in FLOATS
    ]
    if signature.container == "texts" or not places:
        return []
    found: list[Any] = []
    for row in rows:
        for direction in (-math.inf, math.inf):
            moved = list(row)
            for place, kind in places:
                if isinstance(row[place], (int, float)):
                    moved[place] = float(np.nextafter(kind(row[place]), kind(direction)))
            found.append(moved)
            if len(found) == limit:
                return found
    return found
