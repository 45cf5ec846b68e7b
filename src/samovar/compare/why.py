"""Explain why two runs differ: by executing mixtures of them, and by nothing else.

The path: choose what is to be explained, repeat both ends, search the culprits, share the
difference out among them, look into guilty files. Nothing is blamed that no execution has shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from samovar.compare.answer import EQUAL, EXPLAINED, NOISE, UNEXPLAINED, Answer, Culprit
from samovar.compare.declared import DEPRECATED
from samovar.compare.inquiry import Case, Inquiry, Known
from samovar.compare.ledger import Budget, Ledger
from samovar.compare.noise import BROKEN, GONE
from samovar.compare.noise import NOISE as ONLY_NOISE
from samovar.compare.question import Question, choose
from samovar.compare.words import check_command, sentence
from samovar.compare.yardstick import PREDICTIONS, PredictionYardstick, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.compare.runner import Material, Runner
    from samovar.compare.search import Block

__all__ = ["Case", "explain"]

_MOST_DECLARED = 5


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
    ledger = Ledger(runner, budget or Budget(), clock)
    known = Inquiry(case, ledger, asked, name, material).run()
    return _Telling(case, asked, name, ledger, known).answer()


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


def _lengths(case: Case) -> list[str]:
    """Tell where the two sides do not predict the same number of values."""
    shapes = [
        None if side.predictions is None else [tensor.shape for tensor in side.predictions]
        for side in (case.a, case.b)
    ]
    if None in shapes or shapes[0] == shapes[1]:
        return []
    one, other = (" and ".join("x".join(map(str, s)) for s in found or ()) for found in shapes)
    return [f"A has {one} predictions and B {other}: they are of different evaluation sets"]


class _Telling:
    """Makes an answer of what is known."""

    def __init__(
        self, case: Case, question: Question, name: str, ledger: Ledger, known: Known
    ) -> None:
        self._case = case
        self._question = question
        self._name = name
        self._ledger = ledger
        self._known = known
        self._factors = {factor.name: factor for factor in case.factors}

    def answer(self) -> Answer:
        known, ledger, found = self._known, self._ledger, self._known.found
        a, b = self._values()
        culprits = self._culprits()
        outcome, reason = self._outcome()
        answer = Answer(
            outcome=outcome,
            metric=self._name,
            a=a,
            b=b,
            delta=None if a is None or b is None else b - a,
            culprits=culprits,
            interactions=known.shares.interactions,
            unchanged_factors=self._unchanged() if outcome == EXPLAINED else 0,
            noise=0.0 if known.ends is None else known.ends.noise,
            runs=ledger.runs,
            cached_runs=ledger.cached_runs,
            seconds=ledger.seconds,
            error=known.shares.error,
            needed=() if found is None else tuple(found.companions),
            suspects=() if found is None or outcome == EXPLAINED else found.suspects,
            notes=self._notes(),
            check=check_command(culprits[0].factor, culprits[0].a) if culprits else None,
            interrupted=known.interrupted,
            steps=tuple(known.trail),
        )
        return replace(answer, sentence=sentence(answer, reason))

    def _outcome(self) -> tuple[str, str]:
        """Give the outcome, and why where it is unexplained."""
        known = self._known
        ends, found = known.ends, known.found
        if ends is not None and ends.state == ONLY_NOISE:
            return NOISE, ""
        if ends is not None and ends.state == BROKEN:
            return UNEXPLAINED, f": {ends.notes[0]}"
        if ends is not None and ends.state == GONE:
            left = ", ".join(sorted(self._case.fixed))
            rest = f"; what is left is {left}" if left else ""
            return UNEXPLAINED, f": both give the same on this machine{rest}"
        shown = found is not None and bool(found.culprits) and found.sufficient is not False
        # A search that was cut short has explained only what both closing questions confirm.
        closed = found is not None and found.sufficient is True and found.necessary is True
        if shown and (closed or not known.stopped):
            return EXPLAINED, ""
        return UNEXPLAINED, known.stopped or ": no change alone or with others leads from A to B"

    def _unchanged(self) -> int:
        """Count the differences that were shown to have no effect.

        The culprits alone gave B's result, so the others add nothing to them; that they do nothing
        without them was seen too, unless B without the culprits does not run at all.
        """
        found = self._known.found
        if found is None or not found.sufficient or found.necessary is False:
            return 0
        return len(self._factors.keys() - self._case.fixed - found.names - set(found.companions))

    def _values(self) -> tuple[float | None, float | None]:
        case, ends = self._case, self._known.ends
        if self._name == PREDICTIONS:
            origin = Reading(outcomes=(case.a,)) if ends is None else ends.a
            end = Reading(outcomes=(case.b,)) if ends is None else ends.b
            return 0.0, PredictionYardstick(origin, self._question.policy).value(end)
        if ends is None or ends.state in {BROKEN, GONE}:
            return case.a.metrics[self._name], case.b.metrics[self._name]
        return ends.yardstick.value(ends.a), ends.yardstick.value(ends.b)

    def _culprits(self) -> tuple[Culprit, ...]:
        """Name the guilty as finely as was shown, the largest effect first."""
        known, told = self._known, list[Culprit]()
        for block in () if known.found is None else known.found.culprits:
            effect = known.shares.effects.get(block)
            parts = known.parts.get(block[0], ())
            told += [Culprit(factor=p.name, a=p.a, b=p.b, effect=p.effect) for p in parts]
            if not parts:
                told += [self._culprit(name, block, effect) for name in block]
        return tuple(sorted(told, key=lambda one: -abs(one.effect or 0.0)))

    def _culprit(self, name: str, block: Block, effect: float | None) -> Culprit:
        factor = self._factors[name]
        return Culprit(
            factor=name,
            a=factor.a,
            b=factor.b,
            effect=effect,
            together=tuple(other for other in block if other != name),
            turn=self._known.turns.get(name),
            declared=self._declared(name),
            changelog=self._known.hints.changelogs.get(name),
        )

    def _declared(self, name: str) -> tuple[str, ...]:
        changes = self._known.hints.declared.get(name, ())
        told = [str(change) for change in changes if change.kind != DEPRECATED]
        return tuple(told[:_MOST_DECLARED])

    def _notes(self) -> tuple[str, ...]:
        known = self._known
        notes = [] if known.ends is None else list(known.ends.notes)
        notes += _lengths(self._case)
        failed = [step for step in known.trail if not step.reading.ok]
        if failed:
            many = "1 mixture" if len(failed) == 1 else f"{len(failed)} mixtures"
            notes.append(f"{many} could not be run: {failed[0].reading.why_not}")
        if self._case.fixed:
            notes.append(f"not changed on this machine: {', '.join(sorted(self._case.fixed))}")
        return tuple(notes)
