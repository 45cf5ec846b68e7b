"""Find the smallest set of changes that leads from A's result to B's.

Names are put in a row, likely ones first. Taking more and more of the row from B leads from A's
result to B's; wherever the result changes on the way, halving finds the name at which it does. So
one culprit among n costs log2(n) executions, several cost so each, and every name that is blamed
has changed a result before our eyes, in one execution against another that differs in it alone.

Two questions then close the search. Do the culprits alone give B's result (forwards)? If not, they
need a partner that came before them in the row: it is searched with the culprits taken already.
Does B without them give A's result (backwards)? If not, something else has the same effect, and
was hidden behind the first: it is searched in B without them.

A mixture that cannot be installed or run is neither A nor B. Halving goes round it; names that
only run together are blamed together; what a culprit needs to run at all goes along with it as a
companion and is not blamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samovar.compare.halving import Halving, Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.compare.instrument import Instrument, Subset
    from samovar.compare.yardstick import Reading

Block = tuple[str, ...]
"""Names that are blamed together; nearly always one."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What a search knows; it holds even where the search was cut short.

    Parameters
    ----------
    culprits : list of tuple of str
        In the order in which they were found.
    companions : list of str
        What culprits need along in order to run, and which has no effect of its own.
    jumps : dict of tuple of str to pair of Reading
        Before and after each culprit was taken, where it was found.
    suspects : tuple of str
        Among which a cause still is, where the search was cut short.
    sufficient : bool or None
        Whether the culprits alone give B's result; None where it was not seen.
    necessary : bool or None
        Whether B without the culprits gives A's result; None where it was not seen.
    """

    culprits: list[Block] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)
    jumps: dict[Block, tuple[Reading, Reading]] = field(default_factory=dict)
    suspects: tuple[str, ...] = ()
    sufficient: bool | None = None
    necessary: bool | None = None

    @property
    def names(self) -> Subset:
        """All culprits' names."""
        return frozenset(name for block in self.culprits for name in block)


class Search:
    """Searches a row of names with an instrument.

    Parameters
    ----------
    instrument : Instrument
        Measures; knows the readings of nothing and of everything.
    row : sequence of str
        The names, likely ones first.
    weights : mapping of str to float
        How likely each is.
    """

    def __init__(
        self, instrument: Instrument, row: Sequence[str], weights: dict[str, float]
    ) -> None:
        self._instrument = instrument
        self._row = tuple(row)
        self._everything = frozenset(row)
        self._halving = Halving(instrument, weights)
        self.found = Found(suspects=self._row)

    def run(self) -> Found:
        """Search to the end.

        Raises
        ------
        OutOfBudget
            :attr:`found` then has what is known so far.
        """
        found = self.found
        while True:
            self._forwards()
            grown = self._backwards()
            if not grown:
                break
        found.suspects = ()
        return found

    def _forwards(self) -> None:
        """Add culprits until they alone give B's result."""
        found = self.found
        reach = self._row
        while True:
            here = self._measure_culprits(reach)
            if here is None:
                found.sufficient = None
                return
            if self._instrument.same(here, self._end):
                found.sufficient = True
                return
            start = found.names | set(found.companions)
            pool = tuple(name for name in reach if name not in start)
            points = self._points(start, pool)
            if not points:
                found.sufficient = False
                return
            enough = [p.taken for p in points if self._instrument.same(p.reading, self._end)]
            if enough:
                smallest = min(enough, key=len)
                reach = tuple(name for name in reach if name in smallest)

    def _backwards(self) -> bool:
        """Look into B without the culprits; say whether it had more."""
        found = self.found
        start = self._measure([frozenset()], "start")[0]
        rest = self._everything - found.names
        (without,) = self._measure([rest], "without")
        if not without.ok and found.companions:
            rest -= set(found.companions)
            (without,) = self._measure([rest], "without")
        if not without.ok:
            found.necessary = None
            return False
        if self._instrument.same(without, start):
            found.necessary = True
            return False
        pool = tuple(name for name in self._row if name in rest)
        grown = bool(self._points(frozenset(), pool))
        found.necessary = False if not grown else None
        return grown

    def _points(self, start: Subset, pool: tuple[str, ...]) -> list[Point]:
        """Find the changes on the way from a start along a pool, and add them as culprits."""
        points: list[Point] = []
        try:
            for point in self._halving.points(start, pool):
                points.append(point)
                self.found.culprits.append(point.names)
                self.found.jumps[point.names] = (point.before, point.reading)
        finally:
            self.found.suspects = self._halving.open_names
        return points

    def _measure_culprits(self, reach: tuple[str, ...]) -> Reading | None:
        """Measure the culprits alone, with what they need in order to run."""
        found = self.found
        while True:
            taken = found.names | set(found.companions)
            # Whether B without the culprits gives A's result is asked at the same time.
            both = [taken, self._everything - found.names] if taken else [taken]
            reading = self._instrument.measure(both, "alone", "without")[0]
            if reading.ok:
                return reading
            pool = [name for name in reach if name not in taken]
            needed = self._needed(taken, pool)
            if needed is None:
                return None
            found.companions.append(needed)

    def _needed(self, taken: Subset, pool: list[str]) -> str | None:
        """Find the name that makes a mixture run: the last of the shortest row that does."""
        low, high = 0, len(pool)
        while high - low > 1:
            middle = (low + high) // 2
            (reading,) = self._measure([taken | set(pool[:middle])], "along")
            low, high = (low, middle) if reading.ok else (middle, high)
        return pool[high - 1] if pool else None

    @property
    def _end(self) -> Reading:
        return self._measure([self._everything], "end")[0]

    def _measure(self, subsets: list[Subset], purpose: str) -> list[Reading]:
        return self._instrument.measure(subsets, purpose)
