"""Canonical JSON: one value, one sequence of bytes, on every machine."""

from __future__ import annotations

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    r"""Encode a value as JSON whose bytes depend on the value alone.

    Keys are sorted by code point, there is no insignificant white space, text is UTF-8, and
    numbers are Python's shortest round-trip form.

    Parameters
    ----------
    value : JSON-compatible object
        Made of dict (with str keys), list, str, int, float, bool and None.

    Returns
    -------
    bytes
        UTF-8, without a final newline.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not have.

    Examples
    --------
    >>> canonical_json({"b": [1.0, None], "a": "é"})
    b'{"a":"\xc3\xa9","b":[1.0,null]}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
