"""Whether two servers answered the same, by the bodies of their replies.

Numbers with a point are compared by max|difference| / scale, as the receipt's policy has it;
everything else is a label and compared exactly.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

IDENTICAL: Final = "identical"
EQUIVALENT: Final = "equivalent"
DIFFERENT: Final = "different"
_NOT_COMPARED: Final = ("model_name", "model_version", "id")
_DECODER: Final = msgspec.json.Decoder()


def judge(served: bytes, other: bytes, tolerance: float) -> str:
    """Compare what was answered with what another bundle answers.

    Parameters
    ----------
    served, other : bytes
        Bodies of replies with status 200, of the same protocol.
    tolerance : float
        Largest max|difference| / scale that is still equivalent.

    Examples
    --------
    >>> judge(b'{"prediction":0.5}', b'{"prediction":0.50000000001}', 1e-9)
    'equivalent'
    >>> judge(b'{"prediction":1}', b'{"prediction":0}', 1e-9)
    'different'
    """
    if served == other:
        return IDENTICAL
    try:
        one, two = _DECODER.decode(served), _DECODER.decode(other)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return DIFFERENT  # binary tensors: equal bytes or another answer
    if isinstance(one, dict) and isinstance(two, dict):
        for name in _NOT_COMPARED:
            one.pop(name, None)
            two.pop(name, None)
    largest = scale = 0.0
    waiting = [(one, two)]
    while waiting:
        left, right = waiting.pop()
        if isinstance(left, float) and isinstance(right, float):
            largest, scale = max(largest, abs(left - right)), max(scale, abs(left))
            continue
        if type(left) is not type(right):
            return DIFFERENT
        pairs = _pairs(left, right)
        if pairs is None:
            return DIFFERENT
        waiting += pairs
    if largest == 0.0:
        return IDENTICAL
    return EQUIVALENT if largest <= tolerance * scale else DIFFERENT


def _pairs(left: Any, right: Any) -> list[tuple[Any, Any]] | None:
    """Give what is to be compared next; None where the two differ already."""
    if isinstance(left, dict):
        if left.keys() != right.keys():
            return None
        return [(value, right[name]) for name, value in left.items()]
    if isinstance(left, list):
        return list(zip(left, right, strict=True)) if len(left) == len(right) else None
    return [] if left == right else None
