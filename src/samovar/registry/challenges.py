"""Read ``WWW-Authenticate``: how a registry wants to be asked.

References
----------
RFC 9110, section 11.6.1; Docker's distribution, token authentication specification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # the grammar's word for a word
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?:\s+|$|(?=,))")
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in.

    Parameters
    ----------
    scheme : str
        ``basic`` or ``bearer``, in lower case.
    parameters : mapping of str to str
        ``realm``, ``service``, ``scope``, ...
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Read the header's values; what is malformed ends the reading of its value.

    Examples
    --------
    >>> [one.scheme for one in parse_challenges(['BASIC realm="a, b", Bearer realm="c",scope="d"'])]
    ['basic', 'bearer']
    """
    found: list[Challenge] = []
    for value in values:
        position = 0
        while scheme := _SCHEME.match(value, position):
            position = scheme.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(value, position):
                name, quoted, plain = parameter.groups()
                text = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(name.lower(), text)
                position = parameter.end()
            found.append(Challenge(scheme.group(1).lower(), parameters))
    return found
