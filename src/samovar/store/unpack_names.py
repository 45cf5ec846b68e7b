"""Which names a member may have."""

from __future__ import annotations

import unicodedata
from typing import Final

from samovar.store.unpack_limits import Limits, refused

_DEVICE_NAMES: Final = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in ("0123456789\u00b9\u00b2\u00b3")]
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
WHITEOUT: Final = ".wh."


def check_inside(name: str, limits: Limits) -> tuple[str, ...]:
    """Give the parts of a relative path that stays below the folder it is unpacked into.

    Raises
    ------
    Refused
        For absolute paths, ``..``, empty parts, and names that are too long.
    """
    parts = tuple(name.split("/"))
    if len(name.encode("utf-8", "surrogatepass")) > limits.path_bytes:
        raise refused(name, "has too long a name")
    if len(parts) > limits.depth or any(len(part) > 255 for part in parts):
        raise refused(name, "has too long a name")
    if name.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        raise refused(name, "is not a plain relative path")
    if "\0" in name:
        raise refused(name, "has a NUL in its name")
    return parts


def check_portable(name: str, limits: Limits) -> tuple[str, ...]:
    """Give the parts of a path that means the same on every system.

    Raises
    ------
    Refused
        For what `check_inside` refuses, and for names that are not Unicode, that a terminal or a
        person cannot tell from others, or that Windows takes for something else.
    """
    parts = check_inside(name, limits)
    if any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise refused(name, "has control or invisible characters in its name, or is not Unicode")
    if "\\" in name or ":" in name:
        raise refused(name, "has a name that Windows takes for another")
    for part in parts:
        if part.startswith(WHITEOUT):
            raise refused(name, "is a whiteout, which only an image has")
        if part != part.rstrip(" .") or part.partition(".")[0].strip().lower() in _DEVICE_NAMES:
            raise refused(name, "has a name that Windows takes for another")
    return parts


def spelling(path: str) -> str:
    """Fold what file systems of the world take for the same name.

    Examples
    --------
    >>> spelling("MODEL.pkl") == spelling("model.pkl")
    True
    """
    folded = unicodedata.normalize("NFKC", path).casefold()
    return unicodedata.normalize("NFKC", folded)
