"""Find the release of a guilty package at which the result changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.compare.instrument import Instrument
from samovar.compare.runner import Mixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.compare.factors import Factor
    from samovar.compare.instrument import Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where a package's releases turn from A's result to another.

    Parameters
    ----------
    last_like_a : str
        The newest release seen to give what A's version gives.
    first_unlike_a : str
        The oldest release seen to give something else; those between could not be installed.
    """

    last_like_a: str
    first_unlike_a: str


def find_turn(
    outer: Instrument, factor: Factor, base: Subset, versions: Sequence[str]
) -> Turn | None:
    """Halve the releases between two versions; None where the ends do not differ.

    Parameters
    ----------
    outer : Instrument
        Knows the readings without and with the package.
    factor : Factor
        The package, with both versions.
    base : frozenset of str
        Other factors that are B's meanwhile.
    versions : sequence of str
        Releases strictly between, from A's to B's. One turn is assumed; where there are several,
        one of them is found.

    Raises
    ------
    OutOfBudget
        Where more executions would be needed than are allowed.
    """
    start, end = outer.reading(base), outer.reading(base | {factor.name})
    if start is None or end is None or outer.same(start, end):
        return None
    instrument = Instrument(
        outer.ledger,
        outer.yardstick,
        lambda taken: Mixture(taken=base, packages={factor.subject: next(iter(taken))}),
        repetitions=outer.repetitions,
        trail=outer.trail,
        within=factor.name,
    )
    row = [str(factor.a), *versions, str(factor.b)]
    low, high = 0, len(row) - 1
    skipped: set[int] = set()
    while True:
        left = [place for place in range(low + 1, high) if place not in skipped]
        if not left:
            return Turn(last_like_a=row[low], first_unlike_a=row[high])
        middle = min(left, key=lambda place: abs(2 * place - low - high))
        (reading,) = instrument.measure([frozenset({row[middle]})], "versions")
        if not reading.ok:
            skipped.add(middle)
        elif instrument.same(reading, start):
            low = middle
        else:
            high = middle
