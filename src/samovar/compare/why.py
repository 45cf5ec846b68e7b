"""Explain why two runs differ: by executing mixtures of them, and by nothing else.

The path: choose what is to be explained, repeat both ends, search the culprits, share the
difference out among them, look into guilty files. Each of these stops where the budget does, and
what is known until then is the answer. Nothing is blamed that no execution has shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from samovar.compare.answer import EQUAL, EXPLAINED, NOISE, UNEXPLAINED, Answer, Culprit
from samovar.compare.drill import Drill, Part, cut_file
from samovar.compare.instrument import Instrument, Step
from samovar.compare.ledger import Budget, Ledger, OutOfBudget
from samovar.compare.noise import BROKEN, GONE, REAL, Ends, look_at_ends
from samovar.compare.noise import NOISE as ONLY_NOISE
from samovar.compare.question import Question, choose
from samovar.compare.rank import in_row, weigh
from samovar.compare.runner import Mixture
from samovar.compare.search import Found, Search
from samovar.compare.shares import Shares, Sharing
from samovar.compare.words import check_command, sentence
from samovar.compare.yardstick import PREDICTIONS, PredictionYardstick, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.compare.factors import Factor
    from samovar.compare.instrument import Subset
    from samovar.compare.runner import Material, Outcome, Runner
    from samovar.compare.search import Block

_TINY = 1e-12


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
    imported : frozenset of str
        Distributions that the code imports itself; these are tried early.
    """

    a: Outcome
    b: Outcome
    factors: Sequence[Factor]
    fixed: frozenset[str] = field(default_factory=frozenset)
    imported: frozenset[str] = field(default_factory=frozenset)


def explain(
    case: Case,
    runner: Runner,
    *,
    clock: Callable[[], float],
    question: Question | None = None,
    budget: Budget | None = None,
    material: Material | None = None,
) -> Answer:
    """Find the smallest set of changes that explains why B differs from A.

    Parameters
    ----------
    case : Case
        What was recorded, and the factors.
    runner : Runner
        Executes mixtures.
    clock : callable
        Gives seconds that only grow.
    question : Question, optional
        What to explain; by default a metric that differs, else the predictions.
    budget : Budget, optional
        By default without limit.
    material : Material, optional
        Files and versions, to look into guilty factors; without it they are named whole.

    Raises
    ------
    UserError
        Where there is nothing that both runs measured.
    """
    asked = question or Question()
    name = choose(asked, case.a, case.b)
    if name is None:
        return _equal(case, asked)
    inquiry = _Inquiry(case, runner, clock, asked, budget or Budget(), material, name)
    return inquiry.answer()


def _equal(case: Case, question: Question) -> Answer:
    exact = choose(replace(question, bitwise=True), case.a, case.b) is None
    reason = (
        " to the last bit"
        if exact
        else ": what differs is floating point, below the policy (--bitwise explains it too)"
    )
    answer = Answer(
        outcome=EQUAL,
        metric=question.metric,
        a=None,
        b=None,
        delta=0.0,
        unchanged_factors=len(case.factors),
    )
    return replace(answer, sentence=sentence(answer, reason))


class _Inquiry:
    """One explanation, step by step; whatever is known survives the end of the budget."""

    def __init__(
        self,
        case: Case,
        runner: Runner,
        clock: Callable[[], float],
        question: Question,
        budget: Budget,
        material: Material | None,
        name: str,
    ) -> None:
        self._case = case
        self._question = question
        self._material = material
        self._name = name
        self._ledger = Ledger(runner, budget, clock)
        self._by_name = {f.name: f for f in case.factors if f.name not in case.fixed}
        self._weights = weigh(self._by_name.values(), case.imported)
        self._everything = frozenset(self._by_name)
        self._trail: list[Step] = []
        self._ends: Ends | None = None
        self._found: Found | None = None
        self._shares = Shares(effects={}, interactions=())
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._instrument: Instrument | None = None
        self._stopped = ""
        self._interrupted = False

    def answer(self) -> Answer:
        """Go as far as the budget allows, and answer."""
        try:
            self._go()
        except OutOfBudget:
            self._stopped = f" within {self._ledger.runs} executions"
        except KeyboardInterrupt:
            self._stopped, self._interrupted = ", because it was interrupted", True
        if self._found is not None and self._instrument is not None and not self._shares.effects:
            self._shares = Sharing(self._instrument, self._found).from_jumps()
        return self._answer()

    def _go(self) -> None:
        case, policy = self._case, self._question.policy
        self._ends = look_at_ends(
            self._ledger, self._name, policy, case.a, case.b, self._everything
        )
        if self._ends.state != REAL:
            return
        instrument = Instrument(
            self._ledger,
            self._ends.yardstick,
            lambda taken: Mixture(taken=taken),
            repetitions=self._ends.repetitions,
            known=[(frozenset(), self._ends.a), (self._everything, self._ends.b)],
            trail=self._trail,
        )
        self._instrument = instrument
        search = Search(instrument, in_row(self._weights), self._weights)
        self._found = search.found
        search.run()
        self._look_behind(instrument)
        self._shares = Sharing(instrument, self._found).run()
        self._drill(instrument)

    def _look_behind(self, instrument: Instrument) -> None:
        """Find what cancels in the metric and shows in the predictions.

        Where B without the culprits has A's metric and other predictions, two effects may
        balance. Those names are searched by predictions; the metric then says who has an effect.
        """
        found = self._found
        if found is None or self._name == PREDICTIONS or not found.necessary:
            return
        start = instrument.reading(frozenset())
        without = instrument.reading(self._everything - found.names)
        if start is None or without is None or self._ledger_is_noisy:
            return
        yardstick = PredictionYardstick(start, self._question.policy)
        if start.outcomes[0].predictions is None or yardstick.same(start, without):
            return
        rest = self._everything - found.names
        finer = Instrument(
            self._ledger,
            yardstick,
            lambda taken: Mixture(taken=taken),
            known=[(frozenset(), start), (rest, without)],
            trail=self._trail,
        )
        row = [name for name in in_row(self._weights) if name in rest]
        hidden = Search(finer, row, self._weights).run()
        singles = [frozenset(block) for block in hidden.culprits]
        readings = instrument.measure(singles, "alone")
        for block, reading in zip(hidden.culprits, readings, strict=True):
            if reading.ok and not instrument.same(start, reading):
                found.culprits.append(block)
                found.jumps[block] = (start, reading)

    @property
    def _ledger_is_noisy(self) -> bool:
        return self._ends is not None and self._ends.noise > 0.0

    def _drill(self, instrument: Instrument) -> None:
        if self._material is None or self._found is None:
            return
        for block in self._found.culprits:
            factor = self._by_name[block[0]]
            cut = cut_file(factor, self._material) if len(block) == 1 else None
            base = self._base_for(block, instrument)
            if cut is None or base is None:
                continue
            drill = Drill(instrument, factor, base, self._shares.effects.get(block))
            self._parts[factor.name] = drill.parts(cut)

    def _base_for(self, block: Block, instrument: Instrument) -> Subset | None:
        """Find surroundings in which a culprit is known to change the result."""
        found = self._found
        if found is None:
            return None
        needed = frozenset(found.companions) - found.names
        for base in (frozenset[str](), needed, (found.names | needed) - set(block)):
            before, after = instrument.reading(base), instrument.reading(base | set(block))
            if before is None or after is None or not (before.ok and after.ok):
                continue
            if not instrument.same(before, after):
                return base
        return None

    def _answer(self) -> Answer:
        ends, found, ledger = self._ends, self._found, self._ledger
        a, b = self._values()
        culprits = self._culprits()
        is_explained = bool(culprits) and found is not None and found.sufficient is not False
        outcome, reason = self._outcome(is_explained=is_explained)
        answer = Answer(
            outcome=outcome,
            metric=self._name,
            a=a,
            b=b,
            delta=None if a is None or b is None else b - a,
            culprits=culprits,
            interactions=self._shares.interactions,
            unchanged_factors=self._unchanged(outcome),
            noise=0.0 if ends is None else ends.noise,
            runs=ledger.runs,
            cached_runs=ledger.cached_runs,
            seconds=ledger.seconds,
            error=self._shares.error,
            needed=() if found is None else tuple(found.companions),
            suspects=() if found is None or outcome == EXPLAINED else found.suspects,
            notes=self._notes(),
            check=check_command(culprits[0].factor, culprits[0].a) if culprits else None,
            interrupted=self._interrupted,
            steps=tuple(self._trail),
        )
        return replace(answer, sentence=sentence(answer, reason))

    def _outcome(self, *, is_explained: bool) -> tuple[str, str]:
        ends = self._ends
        if ends is not None and ends.state == ONLY_NOISE:
            return NOISE, ""
        if ends is not None and ends.state == BROKEN:
            return UNEXPLAINED, f": {ends.notes[0]}"
        if ends is not None and ends.state == GONE:
            left = sorted(self._case.fixed)
            reason = f"; what is left is {', '.join(left)}" if left else ""
            return UNEXPLAINED, f": both give the same on this machine{reason}"
        if is_explained and (not self._stopped or self._is_closed):
            return EXPLAINED, ""
        if self._stopped:
            return UNEXPLAINED, self._stopped
        return UNEXPLAINED, ": no change alone or with others leads from A to B"

    @property
    def _is_closed(self) -> bool:
        """Whether both closing questions were answered before the budget ended."""
        found = self._found
        return found is not None and found.sufficient is True and found.necessary is True

    def _unchanged(self, outcome: str) -> int:
        """Count the differences that were shown to have no effect."""
        found = self._found
        if outcome != EXPLAINED or found is None or not found.necessary:
            return 0
        return len(self._everything) - len(found.names) - len(set(found.companions) - found.names)

    def _values(self) -> tuple[float | None, float | None]:
        case, ends = self._case, self._ends
        if self._name == PREDICTIONS:
            origin = Reading(outcomes=(case.a,)) if ends is None else ends.a
            end = Reading(outcomes=(case.b,)) if ends is None else ends.b
            return 0.0, PredictionYardstick(origin, self._question.policy).value(end)
        if ends is None or ends.state in {BROKEN, GONE}:
            return case.a.metrics[self._name], case.b.metrics[self._name]
        return ends.yardstick.value(ends.a), ends.yardstick.value(ends.b)

    def _culprits(self) -> tuple[Culprit, ...]:
        found = self._found
        if found is None:
            return ()
        told: list[Culprit] = []
        for block in found.culprits:
            effect = self._shares.effects.get(block)
            parts = self._parts.get(block[0], ())
            told += [Culprit(factor=p.name, a=p.a, b=p.b, effect=p.effect) for p in parts]
            if not parts:
                told += [self._culprit(name, block, effect) for name in block]
        return tuple(sorted(told, key=lambda one: -abs(one.effect or 0.0)))

    def _culprit(self, name: str, block: Block, effect: float | None) -> Culprit:
        factor = self._by_name[name]
        others = tuple(other for other in block if other != name)
        return Culprit(factor=name, a=factor.a, b=factor.b, effect=effect, together=others)

    def _notes(self) -> tuple[str, ...]:
        notes = [] if self._ends is None else list(self._ends.notes)
        failed = [step for step in self._trail if not step.reading.ok]
        if failed:
            notes.append(f"{len(failed)} mixtures could not be run: {failed[0].reading.why_not}")
        if self._case.fixed:
            notes.append(f"not changed on this machine: {', '.join(sorted(self._case.fixed))}")
        return tuple(notes)
