"""Which Pythons the recorded library versions run on, for a project that does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The Pythons for which scikit-learn published wheels of each minor version.
_OF_SCIKIT_LEARN: Final = {
    "1.0": (7, 10),
    "1.1": (8, 11),
    "1.2": (8, 11),
    "1.3": (8, 12),
    "1.4": (9, 12),
    "1.5": (9, 13),
    "1.6": (9, 13),
    "1.7": (10, 14),
    "1.8": (11, 14),
    "1.9": (11, 14),
}
_OLDEST_FOR_PROTOCOL: Final = {4: 4, 5: 8}


def python_for(versions: Mapping[str, str], protocol: int) -> str | None:
    """Give a specifier of Python versions, or None where nothing is known.

    Parameters
    ----------
    versions : mapping of str to str
        What the file records of its libraries.
    protocol : int
        The highest pickle protocol in it.

    Examples
    --------
    >>> python_for({"scikit-learn": "1.4.2"}, 4)
    '>=3.9,<3.13'
    """
    minor = ".".join(versions.get("scikit-learn", "").split(".")[:2])
    if minor in _OF_SCIKIT_LEARN:
        oldest, newest = _OF_SCIKIT_LEARN[minor]
        return f">=3.{oldest},<3.{newest + 1}"
    oldest_for = _OLDEST_FOR_PROTOCOL.get(protocol)
    return None if oldest_for is None else f">=3.{oldest_for}"
