"""Share a difference out among its culprits, and tell interactions from sums.

A culprit's share is its Shapley value: the mean of what it adds, over all orders in which the
culprits could have been changed. Shares add up to the whole difference, whatever the culprits do
to one another.

References
----------
L. S. Shapley, "A Value for n-Person Games", 1953.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.compare.ledger import OutOfBudget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samovar.compare.instrument import Instrument, Subset
    from samovar.compare.search import Block, Found
    from samovar.compare.yardstick import Reading

_EXACT: Final = 6
_ALWAYS_EXACT: Final = 3
_PERMUTATIONS: Final = 32
_BOUND: Final = 0.05
_MATTERS: Final = 0.2
_SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """What culprits do together and not one by one."""

    names: tuple[str, ...]
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Who moved the result by how much.

    Parameters
    ----------
    effects : dict of tuple of str to float or None
        For each block; None where a value was not finite.
    interactions : tuple of Interaction
        Largest first.
    error : float
        Half-width of the 95 % interval of a sampled share; 0 for exact shares.
    """

    effects: dict[Block, float | None]
    interactions: tuple[Interaction, ...]
    error: float = 0.0


class Sharing:
    """Measures what is needed to share a difference out.

    Parameters
    ----------
    instrument : Instrument
        Measures.
    found : Found
        The culprits, and the companions that go along with all of them.
    """

    def __init__(self, instrument: Instrument, found: Found) -> None:
        self._instrument = instrument
        self._found = found
        self._blocks = list(found.culprits)
        self._base: Subset = frozenset(found.companions) - found.names

    def run(self) -> Shares:
        """Measure as much as the budget allows, and give the best shares that follow from it."""
        try:
            return self._measured()
        except OutOfBudget:
            return self.from_jumps()

    def _measured(self) -> Shares:
        blocks = self._blocks
        if len(blocks) > _EXACT:
            return self._sampled()
        if len(blocks) > _ALWAYS_EXACT and self._is_additive():
            alone = {block: self._gain((), block) for block in blocks}
            return Shares(effects=alone, interactions=())
        self._measure(self._all_subsets())
        orders = list(itertools.permutations(blocks))
        effects = {block: self._mean_gain(block, orders) for block in blocks}
        return Shares(effects=self._or_jumps(effects), interactions=self._interactions())

    def _is_additive(self) -> bool:
        """Say whether each culprit adds the same to A as it does to all the others."""
        blocks = self._blocks
        self._measure([(block,) for block in blocks])
        self._measure([tuple(b for b in blocks if b != block) for block in blocks])
        whole = self._value(tuple(blocks))
        allowed = self._instrument.yardstick.tolerance + 1e-9 * abs(whole or 0.0)
        for block in blocks:
            first = self._gain((), block)
            last = self._gain(tuple(b for b in blocks if b != block), block)
            if first is None or last is None or abs(first - last) > allowed:
                return False
        return True

    def _sampled(self) -> Shares:
        """Average over random orders and their reverses until the shares are known well enough."""
        generator = random.Random(_SEED)  # noqa: S311 - a sample, not a secret; the same every time
        blocks = self._blocks
        gains: dict[Block, list[float]] = {block: [] for block in blocks}
        whole = abs(self._value(tuple(blocks)) or 0.0)
        error = math.inf
        try:
            for _ in range(_PERMUTATIONS // 2):
                order = generator.sample(blocks, len(blocks))
                for row in (order, order[::-1]):
                    self._measure([tuple(row[:count]) for count in range(len(row) + 1)])
                    for block, gain in self._gains(row).items():
                        gains[block].append(gain)
                error = max(_half_width(values) for values in gains.values())
                if error <= _BOUND * whole:
                    break
        except OutOfBudget:
            pass
        effects = {b: statistics.fmean(v) if v else None for b, v in gains.items()}
        return Shares(effects=self._or_jumps(effects), interactions=(), error=error)

    def _gains(self, row: Sequence[Block]) -> dict[Block, float]:
        found = {}
        for count, block in enumerate(row):
            gain = self._gain(tuple(row[:count]), block)
            if gain is not None:
                found[block] = gain
        return found

    def _mean_gain(self, block: Block, orders: Iterable[Sequence[Block]]) -> float | None:
        gains = [self._gain(tuple(order[: order.index(block)]), block) for order in orders]
        known = [gain for gain in gains if gain is not None]
        return math.fsum(known) / len(known) if known else None

    def _gain(self, before: tuple[Block, ...], block: Block) -> float | None:
        start, end = self._value(before), self._value((*before, block))
        return None if start is None or end is None else end - start

    def _interactions(self) -> tuple[Interaction, ...]:
        """Find what sets of culprits do beyond what their parts do."""
        values = [value for value in map(self._value, self._all_subsets()) if value is not None]
        scale = max(values, default=0.0) - min(values, default=0.0)
        found = []
        for subset in self._all_subsets():
            if len(subset) < 2:
                continue
            effect = self._beyond_parts(subset)
            if effect is None:
                continue
            additive = self._instrument.yardstick.is_additive
            if self._is_hidden(subset) or (additive and abs(effect) > _MATTERS * scale):
                names = tuple(name for block in subset for name in block)
                found.append(Interaction(names=names, effect=effect))
        return tuple(sorted(found, key=lambda one: (-abs(one.effect), one.names)))

    def _all_subsets(self) -> list[tuple[Block, ...]]:
        blocks = self._blocks
        return [s for size in range(len(blocks) + 1) for s in itertools.combinations(blocks, size)]

    def _beyond_parts(self, subset: tuple[Block, ...]) -> float | None:
        """Give the Moebius transform: the value less that of all parts."""
        total = 0.0
        for size in range(len(subset) + 1):
            for part in itertools.combinations(subset, size):
                value = self._value(part)
                if value is None:
                    return None
                total += (-1) ** (len(subset) - size) * value
        return total

    def _is_hidden(self, subset: tuple[Block, ...]) -> bool:
        """Say whether no smaller part changes anything, and the whole does."""
        instrument = self._instrument
        start, whole = self._reading(()), self._reading(subset)
        if start is None or whole is None or not whole.ok or instrument.same(start, whole):
            return False
        parts = [
            self._reading(part)
            for size in range(1, len(subset))
            for part in itertools.combinations(subset, size)
        ]
        return all(part is not None and instrument.same(start, part) for part in parts)

    def from_jumps(self) -> Shares:
        """Give what was seen when each culprit was found, executing nothing."""
        return Shares(effects=self._or_jumps({}), interactions=(), error=math.inf)

    def _or_jumps(self, effects: dict[Block, float | None]) -> dict[Block, float | None]:
        value = self._instrument.yardstick.value
        filled: dict[Block, float | None] = {}
        for block in self._blocks:
            effect = effects.get(block)
            if effect is None and block in self._found.jumps:
                before, after = map(value, self._found.jumps[block])
                effect = None if before is None or after is None else after - before
            filled[block] = effect
        return filled

    def _measure(self, subsets: Sequence[tuple[Block, ...]]) -> None:
        self._instrument.measure([self._taken(subset) for subset in subsets], "share")

    def _taken(self, subset: Iterable[Block]) -> Subset:
        """Give all names of a subset; companions go along with everything but A itself."""
        names = frozenset(name for block in subset for name in block)
        return names | self._base if names else names

    def _reading(self, subset: tuple[Block, ...]) -> Reading | None:
        return self._instrument.reading(self._taken(subset))

    def _value(self, subset: tuple[Block, ...]) -> float | None:
        reading = self._reading(subset)
        if reading is None or not reading.ok:
            return None
        return self._instrument.yardstick.value(reading)


def _half_width(values: Sequence[float]) -> float:
    """Give the half-width of the mean's 95 % interval."""
    if len(values) < 2:
        return math.inf
    return 1.96 * statistics.stdev(values) / math.sqrt(len(values))
