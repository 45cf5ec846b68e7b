"""``[policy]`` in ``samovar.toml``: what a deployment must have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from samovar.project.checking import Complaints

VERDICTS: Final = ("IDENTICAL", "EQUIVALENT", "DIFFERENT")
_AGE = re.compile(r"([1-9][0-9]{0,4})\s*([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySection:
    """``[policy]``: whose attestations are believed, and which of them a deployment must have."""

    keys: tuple[str, ...]
    verdicts: tuple[str, ...] = ("IDENTICAL", "EQUIVALENT")
    machines: tuple[str, ...] = ()
    max_age: str | None = None


def read_age(text: str) -> timedelta | None:
    """Read an age as ``12h``, ``90d`` or ``8w``; None where it is none.

    Examples
    --------
    >>> read_age("90d").days, read_age("soon")
    (90, None)
    """
    found = _AGE.fullmatch(text.strip())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def check_policy(values: dict[str, Any], complaints: Complaints) -> None:
    """Check the values of the section.

    Raises
    ------
    InvalidProject
        Where nobody would be believed, a verdict is none, or an age is none.
    """
    if values.get("keys") == ():
        raise complaints.about("policy.keys", "policy.keys is empty, so nobody is believed")
    if values.get("verdicts") == ():
        raise complaints.about("policy.verdicts", "policy.verdicts is empty")
    for verdict in values.get("verdicts", ()):
        if verdict not in VERDICTS:
            raise complaints.about(
                "policy.verdicts",
                f"{verdict!r} is none of {', '.join(VERDICTS)}",
                got=verdict,
                known=VERDICTS,
            )
    age = values.get("max_age")
    if age is not None and read_age(age) is None:
        raise complaints.about("policy.max_age", f"max_age is {age!r}; write 12h, 90d or 8w")
