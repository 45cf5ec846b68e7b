"""Sizes as people read them."""

from __future__ import annotations


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
