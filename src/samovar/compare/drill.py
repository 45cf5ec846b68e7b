"""Look into a guilty file: which hunk, which rows, which column, or the order alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.cuts import CodeCut, cut_code
from samovar.compare.instrument import Instrument
from samovar.compare.rank import in_row
from samovar.compare.runner import Mixture
from samovar.compare.search import Search
from samovar.compare.shares import Sharing
from samovar.compare.table_cut import ORDER, cut_table

if TYPE_CHECKING:
    from samovar.compare.cuts import Cut
    from samovar.compare.factors import Factor
    from samovar.compare.instrument import Subset
    from samovar.compare.rank import Hints
    from samovar.compare.runner import Material

_MOST_BYTES: Final = 128 << 20
"""Both sides together; larger files are named whole, for each mixture holds one in memory."""
_IDLE: Final = 0.1
_ROWS: Final = re.compile(r"rows (\d+)-(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A guilty part of a file.

    Parameters
    ----------
    name : str
        ``code:FILE#LINES``, ``data:FILE#rows A-B``, ``data:FILE#order``, ``data:FILE#column NAME``.
    a, b : object
        What both sides have there, shortened.
    effect : float or None
        Its share.
    """

    name: str
    a: Any
    b: Any
    effect: float | None


def cut_file(factor: Factor, material: Material) -> Cut | None:
    """Cut the file of a factor into parts; None where that cannot be done, or it is new."""
    if factor.kind not in {"code", "data"} or factor.a is None or factor.b is None:
        return None
    one, other = (material.read(side, factor.subject) for side in ("a", "b"))
    if one is None or other is None or len(one) + len(other) > _MOST_BYTES:
        return None
    cutter = cut_code if factor.kind == "code" else cut_table
    return cutter(factor.subject, one, other)


def idle_hunks(cut: Cut, idle: frozenset[int]) -> frozenset[str]:
    """Name the hunks of a cut file of code that lie in lines that are not reached."""
    if not isinstance(cut, CodeCut) or not idle:
        return frozenset()
    return frozenset(
        name
        for name, hunk in cut.hunks.items()
        if set(range(hunk.start + 1, max(hunk.stop, hunk.start + 1) + 1)) <= idle
    )


class Drill:
    """Searches the parts of one guilty file.

    Parameters
    ----------
    outer : Instrument
        Knows readings without and with the file.
    factor : Factor
        The file.
    base : frozenset of str
        Other factors that are B's while its parts are tried.
    effect : float or None
        The file's share, which its parts divide among them.
    hints : Hints
        Has the lines that are not reached: hunks there are tried last.
    """

    def __init__(
        self,
        outer: Instrument,
        factor: Factor,
        base: Subset,
        effect: float | None,
        hints: Hints,
    ) -> None:
        self._outer = outer
        self._factor = factor
        self._base = base
        self._effect = effect
        self._idle = hints.idle.get(factor.subject, frozenset())

    def parts(self, cut: Cut) -> tuple[Part, ...]:
        """Give the guilty parts; none where no mixture of them shows anything.

        Raises
        ------
        OutOfBudget
            Where more executions would be needed than are allowed.
        """
        if len(cut.names) == 1:
            return self._narrowed(cut, cut.names[0], self._effect, self._instrument(cut))
        instrument = self._instrument(cut)
        weights = {name: 2.0 if name == ORDER else 1.0 for name in cut.names}
        weights.update(dict.fromkeys(idle_hunks(cut, self._idle), _IDLE))
        found = Search(instrument, in_row(weights), weights).run()
        if not found.culprits or found.sufficient is False:
            return ()
        if len(found.names) == 1:
            return self._narrowed(cut, found.culprits[0][0], self._effect, instrument)
        effects = Sharing(instrument, found).run().effects
        whole = sum(effect or 0.0 for effect in effects.values())
        return tuple(
            self._part(cut, name, self._scaled(effect, whole, len(block)))
            for block, effect in effects.items()
            for name in block
        )

    def _instrument(self, cut: Cut) -> Instrument:
        path, base, outer = self._factor.subject, self._base, self._outer

        def mixture(taken: Subset) -> Mixture | None:
            data = cut.compose(taken)
            return None if data is None else Mixture(taken=base, files={path: data})

        ends: list[tuple[Subset, Subset]] = [
            (frozenset(), base),
            (frozenset(cut.names), base | {self._factor.name}),
        ]
        known = [(part, reading) for part, whole in ends if (reading := outer.reading(whole))]
        return Instrument(
            outer.ledger,
            outer.yardstick,
            mixture,
            repetitions=outer.repetitions,
            known=known,
            trail=outer.trail,
            within=self._factor.name,
        )

    def _narrowed(
        self, cut: Cut, name: str, effect: float | None, instrument: Instrument
    ) -> tuple[Part, ...]:
        """Narrow a long block of rows from both ends; anything else stays as it is."""
        fine = cut.finer(frozenset({name}))
        if fine is None:
            return (self._part(cut, name, effect),)
        start, end = instrument.measure([frozenset(), frozenset({name})], "rows")
        inner = self._instrument(fine)
        rows = fine.names

        def first(*, like_end: bool) -> int:
            """Find how many rows it takes until the result leaves A's, or is B's."""
            low, high = 0, len(rows)
            while high - low > 1:
                middle = (low + high) // 2
                (reading,) = inner.measure([frozenset(rows[:middle])], "rows")
                is_there = inner.same(reading, end) if like_end else not inner.same(reading, start)
                low, high = (low, middle) if is_there else (middle, high)
            return high

        low, high = first(like_end=False), first(like_end=True)
        chosen = frozenset(rows[low - 1 : high])
        (alone,) = inner.measure([chosen], "rows")
        if not chosen or not inner.same(alone, end):
            return (self._part(cut, name, effect),)
        numbers = [int(n) for row in chosen for match in [_ROWS.match(row)] if match
                   for n in match.groups()]  # fmt: skip
        whole = f"rows {min(numbers)}-{max(numbers)}"
        a, b = fine.values(rows[low - 1])
        return (Part(name=f"{self._factor.name}#{whole}", a=a, b=b, effect=effect),)

    def _scaled(self, effect: float | None, whole: float, size: int) -> float | None:
        if effect is None or self._effect is None or not whole:
            return effect
        return effect / whole * self._effect / size

    def _part(self, cut: Cut, name: str, effect: float | None) -> Part:
        a, b = cut.values(name)
        return Part(name=f"{self._factor.name}#{name}", a=a, b=b, effect=effect)
