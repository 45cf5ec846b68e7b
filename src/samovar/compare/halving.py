"""Find where the result changes along a row of names that are taken one after the other."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.compare.instrument import Instrument, Subset
    from samovar.compare.yardstick import Reading


@dataclass(slots=True, kw_only=True)
class _Stretch:
    """A piece of a row over which the result changes: ``base``, then ``names`` one by one."""

    base: Subset
    names: tuple[str, ...]
    before: Reading
    after: Reading
    depth: int
    tried: set[int] = field(default_factory=set)
    turned: bool = False

    def upto(self, count: int | None) -> Subset:
        return self.base | set(self.names[:count])


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in a row at which the result changes.

    Parameters
    ----------
    names : tuple of str
        One name, or several that no working mixture tells apart.
    taken : frozenset of str
        All that is taken once they are.
    before, reading : Reading
        Without the names, and of ``taken``.
    """

    names: tuple[str, ...]
    taken: Subset
    before: Reading
    reading: Reading


class Halving:
    """Halves rows of names.

    Parameters
    ----------
    instrument : Instrument
        Measures.
    weights : dict of str to float
        How likely each name is; the likely half is made small where that costs nothing.
    """

    def __init__(self, instrument: Instrument, weights: dict[str, float]) -> None:
        self._instrument = instrument
        self._weights = weights
        self._open: deque[_Stretch] = deque()

    @property
    def open_names(self) -> tuple[str, ...]:
        """The names among which a change still is."""
        return tuple(dict.fromkeys(name for stretch in self._open for name in stretch.names))

    def points(self, start: Subset, pool: tuple[str, ...]) -> Iterator[Point]:
        """Give the places at which the result changes, as they are found.

        Parameters
        ----------
        start : frozenset of str
            What is taken from the beginning.
        pool : tuple of str
            What is then taken, one after the other.

        Yields
        ------
        Point
            Nothing where both ends are the same.
        """
        before, after = self._instrument.measure([start, start | set(pool)], "ends")
        self._open = deque()
        self._open.extend(self._begin(start, pool, before, after))
        while self._open:
            self._measure_cuts()
            stretch = self._open.popleft()
            place = self._place(stretch)
            if len(stretch.names) == 1 or (place is None and stretch.turned):
                yield Point(
                    names=stretch.names,
                    taken=stretch.upto(None),
                    before=stretch.before,
                    reading=stretch.after,
                )
            elif place is None:
                # Every cut fails in this order; a package may need one that stands after it.
                stretch.names = stretch.names[::-1]
                stretch.tried, stretch.turned = set(), True
                self._open.appendleft(stretch)
            else:
                stretch.tried.add(place)
                middle = self._instrument.measure([stretch.upto(place)], "halve")[0]
                halves = self._halves(stretch, place, middle) if middle.ok else [stretch]
                self._open.extendleft(reversed(halves))

    def _begin(
        self, start: Subset, pool: tuple[str, ...], before: Reading, after: Reading
    ) -> list[_Stretch]:
        """Give the stretches to start with; the first name is split off where it was tried."""
        if self._instrument.same(before, after):
            return []
        depth = _allowed_depth(len(pool))
        whole = _Stretch(base=start, names=pool, before=before, after=after, depth=depth)
        first = self._instrument.reading(start | set(pool[:1]))
        if first is None or not first.ok or len(pool) == 1:
            return [whole]
        whole.tried.add(1)
        halves = self._halves(whole, 1, first)
        for half in halves:
            # It cost nothing, so the rest may cost what a row of its length may.
            half.depth = _allowed_depth(len(half.names))
        return halves

    def _measure_cuts(self) -> None:
        """Measure the next cut of every stretch at once: each of them is needed."""
        places = [(stretch, self._place(stretch)) for stretch in self._open]
        cuts = [stretch.upto(place) for stretch, place in places if place is not None]
        self._instrument.measure(cuts, "halve")

    def _place(self, stretch: _Stretch) -> int | None:
        """Choose where to cut next; None where enough cuts have failed."""
        size = len(stretch.names)
        if len(stretch.tried) >= min(size - 1, 2 * size.bit_length() + 2):
            return None
        room: int = 2 ** max(stretch.depth - 1, 0)
        lowest, highest = max(1, size - room), min(size - 1, room)
        if lowest > highest:
            lowest = highest = size // 2
        best = min(max(self._balance(stretch.names), lowest), highest)
        return next(place for place in (best, *_dyadic(size)) if place not in stretch.tried)

    def _balance(self, names: tuple[str, ...]) -> int:
        """Give the cut that leaves half of what is likely on either side."""
        weights = [self._weights.get(name, 1.0) for name in names]
        half, running = sum(weights) / 2, 0.0
        for count, weight in enumerate(weights, 1):
            running += weight
            if running >= half:
                return count
        return len(names)

    def _halves(self, stretch: _Stretch, place: int, middle: Reading) -> list[_Stretch]:
        """Give the halves over which the result changes; at least one."""
        first = _Stretch(
            base=stretch.base,
            names=stretch.names[:place],
            before=stretch.before,
            after=middle,
            depth=stretch.depth - 1,
        )
        second = _Stretch(
            base=stretch.upto(place),
            names=stretch.names[place:],
            before=middle,
            after=stretch.after,
            depth=stretch.depth - 1,
        )
        changed = [
            half for half in (first, second) if not self._instrument.same(half.before, half.after)
        ]
        if changed:
            return changed
        # Two differences below the tolerance make one above it: go where more of it is.
        distance = self._instrument.yardstick.distance
        return [max(first, second, key=lambda half: distance(half.before, half.after))]


def _dyadic(size: int) -> Iterator[int]:
    """Give every cut of a row: the middle, the quarters, the eighths, ..., late ones first.

    Examples
    --------
    >>> list(_dyadic(8))
    [4, 6, 2, 7, 5, 3, 1]
    """
    given: set[int] = set()
    parts = 2
    while len(given) < size - 1:
        for part in range(parts - 1, 0, -1):
            place = size * part // parts
            if place > 0 and place not in given:
                given.add(place)
                yield place
        parts *= 2


def _allowed_depth(size: int) -> int:
    """Give how many cuts one culprit may cost.

    The fewest that can be are log2(size). Up to eight names one more is allowed, beyond sixteen
    two, so that a likely name can be tried nearly by itself; between, none is, and a search with
    both repeats and both checks stays within eight executions.
    """
    fewest = (size - 1).bit_length()
    return fewest + (1 if size <= 8 else 0 if size <= 16 else 2)
