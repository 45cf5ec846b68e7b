"""Sizes as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

_UNITS = {
    "": 1, "b": 1,
    "kb": 1000, "mb": 1000**2, "gb": 1000**3,
    "k": 1024, "m": 1024**2, "g": 1024**3,
    "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip
_DAY_S = 86_400.0
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def human_size(size_bytes: float) -> str:
    """Write a number of bytes with a decimal unit.

    Examples
    --------
    >>> human_size(999), human_size(1_234_567)
    ('999 B', '1.2 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def read_size(_ctx: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Read an option that is a size in bytes: ``16MiB``, ``512m``, ``1GB``, ``1048576``."""
    if value is None:
        return None
    import click

    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", value)
    if match is None or match[2].lower() not in _UNITS:
        raise click.BadParameter(f"{value!r} is not a size, such as 16MiB.")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size <= 0:
        raise click.BadParameter("A size is larger than 0.")
    return size


def human_time(seconds: float) -> str:
    """Write a time with the unit that it is mostly given in.

    Examples
    --------
    >>> human_time(0.0000314), human_time(0.0025), human_time(0), human_time(12.34)
    ('31.4 us', '2.5 ms', '0 us', '12.3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def read_duration(_ctx: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a time: ``50ms``, ``0.05s``, ``0.05`` (seconds)."""
    if value is None:
        return None
    import click

    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(us|ms|s|)\s*", value)
    seconds = 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _DAY_S:
        raise click.BadParameter(f"{value!r} is no time, such as 50ms or 0.05s, up to a day.")
    return seconds
