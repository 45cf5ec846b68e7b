"""Runs that are functions of the factors taken from B, for testing `why` without training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samovar.compare.factors import Factor
from samovar.compare.ledger import Budget
from samovar.compare.question import Question
from samovar.compare.rank import Hints
from samovar.compare.runner import FAILED, OK, UNINSTALLABLE, Mixture, Outcome, Request
from samovar.compare.why import Case, explain
from samovar.core.receipt import Tensor

if TYPE_CHECKING:
    from samovar.compare.answer import Answer

Result = Outcome | float | Mapping[str, float | None] | None
"""A number is the metric ``m``; None is a script that fails."""

CANNOT_INSTALL = Outcome(status=UNINSTALLABLE, executed=False, reason="no solution")


@dataclass
class FunctionRunner:
    """Executes mixtures by calling a function; keeps outcomes as a real runner does."""

    function: Callable[[Mixture], Result]
    is_deterministic: bool = True
    executed: list[Request] = field(default_factory=list)
    stored: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    interrupt_at: int | None = None

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        for request in requests:
            key = (request.mixture.key, request.repetition)
            if key in self.stored:
                known = self.stored[key]
                yield (
                    request,
                    Outcome(
                        status=known.status,
                        metrics=known.metrics,
                        predictions=known.predictions,
                        executed=False,
                    ),
                )
                continue
            if self.interrupt_at is not None and len(self.executed) >= self.interrupt_at:
                raise KeyboardInterrupt
            outcome = outcome_of(self.function(request.mixture))
            if outcome.executed:
                self.executed.append(request)
                assert not self.is_deterministic or request.repetition <= 1
            self.stored[key] = outcome
            yield request, outcome


def outcome_of(result: Result) -> Outcome:
    if isinstance(result, Outcome):
        return result
    if result is None:
        return Outcome(status=FAILED, reason="ValueError: no")
    metrics = result if isinstance(result, Mapping) else {"m": result}
    return Outcome(status=OK, metrics=metrics)


def predicting(metric: float, *values: float) -> Outcome:
    tensor = Tensor(name="prediction", datatype="FP64", shape=(len(values),), data=values)
    return Outcome(metrics={"m": metric}, predictions=(tensor,))


def names(count: int) -> list[str]:
    return [f"param:p{place:03}" for place in range(count)]


def factors_of(given: Sequence[str]) -> list[Factor]:
    return [Factor(name=name, a=0, b=1) for name in given]


def ask(
    function: Callable[[frozenset[str]], Result],
    factors: Sequence[str] | Sequence[Factor],
    *,
    runner: FunctionRunner | None = None,
    fixed: frozenset[str] = frozenset(),
    hints: Hints | None = None,
    **options: Any,
) -> tuple[Answer, FunctionRunner]:
    """Explain the difference between a function of nothing and of everything."""
    given = [f if isinstance(f, Factor) else Factor(name=f, a=0, b=1) for f in factors]
    runner = runner or FunctionRunner(lambda mixture: function(mixture.taken))
    everything = frozenset(factor.name for factor in given)
    case = Case(
        a=outcome_of(function(frozenset())),
        b=outcome_of(function(everything)),
        factors=given,
        fixed=fixed,
        look=lambda: hints or Hints(),
    )
    budget = Budget(max_runs=options.pop("max_runs", None))
    question = options.pop("question", Question())
    answer = explain(case, runner, clock=lambda: 0.0, question=question, budget=budget, **options)
    return answer, runner


def blamed(answer: Answer) -> set[str]:
    return {culprit.factor for culprit in answer.culprits}


def seeded(seed: int) -> random.Random:
    return random.Random(seed)
