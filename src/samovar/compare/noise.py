"""Repeat A and B before anything is blamed: how much the result moves by itself."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from samovar.compare.runner import OK, Mixture
from samovar.compare.runs import is_same_metric
from samovar.compare.yardstick import (
    PREDICTIONS,
    MetricYardstick,
    PredictionYardstick,
    Reading,
    share_changed,
    spread,
)

if TYPE_CHECKING:
    from samovar.compare.instrument import Subset
    from samovar.compare.ledger import Ledger
    from samovar.compare.runner import Outcome
    from samovar.compare.yardstick import Yardstick
    from samovar.core.receipt import Policy

REAL: Final = "real"
NOISE: Final = "noise"
GONE: Final = "gone"
BROKEN: Final = "broken"

_REPEATS: Final = 4
_PREDICTION_REPEATS: Final = 2
_WIDER: Final = 1.5
_SIGMAS: Final = 3.0
_MOST_REPETITIONS: Final = 5
# Two-sided 1 % points of Student's t by degrees of freedom.
_STUDENT: Final = (63.66, 9.92, 5.84, 4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What repeating A and B showed.

    Parameters
    ----------
    state : str
        ``real`` (there is something to explain), ``noise``, ``gone`` (the difference was recorded
        and does not appear here) or ``broken`` (a side cannot be run any more).
    a, b : Reading
        Of the two ends, as far as known.
    noise : float
        Standard deviation of the metric over repetitions; for predictions, their mean difference
        in scales between repetitions.
    yardstick : Yardstick
        Compares to policy and noise.
    repetitions : int
        How often each mixture is to be run.
    notes : tuple of str
        What people have to know: a side that gives another result here than where it was recorded.
    """

    state: str
    a: Reading
    b: Reading
    noise: float
    yardstick: Yardstick
    repetitions: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is recorded, and is to be repeated.

    Parameters
    ----------
    a, b : Outcome
        As recorded.
    everything : frozenset of str
        All factors: with them taken, A is B.
    like_a : Outcome, optional
        Executed, and A's to the last bit: it stands for the first repetition of A.
    """

    a: Outcome
    b: Outcome
    everything: Subset
    like_a: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Side:
    """The recorded result of a side and its repetitions here."""

    label: str
    recorded: Outcome
    repeated: tuple[Outcome, ...]

    @property
    def failure(self) -> str | None:
        bad = next((one for one in self.repeated if one.status != OK), None)
        return (
            None if bad is None else f"{self.label} cannot be run here: {bad.reason or bad.status}"
        )

    def is_steady(self, policy: Policy) -> bool:
        return all(_is_same(self.recorded, one, policy) for one in self.repeated)

    def is_moved(self, policy: Policy) -> bool:
        """Say whether all repetitions agree, and the record does not."""
        first, *others = self.repeated
        return not self.is_steady(policy) and all(_is_same(first, one, policy) for one in others)

    def sample(self, policy: Policy) -> tuple[Outcome, ...]:
        """Give what counts: a record that is not reproduced here does not."""
        return self.repeated if self.is_moved(policy) else (self.recorded, *self.repeated)


def look_at_ends(ledger: Ledger, name: str, policy: Policy, sides: Sides) -> Ends:
    """Repeat both sides, more often where they move, and judge the difference.

    Parameters
    ----------
    ledger : Ledger
        Executes.
    name : str
        The metric, or ``predictions``.
    policy : Policy
        How large a relative difference is none.
    sides : Sides
        What is recorded.

    Raises
    ------
    OutOfBudget
        Where even this is not allowed.
    """
    repeats = 1
    while True:
        one, other = _repeat(ledger, sides, repeats)
        failure = one.failure or other.failure
        if failure is not None:
            return _ends(BROKEN, name, policy, one, other, notes=(failure,))
        if one.is_steady(policy) and other.is_steady(policy):
            return _ends(REAL, name, policy, one, other)
        if repeats > 1:
            break
        repeats = 2
    notes = tuple(
        f"{side.label} gives {_shown(side.repeated[0], name)} here and gave "
        f"{_shown(side.recorded, name)} where it was recorded"
        for side in (one, other)
        if side.is_moved(policy)
    )
    if all(side.is_steady(policy) or side.is_moved(policy) for side in (one, other)):
        found = _ends(REAL, name, policy, one, other, notes=notes)
        gone = found.yardstick.same(found.a, found.b)
        return replace(found, state=GONE) if gone else found
    if name == PREDICTIONS:
        one, other = _repeat(ledger, sides, _PREDICTION_REPEATS)
        return _noisy_predictions(policy, one, other, notes)
    one, other = _repeat(ledger, sides, _REPEATS)
    return _noisy_metric(name, policy, one, other, notes)


def _repeat(ledger: Ledger, sides: Sides, times: int) -> tuple[_Side, _Side]:
    a, b = Mixture(taken=frozenset()), Mixture(taken=sides.everything)
    one: tuple[Outcome, ...]
    if sides.like_a is not None and times == 1:
        one, other = (sides.like_a,), ledger.outcomes([b], 1)[0]
    else:
        one, other = ledger.outcomes([a, b], times)
    return _Side("A", sides.a, one), _Side("B", sides.b, other)


def _ends(
    state: str,
    name: str,
    policy: Policy,
    one: _Side,
    other: _Side,
    notes: tuple[str, ...] = (),
) -> Ends:
    """Give ends without noise: what was executed here counts, once."""
    a, b = Reading(outcomes=one.repeated[:1]), Reading(outcomes=other.repeated[:1])
    yardstick: Yardstick = (
        PredictionYardstick(a, policy)
        if name == PREDICTIONS
        else MetricYardstick(name=name, policy=policy)
    )
    return Ends(state=state, a=a, b=b, noise=0.0, yardstick=yardstick, notes=notes)


def _noisy_metric(
    name: str, policy: Policy, one: _Side, other: _Side, notes: tuple[str, ...]
) -> Ends:
    a, b = Reading(outcomes=one.sample(policy)), Reading(outcomes=other.sample(policy))
    samples = [_finite(reading, name) for reading in (a, b)]
    if any(len(sample) < 2 for sample in samples):
        return _ends(REAL, name, policy, one, other, notes)
    first, second = samples
    pooled = math.sqrt((statistics.variance(first) + statistics.variance(second)) / 2)
    delta = abs(statistics.fmean(first) - statistics.fmean(second))
    error = pooled * math.sqrt(1 / len(first) + 1 / len(second))
    freedom = min(len(first) + len(second) - 2, len(_STUDENT))
    state = NOISE if delta <= _STUDENT[freedom - 1] * error else REAL
    repetitions = next(
        (r for r in range(1, _MOST_REPETITIONS) if _width(pooled, r) <= delta / 2),
        _MOST_REPETITIONS,
    )
    tolerance = min(_width(pooled, repetitions), delta / 2)
    return Ends(
        state=state,
        a=a,
        b=b,
        noise=pooled,
        yardstick=MetricYardstick(name=name, policy=policy, tolerance=tolerance),
        repetitions=repetitions,
        notes=notes,
    )


def _width(deviation: float, repetitions: int) -> float:
    """Give how far apart noise puts two means of so many repetitions."""
    return _SIGMAS * deviation * math.sqrt(2 / repetitions)


def _noisy_predictions(policy: Policy, one: _Side, other: _Side, notes: tuple[str, ...]) -> Ends:
    sides = [one.sample(policy), other.sample(policy)]
    readings = [[Reading(outcomes=(outcome,)) for outcome in side] for side in sides]
    within = max(
        spread(left, right)
        for side in readings
        for place, left in enumerate(side)
        for right in side[place + 1 :]
    )
    across = statistics.fmean(spread(left, right) for left in readings[0] for right in readings[1])
    a, b = readings[0][-1], readings[1][-1]
    tolerance = _WIDER * within
    return Ends(
        state=NOISE if across <= tolerance else REAL,
        a=a,
        b=b,
        noise=within,
        yardstick=PredictionYardstick(a, policy, tolerance),
        notes=notes,
    )


def _finite(reading: Reading, name: str) -> list[float]:
    values = [outcome.metrics.get(name) for outcome in reading.outcomes]
    return [float(value) for value in values if value is not None]


def _is_same(one: Outcome, other: Outcome, policy: Policy) -> bool:
    """Say whether two outcomes are the same in every metric and in all predictions."""
    if one.metrics.keys() != other.metrics.keys() or not all(
        is_same_metric(value, other.metrics[name], policy) for name, value in one.metrics.items()
    ):
        return False
    if one.predictions is None or other.predictions is None:
        return True
    return share_changed(one.predictions, other.predictions, policy) == 0.0


def _shown(outcome: Outcome, name: str) -> str:
    value = outcome.metrics.get(name)
    return (
        "other predictions" if name == PREDICTIONS else "NaN" if value is None else f"{value:.6g}"
    )
