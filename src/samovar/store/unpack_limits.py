"""How much is unpacked, and the words in which the rest is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from samovar.errors import Damaged, Refused

_HINT: Final = "Nothing of it was kept. Ask whoever made the file how it came about."
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may hold.

    Parameters
    ----------
    members : int
        Files, folders and links.
    size_bytes : int
        All contents together.
    path_bytes : int
        Length of a path in UTF-8.
    depth : int
        Parts of a path.
    ratio : int
        How many times larger than its compressed bytes it may be, beyond ``free_bytes``.
    free_bytes : int
        What it may inflate to in any case.
    """

    members: int = 200_000
    size_bytes: int = 64 * 1024**3
    path_bytes: int = 1024
    depth: int = 64
    ratio: int = 200
    free_bytes: int = 64 * 1024**2


def refused(name: str, why: str) -> Refused:
    """Make the error of a member that no honest archive has."""
    return Refused(
        f"The archive is refused: the member {shown(name)} {why}.", hint=_HINT, code="hostile_tar"
    )


def damaged(why: str) -> Damaged:
    """Make the error of an archive that is cut off or malformed."""
    return Damaged(
        "The archive is damaged.",
        why=why,
        hint="Nothing of it was kept. Save or fetch it again.",
        code="damaged_archive",
    )


def shown(name: str) -> str:
    """Quote a foreign name so that a terminal survives it."""
    return ascii(name if len(name) <= _SHOWN else name[: _SHOWN - 3] + "...")
