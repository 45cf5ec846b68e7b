"""Read TOML on every supported Python; the standard library has a reader from 3.11 on."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def parse_toml(text: str) -> dict[str, Any]:
    r"""Read a TOML document.

    Raises
    ------
    ValueError
        Naming line and column.

    Examples
    --------
    >>> parse_toml("[a]\nb = 1")
    {'a': {'b': 1}}
    """
    document: dict[str, Any] = tomllib.loads(text)
    return document
