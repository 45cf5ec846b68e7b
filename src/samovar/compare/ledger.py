"""Every execution of one `why`: asked for once, counted, and within a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.compare.runner import UNINSTALLABLE, Outcome, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.compare.runner import Mixture, Runner


class OutOfBudget(Exception):
    """No more executions are allowed; what is known so far is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may cost.

    Parameters
    ----------
    max_runs : int, optional
        New executions; stored ones are free.
    max_seconds : float, optional
        After so long, no further execution is started.
    """

    max_runs: int | None = None
    max_seconds: float | None = None


class Ledger:
    """Asks a runner, remembers its answers and counts them.

    Parameters
    ----------
    runner : Runner
        Executes.
    budget : Budget
        What may be spent.
    clock : callable
        Gives seconds that only grow.
    """

    def __init__(self, runner: Runner, budget: Budget, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._budget = budget
        self._clock = clock
        self._started = clock()
        self._known: dict[tuple[str, int], Outcome] = {}
        self.runs = 0
        self.cached_runs = 0
        self.refused = 0

    @property
    def seconds(self) -> float:
        """Time since the search began."""
        return self._clock() - self._started

    def outcomes(self, mixtures: Sequence[Mixture], repetitions: int) -> list[tuple[Outcome, ...]]:
        """Give the outcomes of mixtures, each as often as is asked.

        Raises
        ------
        OutOfBudget
            Where more executions would be needed than are allowed.
        """
        keys = [mixture.key for mixture in mixtures]
        wanted = {
            (key, number): Request(mixture=mixture, repetition=number)
            for key, mixture in zip(keys, mixtures, strict=True)
            for number in range(1, repetitions + 1)
            if (key, number) not in self._known
        }
        pending = list(wanted.values())
        while pending:
            allowed = self._allowed(len(pending))
            batch, pending = pending[:allowed], pending[allowed:]
            for request, outcome in self._runner.run(batch):
                self._note(request, outcome)
        return [
            tuple(self._known[key, number] for number in range(1, repetitions + 1)) for key in keys
        ]

    def _allowed(self, wanted: int) -> int:
        """Give how many executions of those that are wanted may be asked for at once."""
        budget = self._budget
        if budget.max_seconds is not None and self.seconds >= budget.max_seconds:
            raise OutOfBudget
        if budget.max_runs is None:
            return wanted
        if self.runs >= budget.max_runs:
            raise OutOfBudget
        return min(wanted, budget.max_runs - self.runs)

    def _note(self, request: Request, outcome: Outcome) -> None:
        self._known[request.mixture.key, request.repetition] = outcome
        if outcome.executed:
            self.runs += 1
        elif outcome.status == UNINSTALLABLE:
            self.refused += 1
        else:
            self.cached_runs += 1
