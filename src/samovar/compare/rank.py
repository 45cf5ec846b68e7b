"""Put factors in a row, those that are known to matter first, so that early guesses are good.

What is known: which distributions the code imports, what these declare of their changes, and which
lines the command reaches. A wrong order costs executions, never correctness.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from samovar.compare.declared import STRONG, Declared, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samovar.compare.factors import Factor

_BY_KIND: Final = {
    "data": 6.0, "model": 6.0, "code": 5.0, "param": 4.0, "command": 4.0, "env": 1.5,
    "python": 0.5, "machine": 0.5,
}  # fmt: skip
_IMPORTED: Final = 4.0
_NOT_IMPORTED: Final = 0.3
_IDLE: Final = 0.2
_BY_STEP: Final = (1.5, 1.0, 0.4)
"""A change of the major, the minor, and any later part of a version."""
_DISTRIBUTIONS: Final = {
    "sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python", "yaml": "pyyaml",
    "skimage": "scikit-image", "dateutil": "python-dateutil", "bs4": "beautifulsoup4",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is known of factors before anything is executed.

    Parameters
    ----------
    imported : frozenset of str
        Normalised names of the distributions that the code imports itself.
    declared : mapping of str to tuple of Declared
        By factor, what a package declares of its changes for names that the code uses.
    changelogs : mapping of str to str
        By factor, where a package tells its changes.
    idle : mapping of str to frozenset of int
        By path, lines of A's code, from 1, that the command does not reach.
    idle_files : frozenset of str
        Factors whose every change lies in such lines.
    """

    imported: frozenset[str] = frozenset()
    declared: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    changelogs: Mapping[str, str] = field(default_factory=dict)
    idle: Mapping[str, frozenset[int]] = field(default_factory=dict)
    idle_files: frozenset[str] = frozenset()


def weigh(factors: Iterable[Factor], hints: Hints) -> dict[str, float]:
    """Say how likely each factor is to matter, in no particular unit."""
    return {factor.name: _weight(factor, hints) for factor in factors}


def guess(weights: Mapping[str, float], hints: Hints) -> str | None:
    """Give the factor that is worth an execution by itself at the start; mostly there is none."""
    first = in_row(weights)[:1]
    if not first or weight_of(hints.declared.get(first[0], ())) < STRONG:
        return None
    return first[0]


def in_row(weights: Mapping[str, float]) -> Sequence[str]:
    """Give the names, likely ones first; equals in the order given."""
    return sorted(weights, key=lambda name: -weights[name])


def imported_distributions(files: Iterable[bytes]) -> frozenset[str]:
    """Read from source files which distributions they import; what does not parse has none."""
    modules: set[str] = set()
    for data in files:
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return frozenset(
        _DISTRIBUTIONS.get(module, module).lower().replace("_", "-") for module in modules
    )


def _weight(factor: Factor, hints: Hints) -> float:
    if factor.name in hints.idle_files:
        return _IDLE
    if factor.kind != "package":
        return _BY_KIND.get(factor.kind, 1.0)
    base = _IMPORTED if factor.subject in hints.imported else _NOT_IMPORTED
    declared = weight_of(hints.declared.get(factor.name, ()))
    return base * _BY_STEP[_first_change(factor.a, factor.b)] + declared


def _first_change(a: object, b: object) -> int:
    """Say which part of a version changes first: 0 major, 1 minor, 2 any later."""
    if a is None or b is None:
        return 0
    one, other = (re.findall(r"\d+|[a-z]+", str(version)) for version in (a, b))
    for place in range(2):
        if one[place : place + 1] != other[place : place + 1]:
            return place
    return 2
