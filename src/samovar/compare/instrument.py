"""Measure mixtures: from a set of names to a reading, through the ledger, with a trail."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.compare.yardstick import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from samovar.compare.ledger import Ledger
    from samovar.compare.runner import Mixture
    from samovar.compare.yardstick import Yardstick

Subset = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measured mixture, as the path of runs shows it.

    Parameters
    ----------
    purpose : str
        Why it was run: ``halve``, ``alone``, ``without``, ``share``, ``versions``, ...
    taken : frozenset of str
        What is B's.
    reading : Reading
        What came out.
    value : float or None
        What the yardstick reads; None where it did not run, or is not finite.
    within : str
        The factor whose parts were taken, where a file was looked into.
    """

    purpose: str
    taken: Subset
    reading: Reading
    value: float | None
    within: str = ""


class Instrument:
    """Measures subsets of names.

    Parameters
    ----------
    ledger : Ledger
        Executes and counts.
    yardstick : Yardstick
        Compares.
    mixture : callable
        Makes the mixture in which a subset is B's; None where it cannot be made.
    repetitions : int
        How often each mixture runs; more than once where there is noise.
    known : iterable of pairs
        Subsets whose reading is known beforehand.
    trail : list of Step
        Where each new measurement is written down.
    within : str
        The factor whose parts are measured.
    """

    def __init__(
        self,
        ledger: Ledger,
        yardstick: Yardstick,
        mixture: Callable[[Subset], Mixture | None],
        *,
        repetitions: int = 1,
        known: Iterable[tuple[Subset, Reading]] = (),
        trail: list[Step],
        within: str = "",
    ) -> None:
        self.ledger = ledger
        self.yardstick = yardstick
        self.repetitions = repetitions
        self.trail = trail
        self._mixture = mixture
        self._within = within
        self._known: dict[Subset, Reading] = dict(known)

    def measure(self, subsets: Sequence[Subset], *purposes: str) -> list[Reading]:
        """Give the readings of subsets, executing what is not known.

        Parameters
        ----------
        subsets : sequence of frozenset of str
            What is to be B's.
        *purposes : str
            Why, for the trail: one for all, or one for each.

        Raises
        ------
        OutOfBudget
            Where that is not allowed any more.
        """
        why = dict(zip(subsets, itertools.cycle(purposes), strict=False))
        new = [subset for subset in dict.fromkeys(subsets) if subset not in self._known]
        made = [(subset, self._mixture(subset)) for subset in new]
        for subset, mixture in made:
            if mixture is None:
                self._note(subset, Reading(outcomes=(), reason="it does not compile"), why[subset])
        possible = [(subset, mixture) for subset, mixture in made if mixture is not None]
        outcomes = self.ledger.outcomes([mixture for _, mixture in possible], self.repetitions)
        for (subset, _), found in zip(possible, outcomes, strict=True):
            self._note(subset, Reading(outcomes=found), why[subset])
        return [self._known[subset] for subset in subsets]

    def reading(self, subset: Subset) -> Reading | None:
        """Give what is known of a subset, executing nothing."""
        return self._known.get(subset)

    def same(self, one: Reading, other: Reading) -> bool:
        """Say whether two readings are the same result; one that did not run is like none."""
        return one.ok and other.ok and self.yardstick.same(one, other)

    def _note(self, subset: Subset, reading: Reading, purpose: str) -> None:
        self._known[subset] = reading
        value = self.yardstick.value(reading) if reading.ok else None
        self.trail.append(
            Step(purpose=purpose, taken=subset, reading=reading, value=value, within=self._within)
        )
