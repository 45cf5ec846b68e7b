"""The steps of one explanation: repeat, search, look behind, share out, look into files.

Each step stops where the budget does; what is known until then is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samovar.compare.drill import Drill, Part, cut_file
from samovar.compare.instrument import Instrument, Step
from samovar.compare.ledger import OutOfBudget
from samovar.compare.noise import REAL, Ends, Sides, look_at_ends
from samovar.compare.rank import Hints, guess, in_row, weigh
from samovar.compare.runner import OK, Mixture
from samovar.compare.search import Found, Search
from samovar.compare.shares import Shares, Sharing
from samovar.compare.versions import Turn, find_turn
from samovar.compare.yardstick import PREDICTIONS, PredictionYardstick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.compare.factors import Factor
    from samovar.compare.instrument import Subset
    from samovar.compare.ledger import Ledger
    from samovar.compare.question import Question
    from samovar.compare.runner import Material, Outcome
    from samovar.compare.search import Block


_WORTH_A_GUESS = 4
"""Fewer changes than these are told apart as soon without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two runs and what is between them.

    Parameters
    ----------
    a, b : Outcome
        As recorded.
    factors : sequence of Factor
        All that differs.
    fixed : frozenset of str
        Factors that this machine cannot be made to have (another processor): no mixture takes
        them.
    look : callable
        Gives what is known to matter, and is tried early; called where there is something to
        explain.
    """

    a: Outcome
    b: Outcome
    factors: Sequence[Factor]
    fixed: frozenset[str] = field(default_factory=frozenset)
    look: Callable[[], Hints] = Hints


@dataclass(slots=True, kw_only=True)
class Known:
    """What an inquiry has found out; it holds wherever the inquiry stopped.

    Parameters
    ----------
    ends : Ends or None
        What repeating A and B showed.
    found : Found or None
        The culprits.
    shares : Shares
        Their effects.
    parts : dict of str to tuple of Part
        Guilty parts of guilty files, by factor.
    turns : dict of str to Turn
        Guilty releases of guilty packages, by factor.
    hints : Hints
        What is known without executing anything.
    trail : list of Step
        Every measured mixture.
    stopped : str
        Why it stopped early; empty where it did not.
    interrupted : bool
        Whether the user stopped it.
    """

    ends: Ends | None = None
    found: Found | None = None
    shares: Shares = field(default_factory=lambda: Shares(effects={}, interactions=()))
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)
    trail: list[Step] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False


class Inquiry:
    """Finds out, step by step.

    Parameters
    ----------
    case : Case
        What was recorded, and the factors.
    ledger : Ledger
        Executes and counts.
    question : Question
        What to explain.
    name : str
        The metric that was chosen, or ``predictions``.
    material : Material, optional
        Files and versions, to look into guilty factors.
    """

    def __init__(
        self,
        case: Case,
        ledger: Ledger,
        question: Question,
        name: str,
        material: Material | None,
    ) -> None:
        self._case = case
        self._ledger = ledger
        self._question = question
        self._name = name
        self._material = material
        self._by_name = {f.name: f for f in case.factors if f.name not in case.fixed}
        self._everything = frozenset(self._by_name)
        self._guessed: str | None = None
        self.known = Known(hints=case.look())
        self._weights = weigh(self._by_name.values(), self.known.hints)

    def run(self) -> Known:
        """Go as far as the budget allows."""
        known = self.known
        instrument: Instrument | None = None
        try:
            instrument = self._look_at_ends()
            if instrument is not None:
                self._search(instrument)
        except OutOfBudget:
            runs = self._ledger.runs
            known.stopped = f" within {runs} execution{'' if runs == 1 else 's'}"
        except KeyboardInterrupt:
            known.stopped, known.interrupted = ", because it was interrupted", True
        if instrument is not None and known.found is not None and not known.shares.effects:
            known.shares = Sharing(instrument, known.found).from_jumps()
        return known

    def _look_at_ends(self) -> Instrument | None:
        """Repeat both ends; give an instrument where there is something to explain."""
        case, policy, known = self._case, self._question.policy, self.known
        sides = Sides(a=case.a, b=case.b, everything=self._everything, like_a=self._guess())
        ends = look_at_ends(self._ledger, self._name, policy, sides)
        known.ends = ends
        if ends.state != REAL:
            return None
        instrument = Instrument(
            self._ledger,
            ends.yardstick,
            lambda taken: Mixture(taken=taken),
            repetitions=ends.repetitions,
            known=[(frozenset(), ends.a), (self._everything, ends.b)],
            trail=known.trail,
        )
        if self._guessed is not None:
            instrument.measure([frozenset({self._guessed})], "guess")
        return instrument

    def _guess(self) -> Outcome | None:
        """Try alone what is declared to matter; give the outcome where it is A's to the last bit.

        B is repeated at the same time. Such an outcome stands for a repetition of A: it is one, but
        for a change that does nothing.
        """
        likely = guess(self._weights, self.known.hints)
        if likely is None or len(self._everything) < _WORTH_A_GUESS:
            return None
        alone = Mixture(taken=frozenset({likely}))
        (outcome,), _ = self._ledger.outcomes([alone, Mixture(taken=self._everything)], 1)
        self._guessed = likely
        recorded = self._case.a
        is_a = (outcome.status, outcome.metrics, outcome.predictions) == (
            OK,
            recorded.metrics,
            recorded.predictions,
        )
        return outcome if is_a else None

    def _search(self, instrument: Instrument) -> None:
        search = Search(instrument, in_row(self._weights), self._weights)
        self.known.found = search.found
        search.run()
        self._look_behind(instrument, search.found)
        self.known.shares = Sharing(instrument, search.found).run()
        self._look_into(instrument, search.found)

    def _look_behind(self, instrument: Instrument, found: Found) -> None:
        """Find what cancels in the metric and shows in the predictions.

        Where B without the culprits has A's metric and other predictions, two effects may
        balance. Those names are searched by predictions; the metric then says who has an effect.
        """
        if self._name == PREDICTIONS or not found.necessary or instrument.repetitions > 1:
            return
        rest = self._everything - found.names
        start, without = instrument.measure([frozenset(), rest], "without")
        yardstick = PredictionYardstick(start, self._question.policy)
        if start.outcomes[0].predictions is None or yardstick.same(start, without):
            return
        finer = Instrument(
            self._ledger,
            yardstick,
            lambda taken: Mixture(taken=taken),
            known=[(frozenset(), start), (rest, without)],
            trail=self.known.trail,
            within=PREDICTIONS,
        )
        row = [name for name in in_row(self._weights) if name in rest]
        hidden = Search(finer, row, self._weights).run()
        singles = [frozenset(block) for block in hidden.culprits]
        readings = instrument.measure(singles, "alone")
        for block, reading in zip(hidden.culprits, readings, strict=True):
            if reading.ok and not instrument.same(start, reading):
                found.culprits.append(block)
                found.jumps[block] = (start, reading)

    def _look_into(self, instrument: Instrument, found: Found) -> None:
        """Look into guilty files, and into guilty packages where that was asked for."""
        material = self._material
        if material is None:
            return
        for block in found.culprits:
            factor = self._by_name[block[0]]
            base = self._base_for(block, found, instrument) if len(block) == 1 else None
            if base is None:
                continue
            if factor.kind == "package" and self._question.versions:
                if factor.a is not None and factor.b is not None:
                    between = material.versions(factor.subject, str(factor.a), str(factor.b))
                    turn = find_turn(instrument, factor, base, between)
                    if turn is not None:
                        self.known.turns[factor.name] = turn
                continue
            cut = cut_file(factor, material)
            if cut is not None:
                effect = self.known.shares.effects.get(block)
                drill = Drill(instrument, factor, base, effect, self.known.hints)
                self.known.parts[factor.name] = drill.parts(cut)

    def _base_for(self, block: Block, found: Found, instrument: Instrument) -> Subset | None:
        """Find surroundings in which a culprit is known to change the result."""
        needed = frozenset(found.companions) - found.names
        for base in (frozenset[str](), needed, (found.names | needed) - set(block)):
            before, after = instrument.reading(base), instrument.reading(base | set(block))
            if before is None or after is None or not (before.ok and after.ok):
                continue
            if not instrument.same(before, after):
                return base
        return None
